//! What this process knows of changes on the server without asking: for each group of records, how often it was told of
//! one; and up to when that is the whole truth.
//!
//! An entry is *proved* while its groups are as they were when its stamps were last read, and while the feed is alive:
//!
//! - The numbers of the groups are noted **before** the stamps are asked for. A change that the answer does not show is told
//!   of after the answer was made, and makes the number another than the one noted, whichever comes first.
//! - A group is a fixed share of all records, and every change counts, of a record that is known here or not. There is nothing
//!   to be dropped, and so nothing that could be told of in vain.
//! - The feed is alive while this process hears its own voice: it writes a key that it listens to, and what it hears proves
//!   that all was told that was changed before that was *sent*. This process's own monotonic clock counts, and no other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use xxhash_rust::xxh3::xxh3_64;

/// What was told so far.
#[derive(Debug)]
pub(crate) struct Board {
    groups: Box<[AtomicU64]>,
    /// Up to when all was told, in nanoseconds since `began`; 0 where nothing is known.
    proved: AtomicU64,
    began: Instant,
    /// The beat that was sent last and not heard yet, and by which connection.
    beat: Mutex<Option<(u64, u64)>>,
    up: AtomicBool,
    /// A hash of who the server is that is listened to.
    run: AtomicU64,
}

/// The groups of an entry's records, and their numbers when its stamps were last read.
#[derive(Debug)]
pub(crate) struct Proof(Box<[(usize, AtomicU64)]>);

/// The numbers of some groups at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Noted(Box<[(usize, u64)]>);

/// Groups: 32 KiB. With 100 changes a second and 8 records for each entry, an entry is asked about once in 5 s.
const GROUPS: usize = if cfg!(test) { 2 } else { 1 << 12 };

impl Board {
    pub(crate) fn new() -> Self {
        Self {
            groups: (0..GROUPS).map(|_| AtomicU64::new(0)).collect(),
            proved: AtomicU64::new(0),
            began: Instant::now(),
            beat: Mutex::default(),
            up: AtomicBool::new(false),
            run: AtomicU64::new(0),
        }
    }

    fn group(key: &[u8]) -> usize {
        #[allow(clippy::cast_possible_truncation, reason = "any of its bits choose a group")]
        {
            xxh3_64(key) as usize % GROUPS
        }
    }

    /// A proof of nothing, for a record under each of `keys`.
    pub(crate) fn no_proof<K: AsRef<[u8]>>(keys: impl IntoIterator<Item = K>) -> Proof {
        let groups = keys.into_iter().map(|key| Self::group(key.as_ref()));
        Proof(groups.map(|group| (group, AtomicU64::new(u64::MAX))).collect())
    }

    /// The numbers of a proof's groups now.
    pub(crate) fn note_again(&self, proof: &Proof) -> Noted {
        Noted(
            proof
                .0
                .iter()
                .map(|(group, _)| (*group, self.number(*group)))
                .collect(),
        )
    }

    /// The numbers of the groups of `keys` now: before the stamps are asked for.
    pub(crate) fn note<K: AsRef<[u8]>>(&self, keys: impl IntoIterator<Item = K>) -> Noted {
        let groups = keys.into_iter().map(|key| Self::group(key.as_ref()));
        Noted(groups.map(|group| (group, self.number(group))).collect())
    }

    fn number(&self, group: usize) -> u64 {
        self.groups[group].load(Ordering::SeqCst)
    }

    /// The record under `key` was changed, deleted, evicted, or has expired.
    pub(crate) fn changed(&self, key: &[u8]) {
        self.groups[Self::group(key)].fetch_add(1, Ordering::SeqCst);
    }

