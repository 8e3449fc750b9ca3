//! The rules of a node as a plain data structure: each call is one atomic step, with the time as an argument.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::name::LockMode;
use crate::node::{Acquire, Extend, Extension, Release, Removal, Vote};
use crate::token::{FencingToken, Owner, Waiter};

/// How long a token is remembered after the last grant or extension. Far above any difference between clocks, because
/// tokens begin with the time.
pub(crate) const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// How many of those who wait for a lock a node remembers.
pub(crate) const LINE: usize = 16;

/// How many locks a table has before it first looks for those that can be forgotten.
const FIRST_SWEEP: usize = 1024;

/// The state of one node, and the rules by which it changes.
///
/// [`MemoryNode`](crate::MemoryNode) is one of these behind a mutex, and the scripts of the node on Redis say the same in
/// Lua. It is public for those who write a node, or a simulated one. Times are measured from any fixed moment, by the
/// node's own clock, which must not go backwards.
///
/// ```
/// use std::time::Duration;
/// use larder_lock::{Acquire, FencingToken, LockTable, Owner, Vote};
///
/// let mut table = LockTable::new();
/// let (now, ttl) = (Duration::ZERO, Duration::from_secs(5));
/// let request = |owner, token| {
///     Acquire::new("payment:1", Owner::from_bytes([owner; 20]), FencingToken::from_u64(token), ttl)
/// };
/// assert_eq!(table.acquire(&request(1, 10), now), Vote::Granted);
/// assert!(matches!(table.acquire(&request(2, 20), now), Vote::Held { .. }));
/// assert_eq!(table.acquire(&request(2, 20), now + ttl), Vote::Granted);
/// ```
#[derive(Debug, Clone)]
pub struct LockTable {
    slots: HashMap<Arc<str>, Slot>,
    quarantined_until: Duration,
    sweep_at: usize,
}

#[derive(Debug, Clone)]
struct Slot {
    vote: Option<Held>,
    /// The shared votes. Never beside `vote`, but that some of both may have run out.
    readers: Vec<Held>,
    /// No shared votes are given until then.
    barred_until: Duration,
    /// The highest token granted exclusively.
    token: FencingToken,
    /// The highest token granted to a shared vote since.
    shared_token: FencingToken,
    token_until: Duration,
    /// Those who wait, in the order in which they came. Nothing but a hint.
    line: VecDeque<Waiter>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    owner: Owner,
    until: Duration,
}

impl Held {
    fn of(request: &Acquire, now: Duration) -> Self {
        Self {
            owner: request.owner,
            until: now + request.ttl,
        }
    }
}

impl LockTable {
    /// An empty table that votes at once: for a node that has never voted before.
    #[must_use]
    pub fn new() -> Self {
        Self::quarantined_until(Duration::ZERO)
    }

    /// An empty table that does not vote before `until`: for a node that may have forgotten votes.
    #[must_use]
    pub fn quarantined_until(until: Duration) -> Self {
        let until = if cfg!(larder_mutant = "lock_no_quarantine") {
            Duration::ZERO
        } else {
            until
        };
        Self {
            slots: HashMap::new(),
            quarantined_until: until,
            sweep_at: FIRST_SWEEP,
        }
    }

    /// One vote, as [`LockNode::acquire`](crate::LockNode::acquire).
    pub fn acquire(&mut self, request: &Acquire, now: Duration) -> Vote {
        if now < self.quarantined_until {
            return Vote::Quarantined {
                remaining: self.quarantined_until - now,
            };
        }
        self.sweep(now);
        let slot = self.slots.entry(Arc::clone(&request.key)).or_insert(Slot::EMPTY);
        slot.readers.retain(|held| now < held.until);
        if let Some(held) = slot.vote_at(now).filter(|held| held.owner != request.owner) {
            slot.line_up(request.waiter);
            return Vote::Held {
                holder: held.owner,
                remaining: held.until - now,
            };
        }
        match request.mode {
            LockMode::Exclusive => slot.vote_alone(request, now),
            LockMode::Shared => slot.vote_among_others(request, now),
        }
    }

    /// One extension, as [`LockNode::extend`](crate::LockNode::extend).
    pub fn extend(&mut self, request: &Extend, now: Duration) -> Extension {
        let any_owner = cfg!(larder_mutant = "lock_extend_any_owner");
        let Some(slot) = self.slots.get_mut(&request.key) else {
            return Extension::NotOwner;
        };
        let vote = slot.vote.iter_mut().chain(&mut slot.readers);
        let mut valid = vote.filter(|held| now < held.until);
        match valid.find(|held| held.owner == request.owner || any_owner) {
            Some(held) => {
                held.until = now + request.ttl;
                slot.remember(slot.token, now);
                Extension::Extended
            }
            None => Extension::NotOwner,
        }
    }

    /// One release, as [`LockNode::release`](crate::LockNode::release).
    pub fn release(&mut self, request: &Release, now: Duration) -> Removal {
        let plain = cfg!(larder_mutant = "lock_plain_del");
        let slot = self.slots.entry(Arc::clone(&request.key)).or_insert(Slot::EMPTY);
        slot.readers.retain(|held| now < held.until);
        let shared = slot.readers.len();
        slot.readers.retain(|held| held.owner != request.owner);
        let was_shared = slot.readers.len() < shared;
        // An acquisition with this token that is still on its way is refused from now on.
        let may_come = !(was_shared && request.wake);
        if may_come && request.token > slot.token_at(now) {
            slot.remember(request.token, now);
        }
        match slot.vote_at(now) {
            Some(held) if held.owner == request.owner || plain => {
                slot.vote = None;
                let next = request.wake.then(|| slot.next_in_line(request.waiter)).flatten();
                next.map_or(Removal::Removed, |to| Removal::PassedOn { to })
            }
            _ if was_shared => Removal::Removed,
            _ => Removal::NotOwner,
        }
    }

