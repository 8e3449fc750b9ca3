//! The scripts: the rules of [`LockTable`](crate::LockTable) in Lua.

use redis::Script;

pub(super) const GRANTED: i64 = 0;
pub(super) const HELD: i64 = 1;
pub(super) const OUTDATED: i64 = 2;
pub(super) const QUARANTINED: i64 = 3;
/// The server's process is not the one that the caller connected to.
pub(super) const ANOTHER_LIFE: i64 = 4;
/// The token is far in the future.
pub(super) const AHEAD: i64 = 5;

/// KEYS: vote, fence, marker, quarantine. ARGV: owner, ttl, token, the token's microseconds, the server's run id, max_ttl,
/// retention. Times in milliseconds. Tokens are decimal numbers of equal length, compared as text, because a number in Lua
/// has 53 bits.
///
/// A fence ahead of the server's clock by more than an hour would lock out everybody whose clock is right.
const ACQUIRE: &str = r"
local seen = redis.call('MGET', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
if not seen[3] then
  redis.call('SET', KEYS[3], ARGV[5])
  redis.call('SET', KEYS[4], '1', 'PX', ARGV[6])
  return {3, ARGV[6], ''}
end
if seen[3] ~= ARGV[5] then return {4, '0', ''} end
if seen[4] then return {3, tostring(redis.call('PTTL', KEYS[4])), ''} end
if seen[1] and seen[1] ~= ARGV[1] then
  return {1, tostring(redis.call('PTTL', KEYS[1])), seen[1]}
end
if seen[2] and seen[2] >= ARGV[3] then return {2, seen[2], ''} end
local time = redis.call('TIME')
if tonumber(ARGV[4]) > (tonumber(time[1]) + 3600) * 1000000 then return {5, '0', ''} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[7])
return {0, '0', ''}
";

/// The same without the comparison of tokens, for a mutant.
const ACQUIRE_UNFENCED: &str = r"
local seen = redis.call('MGET', KEYS[1], KEYS[2])
if seen[1] and seen[1] ~= ARGV[1] then
  return {1, tostring(redis.call('PTTL', KEYS[1])), seen[1]}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[7])
return {0, '0', ''}
";

/// The same without marker and quarantine, for a mutant.
const ACQUIRE_WITHOUT_QUARANTINE: &str = r"
local seen = redis.call('MGET', KEYS[1], KEYS[2])
if seen[1] and seen[1] ~= ARGV[1] then
  return {1, tostring(redis.call('PTTL', KEYS[1])), seen[1]}
end
if seen[2] and seen[2] >= ARGV[3] then return {2, seen[2], ''} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[7])
return {0, '0', ''}
";

/// KEYS: vote, fence. ARGV: owner, ttl, retention.
const EXTEND: &str = r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
";

const EXTEND_ANY_OWNER: &str = r"
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
";

/// KEYS: vote, fence, channel. ARGV: owner, token, retention, whether to wake.
const RELEASE: &str = r"
local seen = redis.call('MGET', KEYS[1], KEYS[2])
if not seen[2] or seen[2] < ARGV[2] then redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) end
if seen[1] ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
if ARGV[4] == '1' then redis.call('PUBLISH', KEYS[3], '') end
return 1
";

const RELEASE_PLAIN: &str = r"
local deleted = redis.call('DEL', KEYS[1])
if ARGV[4] == '1' then redis.call('PUBLISH', KEYS[3], '') end
return deleted
";

/// A process that is not the one of the marker may have forgotten what that one knew, even if it has read most of it back
/// from a file. KEYS: marker, quarantine. ARGV: the server's run id, max_ttl.
const ADMIT: &str = r"
if redis.call('GET', KEYS[1]) == ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('SET', KEYS[2], '1', 'PX', ARGV[2])
return 1
";

/// KEYS: marker, quarantine. ARGV: the server's run id.
const COMMISSION: &str = r"
redis.call('SET', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
return 1
";

/// All scripts, with their digests.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) acquire: Script,
    pub(super) extend: Script,
    pub(super) release: Script,
    pub(super) admit: Script,
    pub(super) commission: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let (any_owner, plain) = (
            cfg!(larder_mutant = "lock_extend_any_owner"),
            cfg!(larder_mutant = "lock_plain_del"),
        );
        let acquire = if cfg!(larder_mutant = "lock_no_quarantine") {
            ACQUIRE_WITHOUT_QUARANTINE
        } else if cfg!(larder_mutant = "lock_fence_unchecked") {
            ACQUIRE_UNFENCED
        } else {
            ACQUIRE
        };
        Self {
            acquire: Script::new(acquire),
            extend: Script::new(if any_owner { EXTEND_ANY_OWNER } else { EXTEND }),
            release: Script::new(if plain { RELEASE_PLAIN } else { RELEASE }),
            admit: Script::new(ADMIT),
            commission: Script::new(COMMISSION),
        }
    }
}

/// The names of keys and channels.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
    pub(super) marker: String,
    pub(super) quarantine: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            marker: format!("{prefix}:marker"),
            quarantine: format!("{prefix}:quarantine"),
        }
    }

    // The braces keep the keys of one lock apart from those of all others, and together in one slot.

    pub(super) fn vote(&self, key: &str) -> String {
        format!("{}:{{{key}}}", self.prefix)
    }

    pub(super) fn fence(&self, key: &str) -> String {
        format!("{}:{{{key}}}:fence", self.prefix)
    }

    pub(super) fn channel(&self, key: &str) -> String {
        format!("{}:{{{key}}}:free", self.prefix)
    }
}
