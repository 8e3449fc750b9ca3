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
/// Shared votes stand in the way, or somebody who waits for them to go.
pub(super) const TAKEN: i64 = 6;
/// It is not the usual case: ask with the script that knows all.
pub(super) const UNUSUAL: i64 = -1;

/// How the vote is usually asked for: exclusively, on a server that knows of no shared votes and is in no quarantine, with a
/// token that is not ahead of its clock. Every other case is left to [`ACQUIRE`], and nothing is done then.
///
/// KEYS: vote, fence, marker, quarantine, shared fence, line. ARGV: owner, ttl, token, the server's run id, retention, the
/// one who waits or nothing. The line has those who wait, each with a comma behind it: at most 16 of them, and it is forgotten
/// ten seconds after somebody last asked.
const GRANT: &str = r"
local seen = redis.call('MGET', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6])
if seen[3] ~= ARGV[4] or seen[4] or seen[5] then return -1 end
if seen[1] and seen[1] ~= ARGV[1] then
  if ARGV[6] ~= '' then
    local line = seen[6] or ''
    if #line < 272 and not string.find(line, ARGV[6], 1, true) then line = line .. ARGV[6] .. ',' end
    redis.call('SET', KEYS[6], line, 'PX', 10000)
  end
  return {1, tostring(redis.call('PTTL', KEYS[1])), seen[1]}
end
if (seen[2] or '') >= ARGV[3] then return {2, seen[2], ''} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[5])
if seen[6] and ARGV[6] ~= '' then
  local from, to = string.find(seen[6], ARGV[6] .. ',', 1, true)
  if from then
    local line = string.sub(seen[6], 1, from - 1) .. string.sub(seen[6], to + 1)
    if line == '' then redis.call('DEL', KEYS[6]) else redis.call('SET', KEYS[6], line, 'PX', 10000) end
  end
end
return 0
";

/// KEYS: vote, fence, marker, quarantine, shared fence, bar, readers. ARGV: owner, ttl, token, the token's microseconds, the
/// server's run id, max_ttl, retention, mode, the time of the bar, a token an hour before this one. Times in milliseconds. Tokens are decimal numbers of equal
/// length, compared as text, because a number in Lua has 53 bits.
///
/// A fence ahead of the server's clock by more than an hour would lock out everybody whose clock is right. The server's clock
/// need not be asked when the last token, which was held against it, is nearer than that. The readers are a
/// sorted set, by the time at which their votes end; where there is no shared fence there are none.
const ACQUIRE: &str = r"
local seen = redis.call('MGET', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6])
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
local alone = ARGV[8] == 'exclusive'
local stored, time, now = seen[2] or '', nil, 0
if seen[5] or not alone or stored < ARGV[10] then
  time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
if seen[5] then redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', now) end
if alone and seen[5] then
  local last = redis.call('ZREVRANGE', KEYS[7], 0, 0, 'WITHSCORES')
  if last[2] then
    local barred = seen[6] and redis.call('PTTL', KEYS[6]) or 0
    if tonumber(ARGV[9]) > barred then redis.call('SET', KEYS[6], '1', 'PX', ARGV[9]) end
    return {6, tostring(tonumber(last[2]) - now), ''}
  end
  if seen[5] > stored then stored = seen[5] end
end
if not alone and seen[6] and not redis.call('ZSCORE', KEYS[7], ARGV[1]) then
  return {6, tostring(redis.call('PTTL', KEYS[6])), ''}
end
if stored >= ARGV[3] then return {2, stored, ''} end
if time and tonumber(ARGV[4]) > (tonumber(time[1]) + 3600) * 1000000 then return {5, '0', ''} end
if alone then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[7])
  if seen[5] then redis.call('DEL', KEYS[5], KEYS[6], KEYS[7]) end
else
  redis.call('ZADD', KEYS[7], now + tonumber(ARGV[2]), ARGV[1])
  if redis.call('PTTL', KEYS[7]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[7], ARGV[2]) end
  local shared = seen[5] or ''
  if ARGV[3] > shared then shared = ARGV[3] end
  redis.call('SET', KEYS[5], shared, 'PX', ARGV[7])
  redis.call('PEXPIRE', KEYS[2], ARGV[7])
