//! What a server says of itself, and which process at which time of its life it thereby is.

use larder_store::{StoreError, StoreErrorKind};

use crate::failure::failed;
use crate::wire::Wire;

/// What the server says of itself.
pub(super) async fn info(wire: &mut Wire) -> Result<String, StoreError> {
    let mut pipe = redis::pipe();
    pipe.cmd("INFO").arg("server").cmd("INFO").arg("replication");
    let (server, replication): (String, String) = pipe.query_async(wire).await.map_err(failed)?;
    Ok(server + &replication)
}

/// Which process says this, and since when it has been a primary.
pub(super) fn life(info: &str) -> Result<String, StoreError> {
    if field(info, "redis_mode") == Some("sentinel") {
        let message = "the server is a Sentinel: name it with `redis+sentinel://` or `Place::sentinel`";
        return Err(StoreError::new(StoreErrorKind::Protocol, message));
    }
    if field(info, "role") != Some("master") {
        let message = "the server is a replica, which may not know what was forgotten";
        return Err(StoreError::new(StoreErrorKind::ReadOnly, message));
    }
    let Some(run_id) = field(info, "run_id") else {
        let message = "INFO does not say which process the server is";
        return Err(StoreError::new(StoreErrorKind::Protocol, message));
    };
    // A primary that was a replica in between is the same process, and may have lost what it was told as a primary before.
    let stream = field(info, "master_replid").unwrap_or_default();
    let stream = stream.get(..STREAM).unwrap_or(stream);
    if cfg!(larder_mutant = "redis_ignores_promotions") {
        return Ok(run_id.to_owned());
    }
    Ok(format!("{run_id}:{stream}"))
}

/// So much of the name of a stream of writes tells it from others: 64 random bits.
const STREAM: usize = 16;

/// The major version; 6 where none is said.
pub(super) fn version(info: &str) -> u32 {
    let version = field(info, "redis_version").and_then(|version| version.split('.').next()?.parse().ok());
    version.unwrap_or(6)
}

/// A field of the answer to `INFO`.
pub(crate) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_info_are_found_by_their_whole_name() {
        let text = "# Server\r\nrun_id_old:x\r\nrun_id:abc\r\nempty:\r\n";
        assert_eq!(field(text, "run_id"), Some("abc"));
        assert_eq!(field(text, "run"), None);
        assert_eq!(field(text, "empty"), None);
    }

    #[test]
    fn a_life_is_a_process_and_its_time_as_a_primary() {
        let of = |text: &str| life(text).map_err(|error| error.kind());
        let first = of("run_id:a\r\nrole:master\r\nmaster_replid:0123456789abcdef0123\r\n");
        assert_eq!(first.as_deref(), Ok("a:0123456789abcdef"));
        assert_eq!(
            of("run_id:a\r\nrole:master\r\nmaster_replid:1\r\n").as_deref(),
            Ok("a:1")
        );
        assert_eq!(of("run_id:a\r\nrole:master\r\n").as_deref(), Ok("a:"));
        assert_eq!(of("run_id:a\r\nrole:slave\r\n"), Err(StoreErrorKind::ReadOnly));
        assert_eq!(of("role:master\r\n"), Err(StoreErrorKind::Protocol));
        assert_eq!((version("redis_version:7.0.15\r\n"), version("")), (7, 6));
    }
}
