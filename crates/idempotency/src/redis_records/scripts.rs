//! The scripts: the rules of [`Records`](crate::Records) in Lua.

use redis::{FromRedisValue, ParsingError, Script, Value};

use crate::records::RecordKey;

pub(super) const GRANTED: i64 = 0;
pub(super) const FINISHED: i64 = 1;
pub(super) const RUNNING: i64 = 2;
pub(super) const LOST: i64 = 3;
pub(super) const LATE: i64 = 4;
/// There is a result above the limit, which was not sent.
pub(super) const TOO_LARGE: i64 = 5;

/// KEYS: record, refusal. ARGV: fingerprint, owner, token, lease, retention, the token that is taken over, the largest
/// result. Times in milliseconds. A record is a hash: `f`ingerprint, `o`wner, `t`oken, `u`ntil when its lease lasts, and
/// `r`esult. Tokens are decimal numbers of equal length, compared as text, because a number in Lua has 53 bits.
const CLAIM: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local seen = redis.call('HMGET', KEYS[1], 'f', 't', 'u')
if seen[1] then
  local length = redis.call('HSTRLEN', KEYS[1], 'r')
  if length > tonumber(ARGV[7]) then return {5, '', 0, '', ''} end
  if length > 0 then return {1, seen[1], 0, '', redis.call('HGET', KEYS[1], 'r')} end
  local left = seen[3] - now
  if left > 0 then return {2, seen[1], left, '', ''} end
  if ARGV[6] ~= seen[2] or ARGV[3] <= seen[2] then return {3, seen[1], 0, seen[2], ''} end
end
if redis.call('EXISTS', KEYS[2]) == 1 then return {4, '', 0, '', ''} end
redis.call('HSET', KEYS[1], 'f', ARGV[1], 'o', ARGV[2], 't', ARGV[3], 'u', string.format('%.0f', now + ARGV[4]))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return {0, '', 0, '', ''}
";

/// KEYS: record. ARGV: owner, lease, retention.
const RENEW: &str = r"
local seen = redis.call('HMGET', KEYS[1], 'o', 'r')
if seen[1] ~= ARGV[1] or seen[2] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'u', string.format('%.0f', now + ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
";

/// KEYS: record. ARGV: owner, result, retention.
const FINISH: &str = r"
if redis.call('HGET', KEYS[1], 'o') ~= ARGV[1] then return 0 end
if redis.call('HSETNX', KEYS[1], 'r', ARGV[2]) == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
";

/// KEYS: record, refusal. ARGV: owner, whether the claim may be yet to arrive, how long it is then refused.
const RELEASE: &str = r"
if ARGV[2] == '1' then redis.call('SET', KEYS[2], '1', 'PX', ARGV[3]) end
local seen = redis.call('HMGET', KEYS[1], 'o', 'r')
if seen[1] ~= ARGV[1] or seen[2] then return 0 end
redis.call('DEL', KEYS[1])
return 1
";

/// KEYS: nonce, since. ARGV: retention, the caller's time, how long the beginning is kept.
const SPEND: &str = r"
redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
local fresh = redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1])
return {fresh and 1 or 0, redis.call('GET', KEYS[2])}
";

/// All scripts, with their digests.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) claim: Script,
    pub(super) renew: Script,
    pub(super) finish: Script,
    pub(super) release: Script,
    pub(super) spend: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            claim: Script::new(CLAIM),
            renew: Script::new(RENEW),
            finish: Script::new(FINISH),
            release: Script::new(RELEASE),
            spend: Script::new(SPEND),
        }
    }
}

/// The answer to a claim, as it came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: i64,
    pub(super) fingerprint: Vec<u8>,
    pub(super) remaining: u64,
    pub(super) token: Vec<u8>,
    pub(super) result: Vec<u8>,
}

impl FromRedisValue for Answer {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let (code, fingerprint, remaining, token, result) = FromRedisValue::from_redis_value(value)?;
        Ok(Self {
            code,
            fingerprint,
            remaining,
            token,
            result,
        })
    }
}

/// The names of keys.
#[derive(Debug)]
pub(super) struct Keys {
    prefix: String,
    pub(super) since: String,
}

impl Keys {
    pub(super) fn new(prefix: String) -> Self {
        Self {
            since: format!("{prefix}:since"),
            prefix,
        }
    }

    // The braces keep the keys of one record together in one slot.

    pub(super) fn record(&self, key: &RecordKey) -> String {
        format!("{}:{{{key}}}", self.prefix)
    }

    pub(super) fn late(&self, key: &RecordKey, owner: &larder_lock::Owner) -> String {
        format!("{}:{{{key}}}:late:{owner}", self.prefix)
    }
}
