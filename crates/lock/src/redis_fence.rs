//! A fence in front of data in Redis: what lets only the latest holder of a lock write.

use redis::aio::ConnectionLike;
use redis::{Arg, Cmd, FromRedisValue, RedisError, Script, Value};

use crate::token::FencingToken;

/// KEYS: fence. ARGV: token, and the words of a command, if there is one. Tokens are decimal numbers of equal length.
const PASS: &str = r"
local seen = redis.call('GET', KEYS[1])
if seen and seen > ARGV[1] then return {0} end
if seen ~= ARGV[1] then redis.call('SET', KEYS[1], ARGV[1]) end
if #ARGV == 1 then return {1} end
return {1, redis.call(unpack(ARGV, 2))}
";

/// A fence in front of data in Redis: it lets commands pass with the highest token that it has seen, and refuses the others.
///
/// The fence is a key beside the data, on the same server: the highest token, which is never forgotten. Comparing and
/// running the command are one step there. Server and database are the resource's; the locks may be elsewhere.
///
/// A new holder [registers](Self::register) **before it reads**. Otherwise a late write of the one before it could come
/// between its reading and its writing.
///
/// ```no_run
/// use larder_lock::{Lease, RedisFence};
///
/// async fn deposit(lease: Lease, connection: &mut redis::aio::MultiplexedConnection) -> redis::RedisResult<bool> {
///     let fence = RedisFence::new("account:{7}:fence");
///     let token = lease.fencing_token();
///     if !fence.register(connection, token).await? {
///         return Ok(false); // somebody holds a later lock
///     }
///     let balance: i64 = redis::cmd("GET").arg("account:{7}").query_async(connection).await?;
///     let write = redis::cmd("SET").arg("account:{7}").arg(balance + 1).take();
///     Ok(fence.run::<()>(connection, token, &write).await?.is_some())
/// }
/// ```
///
/// The types of connections, commands and errors are those of the crate `redis`, version 1.
#[derive(Debug, Clone)]
pub struct RedisFence {
    key: String,
    pass: Script,
}

impl RedisFence {
    /// The fence at this key. In a cluster, give it the hash tag of the data.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            pass: Script::new(PASS),
        }
    }

    /// Makes `token` the lowest that passes from now on; false if a higher one has been seen, whose holder came later.
    ///
    /// # Errors
    ///
    /// When the server cannot be asked. It may have registered the token all the same.
    pub async fn register(
        &self,
        connection: &mut impl ConnectionLike,
        token: FencingToken,
    ) -> Result<bool, RedisError> {
        let passed: Option<Value> = self.pass(connection, token, None).await?;
        Ok(passed.is_some())
    }

    /// Runs `command` if no higher token has been seen, and registers `token`; `None` if one has, and nothing was done then.
    ///
    /// One command, without `MULTI`, blocking, or subscription: it runs within a script.
    ///
    /// # Errors
    ///
    /// When the server cannot be asked, or the command fails. If the connection failed, the command may have run.
    pub async fn run<T: FromRedisValue>(
        &self,
        connection: &mut impl ConnectionLike,
        token: FencingToken,
        command: &Cmd,
    ) -> Result<Option<T>, RedisError> {
        let answer = self.pass(connection, token, Some(command)).await?;
        let value = answer.map(T::from_redis_value).transpose();
        value.map_err(RedisError::from)
    }

    async fn pass(
        &self,
        connection: &mut impl ConnectionLike,
        token: FencingToken,
        command: Option<&Cmd>,
    ) -> Result<Option<Value>, RedisError> {
        let mut call = self.pass.key(&self.key);
        call.arg(format!("{:019}", token.as_u64()));
        for word in command.into_iter().flat_map(Cmd::args_iter) {
            match word {
                Arg::Simple(word) => call.arg(word),
                // The beginning of a scan, which is all that one command can do of it.
                _ => call.arg(0),
            };
        }
        let answer: Vec<Value> = call.invoke_async(connection).await?;
        let mut parts = answer.into_iter();
        let passed = parts.next() == Some(Value::Int(1));
        Ok(passed.then(|| parts.next().unwrap_or(Value::Nil)))
    }
}