    /// Who holds the node's vote for a lock, and for how long it does; of several who share it, the one who does longest.
    #[must_use]
    pub fn holder(&self, key: &str, now: Duration) -> Option<(Owner, Duration)> {
        let votes = self.votes(key, now);
        votes
            .map(|(owner, _, left)| (owner, left))
            .max_by_key(|(_, left)| *left)
    }

    /// All votes that the node has given for a lock: who has them, in which mode, and for how long. One at most is exclusive,
    /// and has no other beside it.
    pub fn votes(&self, key: &str, now: Duration) -> impl Iterator<Item = (Owner, LockMode, Duration)> {
        let slot = self.slots.get(key);
        let alone = slot.into_iter().flat_map(|slot| &slot.vote);
        let shared = slot.into_iter().flat_map(|slot| &slot.readers);
        alone
            .map(|held| (held, LockMode::Exclusive))
            .chain(shared.map(|held| (held, LockMode::Shared)))
            .filter(move |(held, _)| now < held.until)
            .map(move |(held, mode)| (held.owner, mode, held.until - now))
    }

    /// The highest token that was granted for a lock, as far as the node remembers.
    #[must_use]
    pub fn token(&self, key: &str, now: Duration) -> Option<FencingToken> {
        let slot = self.slots.get(key)?;
        let stored = slot.token_at(now).max(slot.shared_token_at(now));
        (stored > FencingToken::UNFENCED).then_some(stored)
    }

    /// Forgets old tokens once in a while, so that the table does not grow with every id that was ever locked.
    fn sweep(&mut self, now: Duration) {
        if self.slots.len() < self.sweep_at {
            return;
        }
        self.slots
            .retain(|_, slot| now < slot.token_until || slot.is_held_at(now));
        self.sweep_at = (self.slots.len() * 2).max(FIRST_SWEEP);
    }
}

impl Default for LockTable {
    fn default() -> Self {
        Self::new()
    }
}

impl Slot {
    const EMPTY: Self = Self {
        vote: None,
        readers: Vec::new(),
        barred_until: Duration::ZERO,
        token: FencingToken::UNFENCED,
        shared_token: FencingToken::UNFENCED,
        token_until: Duration::ZERO,
        line: VecDeque::new(),
    };

    fn line_up(&mut self, waiter: Option<Waiter>) {
        if let Some(waiter) = waiter
            && self.line.len() < LINE
            && !self.line.contains(&waiter)
        {
            self.line.push_back(waiter);
        }
    }

    /// The first in line but for `own`, who waits on where the lock was and goes to the end.
    fn next_in_line(&mut self, own: Option<Waiter>) -> Option<Waiter> {
        self.line_up(own);
        let next = self.line.pop_front();
        next.filter(|next| Some(*next) != own)
    }

    /// The vote for one who wants it alone, and whom no other vote stands in the way of but shared ones.
    fn vote_alone(&mut self, request: &Acquire, now: Duration) -> Vote {
        let last = self.readers.iter().map(|held| held.until).max();
        if let Some(until) = last.filter(|_| !cfg!(larder_mutant = "lock_readers_ignored")) {
            self.barred_until = self.barred_until.max(now + request.bar);
            return Vote::Taken {
                remaining: until - now,
            };
        }
        let stored = self.token_at(now).max(self.shared_token_at(now));
        if request.token <= stored && !cfg!(larder_mutant = "lock_fence_unchecked") {
            return Vote::Outdated { stored };
        }
        self.vote = Some(Held::of(request, now));
        self.line.retain(|waiter| Some(*waiter) != request.waiter);
        self.barred_until = Duration::ZERO;
        self.shared_token = FencingToken::UNFENCED;
        self.remember(request.token.max(stored), now);
        Vote::Granted
    }

    /// The vote for one who shares it, and whom no exclusive vote stands in the way of.
    fn vote_among_others(&mut self, request: &Acquire, now: Duration) -> Vote {
        let is_there = self.readers.iter().any(|held| held.owner == request.owner);
        if now < self.barred_until && !is_there {
            return Vote::Taken {
                remaining: self.barred_until - now,
            };
        }
        let stored = self.token_at(now);
        if request.token <= stored && !cfg!(larder_mutant = "lock_fence_unchecked") {
            return Vote::Outdated { stored };
        }
        self.readers.retain(|held| held.owner != request.owner);
        self.readers.push(Held::of(request, now));
        self.shared_token = self.shared_token_at(now).max(request.token);
        self.remember(stored, now);
        Vote::Granted
    }

    fn is_held_at(&self, now: Duration) -> bool {
        self.vote.iter().chain(&self.readers).any(|held| now < held.until)
    }

    fn vote_at(&self, now: Duration) -> Option<Held> {
        self.vote.filter(|held| now < held.until)
    }

    fn token_at(&self, now: Duration) -> FencingToken {
        if now < self.token_until {
            self.token
        } else {
            FencingToken::UNFENCED
        }
    }

    fn shared_token_at(&self, now: Duration) -> FencingToken {
        if now < self.token_until {
            self.shared_token
        } else {
            FencingToken::UNFENCED
        }
    }

    fn remember(&mut self, token: FencingToken, now: Duration) {
        self.token = token;
        self.token_until = now + RETENTION;
    }
}