    /// Anything may have changed.
    pub(crate) fn all_changed(&self) {
        for group in &self.groups {
            group.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// From now on nothing is told: nothing is proved, and nothing that was is again. Answers whether anything could be.
    pub(crate) fn lapse(&self) -> bool {
        let mut awaited = self.awaited();
        *awaited = None;
        self.proved.store(0, Ordering::SeqCst);
        let was_up = self.up.swap(false, Ordering::SeqCst);
        drop(awaited);
        self.all_changed();
        was_up
    }

    fn nanos(&self, at: Instant) -> u64 {
        // Never 0, which is nothing.
        u64::try_from(at.saturating_duration_since(self.began).as_nanos())
            .unwrap_or(u64::MAX)
            .max(1)
    }

    /// The server with this hash is listened to.
    pub(crate) fn listens_to(&self, run: u64) {
        self.run.store(run, Ordering::SeqCst);
    }

    /// Whether it is the server with this hash that is listened to.
    pub(crate) fn is_listening_to(&self, run: u64) -> bool {
        self.run.load(Ordering::SeqCst) == run
    }

    /// A beat is sent at `now` over the connection with this number. One at a time: its echo must not be taken for that of
    /// another.
    pub(crate) fn beats(&self, connection: u64, now: Instant) {
        *self.awaited() = Some((connection, self.nanos(now)));
    }

    /// The beat was heard on the connection with this number. Answers how long after it was sent.
    pub(crate) fn hears_itself(&self, connection: u64) -> Option<Duration> {
        // Under the lock, so that a lapse comes before all of it or after.
        let mut awaited = self.awaited();
        let (_, beat) = awaited.take_if(|(sender, _)| *sender == connection)?;
        self.proved.store(beat, Ordering::SeqCst);
        self.up.store(true, Ordering::SeqCst);
        let now = self.nanos(Instant::now());
        Some(Duration::from_nanos(now.saturating_sub(beat)))
    }

    /// Whether the server was heard since the last lapse.
    pub(crate) fn is_up(&self) -> bool {
        self.up.load(Ordering::SeqCst)
    }

    /// Whether a beat was sent and is not heard yet.
    pub(crate) fn is_awaiting(&self) -> bool {
        self.awaited().is_some()
    }

    fn awaited(&self) -> MutexGuard<'_, Option<(u64, u64)>> {
        self.beat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether all changes that were made known more than `bound` before `now` have been told, and none was of the entry
    /// with this proof.
    pub(crate) fn proves(&self, proof: &Proof, now: Instant, bound: Duration) -> bool {
        // First up to when the truth is known, and then what it is: what is told in between is seen.
        let proved = self.proved.load(Ordering::SeqCst);
        let bound = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        let recent = self.nanos(now) <= proved.saturating_add(bound);
        let alive = proved > 0 && (recent || cfg!(larder_mutant = "redis_feed_without_heartbeat"));
        alive
            && proof
                .0
                .iter()
                .all(|(group, number)| self.number(*group) == number.load(Ordering::SeqCst))
    }
}

impl Proof {
    /// The stamps were read, and allowed the entry, after its groups had been noted. Two that do so at once may each leave
    /// some numbers: each of them is a proof of its own group.
    pub(crate) fn renew(&self, noted: &Noted) {
        for (group, number) in &self.0 {
            if let Some((_, noted)) = noted.0.iter().find(|(other, _)| other == group) {
                number.store(*noted, Ordering::SeqCst);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// What is wrong with the listening.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Flaw {
        None,
        /// The groups are noted when the answer is there: an install after the await.
        NotesLate,
        /// What was proved once is proved for good: no heartbeat.
        NoHeartbeat,
        /// Any answer of the server is a sign of life: a `PING`.
        PongIsEnough,
        /// A beat proves that all was told up to when it was heard, not up to when it was sent.
        CountsFromHearing,
        /// A lost connection is not noticed, or puts nothing in doubt when there is another.
        NoLapse,
        /// A message that names no key is no message: `FLUSHALL`.
        IgnoresFlush,
        /// A record that changed is dropped from the board, and counted from the beginning when it is asked for again.
        DropsTheTag,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    enum Told {
        Changed,
        All,
        Beat(u64),
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    enum Wire {
        Up,
        /// Open on both sides, and nothing comes through any more.
        Half,
        Down,
    }

    /// One record, one entry that shows it as it was at first, one fill that reads its stamp, one writer.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    struct World {
        now: u64,
        changed: bool,
        done: Option<u64>,
        wire: Wire,
        connection: u64,
        faults: u8,
        told: [Option<Told>; 4],
        noted: Option<(u64, u64)>,
        seen: Option<bool>,
        write: u8,
        fills: u8,
        // The board and the proof, as plain numbers.
        number: u64,
        proved: u64,
        awaited: Option<(u64, u64)>,
        up: bool,
        proof: u64,
    }

    const BOUND: u64 = 2;
    const LAST: u64 = 6;
    const KEY: &[u8] = b"record";

    impl World {
        const START: Self = Self {
            now: 1,
            changed: false,
            done: None,
            wire: Wire::Up,
            connection: 1,
            faults: 0,
            told: [None; 4],
            noted: None,
            seen: None,
            write: 0,
            fills: 0,
            number: 0,
            proved: 0,
            awaited: None,
            up: false,
            proof: u64::MAX,
        };

        /// The board that these numbers are of, and the proof.
        fn board(&self) -> (Board, Proof) {
            let board = Board::new();
            board
                .groups
                .iter()
                .for_each(|group| group.store(self.number, Ordering::SeqCst));
            board.proved.store(self.proved, Ordering::SeqCst);
            board.up.store(self.up, Ordering::SeqCst);
            *board.awaited() = self.awaited;
            let proof = Board::no_proof([KEY]);
            proof.0[0].1.store(self.proof, Ordering::SeqCst);
            (board, proof)
        }

        /// The same after `change` was made to board and proof: one second is one step of time.
        fn with(mut self, change: impl FnOnce(&Board, &Proof, Instant)) -> Self {
            let (board, proof) = self.board();
            let now = board.began + Duration::from_secs(self.now);
            change(&board, &proof, now);
            self.number = board.number(Board::group(KEY));
            self.proved = board.proved.load(Ordering::SeqCst);
            self.up = board.up.load(Ordering::SeqCst);
            self.awaited = *board.awaited();
            self.proof = proof.0[0].1.load(Ordering::SeqCst);
            self
        }

        fn tell(mut self, what: Told) -> Option<Self> {
            if self.wire == Wire::Up {
                *self.told.iter_mut().find(|place| place.is_none())? = Some(what);
            }
            Some(self)
        }

        fn next(self, flaw: Flaw) -> Vec<Self> {
            let mut all = vec![
                self.writes(),
                self.fills(flaw),
                self.beats(flaw),
                self.hears(flaw),
            ];
            all.push((self.now < LAST).then_some(Self {
                now: self.now + 1,
                ..self
            }));
            if self.faults == 0 {
                let told = [None; 4];
                all.push(Some(Self {
                    wire: Wire::Half,
                    told,
                    faults: 1,
                    ..self
                }));
                all.push(Some(Self {
                    wire: Wire::Down,
                    told,
                    faults: 1,
                    ..self
                }));
            }
            if self.wire == Wire::Down {
                let again = Self {
                    wire: Wire::Up,
                    connection: self.connection + 1,
                    ..self
                };
                all.push(Some(if flaw == Flaw::NoLapse {
                    again
                } else {
                    again.with(|board, _, _| {
                        board.lapse();
                    })
                }));
            }
            all.into_iter().flatten().collect()
        }

        /// Forgets the record, by name or with all others; says so.
        fn writes(self) -> Option<Self> {
            let changed = Self {
                changed: true,
                write: self.write + 1,
                ..self
            };
            match self.write {
                0 => changed.tell(if self.faults == 0 {
                    Told::All
                } else {
                    Told::Changed
                }),
                1 => Some(Self {
                    done: Some(self.now),
                    write: 2,
                    ..self
                }),
                _ => None,
            }
        }

        /// Notes, asks, and takes the answer: twice.
        fn fills(self, flaw: Flaw) -> Option<Self> {
            let note = |board: &Board| board.note([KEY]).0[0];
            let group = Board::group(KEY) as u64;
            match (self.noted, self.seen) {
                _ if self.fills == 2 => None,
                (None, _) => {
                    let mut number = 0;
                    let next = self.with(|board, _, _| number = note(board).1);
                    Some(Self {
                        noted: Some((group, number)),
                        ..next
                    })
                }
                (Some(_), None) => Some(Self {
                    seen: Some(self.changed),
                    ..self
                }),
                (Some((_, number)), Some(changed)) => {
                    let next = Self {
                        noted: None,
                        seen: None,
                        fills: self.fills + 1,
                        ..self
                    };
                    Some(next.with(|board, proof, _| {
                        let number = if flaw == Flaw::NotesLate {
                            note(board).1
                        } else {
                            number
                        };
                        if !changed {
                            proof.renew(&Noted([(Board::group(KEY), number)].into()));
                        }
                    }))
                }
            }
        }

        fn beats(self, flaw: Flaw) -> Option<Self> {
            if self.awaited.is_some() {
                return None;
            }
            let connection = self.connection;
            let beating = self.with(|board, _, now| board.beats(connection, now));
            if flaw == Flaw::PongIsEnough && self.wire != Wire::Down {
                // Whoever is in between answers, or a connection of its own is used for it.
                return Some(beating.with(|board, _, _| {
                    board.hears_itself(connection);
                }));
            }
            beating.tell(Told::Beat(connection))
        }

        fn hears(mut self, flaw: Flaw) -> Option<Self> {
            let first = self.told[0]?;
            self.told.rotate_left(1);
            self.told[3] = None;
            Some(match first {
                Told::All if flaw == Flaw::IgnoresFlush => self,
                Told::All | Told::Changed if flaw == Flaw::DropsTheTag => Self { number: 0, ..self },
                Told::All => self.with(|board, _, _| board.all_changed()),
                Told::Changed => self.with(|board, _, _| board.changed(KEY)),
                Told::Beat(connection) => {
                    let mut next = self.with(|board, _, _| {
                        board.hears_itself(connection);
                    });
                    if flaw == Flaw::CountsFromHearing {
                        next.proved = self.now * 1_000_000_000;
                    }
                    next
                }
            })
        }

        fn proves(&self, flaw: Flaw) -> bool {
            let (board, proof) = self.board();
            let bound = if flaw == Flaw::NoHeartbeat { LAST } else { BOUND };
            let now = board.began + Duration::from_secs(self.now);
            board.proves(&proof, now, Duration::from_secs(bound))
        }
    }

    /// Every order of steps and faults: whether anything is proved too late, how many states there are, and in how many of
    /// them a hit asks nobody.
    fn search(flaw: Flaw) -> (bool, usize, usize) {
        let (mut seen, mut stack, mut hits) = (HashSet::new(), vec![World::START], 0);
        while let Some(world) = stack.pop() {
            if !seen.insert(world) {
                continue;
            }
            if world.proves(flaw) {
                hits += 1;
                if world.done.is_some_and(|done| world.now > done + BOUND) {
                    return (true, seen.len(), hits);
                }
            }
            stack.extend(world.next(flaw));
        }
        (false, seen.len(), hits)
    }

    #[test]
    fn nothing_is_proved_longer_than_the_bound_after_a_change_was_made_known() {
        let (stale, states, hits) = search(Flaw::None);
        println!("{states} states, {hits} with a hit");
        assert!(!stale && states > 1_000 && hits > 100, "{stale} {states} {hits}");
    }

    #[test]
    fn each_flaw_of_the_listening_is_found() {
        for flaw in [
            Flaw::NotesLate,
            Flaw::NoHeartbeat,
            Flaw::PongIsEnough,
            Flaw::CountsFromHearing,
            Flaw::NoLapse,
            Flaw::IgnoresFlush,
            Flaw::DropsTheTag,
        ] {
            let (stale, states, _) = search(flaw);
            assert!(stale, "{flaw:?} was not found in {states} states");
        }
    }
}