end
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

/// KEYS: vote, fence, shared fence, readers. ARGV: owner, ttl, retention.
const EXTEND: &str = r"
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
  return 1
end
local till = redis.call('ZSCORE', KEYS[4], ARGV[1])
if not till then return 0 end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if tonumber(till) <= now then return 0 end
redis.call('ZADD', KEYS[4], now + tonumber(ARGV[2]), ARGV[1])
if redis.call('PTTL', KEYS[4]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[4], ARGV[2]) end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
return 1
";

const EXTEND_ANY_OWNER: &str = r"
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
";

/// KEYS: vote, fence, channel, line, readers. ARGV: owner, token, retention, whether to wake, who waits on where the lock was or
/// nothing. What it tells on the channel is the token, and behind it who is named; it also returns who that is.
const RELEASE: &str = r"
local seen = redis.call('MGET', KEYS[1], KEYS[2], KEYS[4])
if seen[1] == ARGV[1] then
  if (seen[2] or '') < ARGV[2] then redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) end
  redis.call('DEL', KEYS[1])
  if ARGV[4] ~= '1' then return 1 end
  if not seen[3] then
    redis.call('PUBLISH', KEYS[3], ARGV[2])
    return 1
  end
  local line = seen[3]
  if ARGV[5] ~= '' and #line < 272 and not string.find(line, ARGV[5], 1, true) then line = line .. ARGV[5] .. ',' end
  local next, rest = string.sub(line, 1, 16), string.sub(line, 18)
  if rest == '' then redis.call('DEL', KEYS[4]) else redis.call('SET', KEYS[4], rest, 'PX', 10000) end
  if next == ARGV[5] then next = '' end
  redis.call('PUBLISH', KEYS[3], ARGV[2] .. next)
  return next == '' and 1 or next
end
local shared, others = false, 0
local till = redis.call('ZSCORE', KEYS[5], ARGV[1])
if till then
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  redis.call('ZREM', KEYS[5], ARGV[1])
  shared = tonumber(till) > now
  others = redis.call('ZCOUNT', KEYS[5], '(' .. now, '+inf')
end
local may_come = not (shared and ARGV[4] == '1')
if may_come and (seen[2] or '') < ARGV[2] then redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) end
if not shared then return 0 end
if ARGV[4] == '1' and others == 0 then redis.call('PUBLISH', KEYS[3], ARGV[2]) end
return 1
";

const RELEASE_PLAIN: &str = r"
local deleted = redis.call('DEL', KEYS[1])
if ARGV[4] == '1' then redis.call('PUBLISH', KEYS[3], ARGV[2]) end
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
    pub(super) grant: Script,
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
            grant: Script::new(GRANT),
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

    pub(super) fn of(&self, key: &str) -> LockKeys {
        // The braces keep the keys of one lock apart from those of all others, and together in one slot.
        let mut name = String::with_capacity(self.prefix.len() + key.len() + 3 + LONGEST_END);
        for part in [&self.prefix, ":{", key, "}"] {
            name.push_str(part);
        }
        LockKeys {
            vote: name.len(),
            name,
        }
    }
}

/// How long the end of a key is at most.
const LONGEST_END: usize = ":readers".len();

/// The names of one lock's keys, one after the other in the same place.
pub(super) struct LockKeys {
    name: String,
    vote: usize,
}

impl LockKeys {
    pub(super) fn vote(&mut self) -> &str {
        self.ending("")
    }

    pub(super) fn fence(&mut self) -> &str {
        self.ending(":fence")
    }

    pub(super) fn shared_fence(&mut self) -> &str {
        self.ending(":shared")
    }

    pub(super) fn bar(&mut self) -> &str {
        self.ending(":bar")
    }

    pub(super) fn readers(&mut self) -> &str {
        self.ending(":readers")
    }

    pub(super) fn line(&mut self) -> &str {
        self.ending(":line")
    }

    pub(super) fn channel(&mut self) -> &str {
        self.ending(":free")
    }

    fn ending(&mut self, end: &str) -> &str {
        self.name.truncate(self.vote);
        self.name.push_str(end);
        &self.name
    }
}
