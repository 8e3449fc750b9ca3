//! The changes of the records, each one script: the rules of the protocol in Lua.

use redis::Script;

/// KEYS: the root, the sequence, the records. ARGV[1]: the server's `run_id`. Reads all, and finds the generation if
/// nothing is lost. Numbers are below 2^53, of which Lua is exact.
const READ: &str = r"
local all = redis.call('MGET', unpack(KEYS))
local root, seq = all[1], all[2]
local gen, n
if root and seq and #root > 32 and #seq == 24 and root:sub(33) == ARGV[1] and root:sub(1, 16) == seq:sub(1, 16) then
  gen = root:sub(1, 16)
  n = struct.unpack('>I8', seq:sub(17, 24))
end
local function number(value) return struct.pack('>I8', value) end
local function is_record(t) return t and #t >= 32 and (#t - 32) % 24 == 0 end
";

/// ARGV: run_id, a new generation, the records' time to live, how a missing record is made (`new` or `last`), and for an
/// announcement its id and how long it lasts. Answers all values as they are now.
///
/// A value that lives for less than half its time is given the whole again, and no other: each such change is told to all
/// who listen.
const CAPTURE: &str = r"
local ttl = tonumber(ARGV[3])
local function write(key, value) redis.call('SET', key, value, 'PX', ttl) end
local function extend(key)
  if redis.call('PTTL', key) < ttl / 2 then redis.call('PEXPIRE', key, ttl) end
end
local begins = not gen
if begins then
  if ARGV[4] == 'last' then return {false, false} end
  gen, n = ARGV[2], 0
  root = gen .. number(0) .. number(0) .. ARGV[1]
  write(KEYS[1], root)
else
  extend(KEYS[1])
end
local bumped = false
local function next_number()
  if not bumped then n = n + 1; bumped = true end
  return number(n)
end
local now
local function is_open(deadline)
  if not now then
    local time = redis.call('TIME')
    now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  end
  return deadline > now
end
all[1] = root
for i = 3, #KEYS do
  local t = is_record(all[i]) and all[i] or ''
  local kept, expired = '', false
  for at = 33, #t, 24 do
    local id, deadline = t:sub(at, at + 15), struct.unpack('>I8', t:sub(at + 16, at + 23))
    if id ~= ARGV[5] then
      if is_open(deadline) then kept = kept .. t:sub(at, at + 23) else expired = true end
    end
  end
  if ARGV[5] then
    is_open(0)
    kept = kept .. ARGV[5] .. number(now + tonumber(ARGV[6]))
  end
  local new = t
  if t:sub(1, 16) ~= gen then
    local hard = ARGV[4] == 'last' and number(n) or next_number()
    new = gen .. hard .. number(0) .. kept
  elseif expired then
    new = gen .. next_number() .. t:sub(25, 32) .. kept
  else
    new = t:sub(1, 32) .. kept
  end
  if new ~= t then write(KEYS[i], new) else extend(KEYS[i]) end
  all[i] = new
end
all[2] = gen .. number(n)
if begins or bumped then write(KEYS[2], all[2]) else extend(KEYS[2]) end
return all
";

/// ARGV: run_id, `hard` or `soft`, whether everything, and for the end of a change its id. Answers how many of the tags had
/// a record.
const FORGET: &str = r"
local hard = ARGV[2] == 'hard'
local function marked(t)
  if hard then return t:sub(1, 16) .. number(n) .. t:sub(25) end
  return t:sub(1, 24) .. number(n) .. t:sub(33)
end
if gen then
  n = n + 1
  redis.call('SET', KEYS[2], gen .. number(n), 'KEEPTTL')
  if ARGV[3] == 'everything' then redis.call('SET', KEYS[1], marked(root), 'KEEPTTL') end
else
  redis.call('DEL', KEYS[1])
end
local known = 0
for i = 3, #KEYS do
  local t = all[i]
  if is_record(t) then
    local new = t
    if ARGV[4] then
      new = t:sub(1, 32)
      for at = 33, #t, 24 do
        if t:sub(at, at + 15) ~= ARGV[4] then new = new .. t:sub(at, at + 23) end
      end
    end
    if t:sub(1, 16) == gen then
      known = known + 1
      new = marked(new)
    end
    if new ~= t then redis.call('SET', KEYS[i], new, 'KEEPTTL') end
  end
end
return known
";

/// KEYS: the lease. ARGV: a token of 16 bytes, and how long the lease lasts. Answers -1 where it was taken, and else for how
/// long another has it, which is marked as waited for.
const TAKE_TURN: &str = r"
local held = redis.call('GET', KEYS[1])
if not held then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return -1
end
local left = redis.call('PTTL', KEYS[1])
if left < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) left = tonumber(ARGV[2]) end
if #held == 16 then redis.call('SET', KEYS[1], held .. 'w', 'KEEPTTL') end
return left
";

/// KEYS: the lease. ARGV: its token, and how long it lasts from now on.
const RENEW_TURN: &str = r"
local held = redis.call('GET', KEYS[1])
if held and held:sub(1, 16) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
";

/// KEYS: the lease. ARGV: its token, a channel and a message, for those who wait if any do. Where the lease is lost it is not
/// known whether any do.
const END_TURN: &str = r"
local held = redis.call('GET', KEYS[1])
if not held then
  redis.call('PUBLISH', ARGV[2], ARGV[3])
  return 0
end
if held:sub(1, 16) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
if #held > 16 then redis.call('PUBLISH', ARGV[2], ARGV[3]) end
return 1
";

/// The scripts as a server of one version takes them.
#[derive(Debug, Clone)]
pub(crate) struct Scripts {
    pub(crate) capture: Script,
    pub(crate) forget: Script,
    pub(crate) take_turn: Script,
    pub(crate) renew_turn: Script,
    pub(crate) end_turn: Script,
}

impl Scripts {
    /// For a server of the major `version`. From 7 on, a script may say that it is to run on a full server too: those that
    /// forget take no more memory than before.
    pub(crate) fn new(version: u32) -> Self {
        let full = if version >= 7 {
            "#!lua flags=allow-oom\n"
        } else {
            ""
        };
        let read = if cfg!(larder_mutant = "redis_ignores_run_id") {
            READ.replace("root:sub(33) == ARGV[1]", "true")
        } else {
            READ.to_owned()
        };
        let capture = if cfg!(larder_mutant = "redis_adopts_as_captured") {
            CAPTURE.replace(
                "ARGV[4] == 'last' and number(n)",
                "ARGV[4] == 'last' and number(0)",
            )
        } else {
            CAPTURE.to_owned()
        };
        Self {
            capture: Script::new(&format!("{read}{capture}")),
            forget: Script::new(&format!("{full}{read}{FORGET}")),
            take_turn: Script::new(TAKE_TURN),
            renew_turn: Script::new(RENEW_TURN),
            end_turn: Script::new(END_TURN),
        }
    }
}
