//! Records in this process.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use larder_lock::{FencingToken, Owner};
use larder_store::{Clock, Timestamp};

use crate::error::{RecordsError, RecordsErrorKind};
use crate::records::{
    Claim, Claimed, Fingerprint, Finish, Hold, Record, RecordKey, RecordState, Records, RecordsFuture,
    Release, Renewal, Spend, Spent,
};
use crate::result::RunResult;

/// What a record takes beside its result, in bytes: it stands in a map and in an order, which have room to spare.
const RECORD: usize = 512;

/// What a nonce takes, in bytes.
const NONCE: usize = 256;

/// [`Records`] in this process: for tests, and for services with one instance that need not remember over a restart.
///
/// What it holds is bounded in bytes. When that is full, what has ended its retention makes room; nothing else does, so
/// that claims and nonces are refused. Clones share what they hold.
#[derive(Clone)]
pub struct MemoryRecords {
    table: Arc<Mutex<Table>>,
    clock: Clock,
    capacity: usize,
}

struct Table {
    entries: HashMap<RecordKey, Entry>,
    /// The keys by the end of their retention.
    ends: BTreeSet<(Timestamp, RecordKey)>,
    bytes: usize,
    capacity: usize,
    since: Timestamp,
}

struct Entry {
    end: Timestamp,
    bytes: usize,
    kind: Kind,
}

enum Kind {
    Nonce,
    Operation(Box<Operation>),
}

struct Operation {
    fingerprint: Fingerprint,
    owner: Owner,
    token: FencingToken,
    lease_end: Timestamp,
    result: Option<RunResult>,
}

impl MemoryRecords {
    /// Records of at most `bytes`, by the machine's clock. A record takes 512 bytes and what its response has; a nonce takes
    /// 256 bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self::with_clock(bytes, Clock::system())
    }

    /// The same by another clock.
    #[must_use]
    pub fn with_clock(bytes: usize, clock: Clock) -> Self {
        let table = Table {
            entries: HashMap::new(),
            ends: BTreeSet::new(),
            bytes: 0,
            capacity: bytes,
            since: clock.now(),
        };
        Self {
            table: Arc::new(Mutex::new(table)),
            clock,
            capacity: bytes,
        }
    }

    /// How many bytes are taken.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.table(self.clock.now()).bytes
    }

    /// What is held now.
    fn table(&self, now: Timestamp) -> MutexGuard<'_, Table> {
        // Consistent at every point at which a panic can come.
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.drop_ended(now);
        table
    }

    fn claimed(&self, claim: &Claim) -> Result<Claimed, RecordsError> {
        let now = self.clock.now();
        let mut table = self.table(now);
        if let Some(operation) = table.operation(&claim.key) {
            let taken_over = claim.take_over == Some(operation.token) && claim.token > operation.token;
            let lost = operation.result.is_none() && operation.lease_end <= now;
            if !(lost && taken_over) {
                return Ok(Claimed::Found(operation.record(now)));
            }
            table.remove(&claim.key);
        }
        let operation = Operation {
            fingerprint: claim.fingerprint,
            owner: claim.owner,
            token: claim.token,
            lease_end: after(now, claim.lease),
            result: None,
        };
        table.insert(
            claim.key,
            after(now, claim.retention),
            Kind::Operation(Box::new(operation)),
        )?;
        Ok(Claimed::Granted)
    }

    fn renewed(&self, renewal: &Renewal) -> Hold {
        let now = self.clock.now();
        let mut table = self.table(now);
        match table.owned(&renewal.key, &renewal.owner) {
            Some(operation) if operation.result.is_none() => {
                operation.lease_end = after(now, renewal.lease);
                table.keep_until(&renewal.key, after(now, renewal.retention));
                Hold::Held
            }
            _ => Hold::Gone,
        }
    }

    fn finished(&self, finish: &Finish) -> Hold {
        let now = self.clock.now();
        let mut table = self.table(now);
        let room = table.capacity.saturating_sub(table.bytes);
        let Some(operation) = table.owned(&finish.key, &finish.owner) else {
            return Hold::Gone;
        };
        if operation.result.is_some() {
            return Hold::Held;
        }
        let wanted = size(&finish.result);
        let (result, bytes) = if wanted <= room {
            (finish.result.clone(), wanted)
        } else {
            (finish.result.without_room(), 0)
        };
        operation.result = Some(result);
        table.grow(&finish.key, bytes);
        table.keep_until(&finish.key, after(now, finish.retention));
        Hold::Held
    }

    fn released(&self, release: &Release) -> Hold {
        let mut table = self.table(self.clock.now());
        match table.owned(&release.key, &release.owner) {
            Some(operation) if operation.result.is_none() => {
                table.remove(&release.key);
                Hold::Held
            }
            _ => Hold::Gone,
        }
    }

    fn spent(&self, spend: &Spend) -> Result<Spent, RecordsError> {
        let now = self.clock.now();
        let mut table = self.table(now);
        let fresh = !table.entries.contains_key(&spend.nonce);
        if fresh {
            table.insert(spend.nonce, after(now, spend.retention), Kind::Nonce)?;
        }
        let since = table.since;
        Ok(Spent { fresh, since })
    }
}

impl Records for MemoryRecords {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn claim<'a>(&'a self, claim: &'a Claim) -> RecordsFuture<'a, Claimed> {
        Box::pin(async { self.claimed(claim) })
    }

    fn renew<'a>(&'a self, renewal: &'a Renewal) -> RecordsFuture<'a, Hold> {
        Box::pin(async { Ok(self.renewed(renewal)) })
    }

    fn finish<'a>(&'a self, finish: &'a Finish) -> RecordsFuture<'a, Hold> {
        Box::pin(async { Ok(self.finished(finish)) })
    }

    fn release<'a>(&'a self, release: &'a Release) -> RecordsFuture<'a, Hold> {
        // A claim is granted before its future is ready, or never: none is yet to arrive.
        Box::pin(async { Ok(self.released(release)) })
    }

    fn spend<'a>(&'a self, spend: &'a Spend) -> RecordsFuture<'a, Spent> {
        Box::pin(async { self.spent(spend) })
    }
}

impl Table {
    fn drop_ended(&mut self, now: Timestamp) {
        while let Some((end, key)) = self.ends.first().copied() {
            if end > now {
                break;
            }
            self.remove(&key);
        }
    }

    fn operation(&self, key: &RecordKey) -> Option<&Operation> {
        match &self.entries.get(key)?.kind {
            Kind::Operation(operation) => Some(operation),
            Kind::Nonce => None,
        }
    }

    fn owned(&mut self, key: &RecordKey, owner: &Owner) -> Option<&mut Operation> {
        match &mut self.entries.get_mut(key)?.kind {
            Kind::Operation(operation) if operation.owner == *owner => Some(operation),
            _ => None,
        }
    }

    fn insert(&mut self, key: RecordKey, end: Timestamp, kind: Kind) -> Result<(), RecordsError> {
        let bytes = match kind {
            Kind::Nonce => NONCE,
            Kind::Operation(_) => RECORD,
        };
        if self.bytes + bytes > self.capacity {
            return Err(RecordsError::new(
                RecordsErrorKind::Full,
                format!("the {} bytes for records are taken", self.capacity),
            ));
        }
        self.bytes += bytes;
        self.ends.insert((end, key));
        let entry = Entry { end, bytes, kind };
        self.entries.insert(key, entry);
        Ok(())
    }

    fn remove(&mut self, key: &RecordKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.ends.remove(&(entry.end, *key));
            self.bytes -= entry.bytes;
        }
    }

    fn grow(&mut self, key: &RecordKey, by: usize) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.bytes += by;
            self.bytes += by;
        }
    }

    fn keep_until(&mut self, key: &RecordKey, end: Timestamp) {
        if let Some(entry) = self.entries.get_mut(key) {
            self.ends.remove(&(entry.end, *key));
            entry.end = end;
            self.ends.insert((end, *key));
        }
    }
}

impl Operation {
    fn record(&self, now: Timestamp) -> Record {
        let state = match &self.result {
            Some(result) => RecordState::Finished(result.clone()),
            None if self.lease_end > now => RecordState::Running {
                remaining: self.lease_end.since(now),
            },
            None => RecordState::Lost { token: self.token },
        };
        Record {
            fingerprint: self.fingerprint,
            state,
        }
    }
}

impl fmt::Debug for MemoryRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRecords")
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

fn after(now: Timestamp, time: Duration) -> Timestamp {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_add(millis))
}

/// What a result takes, in bytes.
fn size(result: &RunResult) -> usize {
    match result {
        RunResult::Response(response) => response.body.len() + head(&response.headers),
        RunResult::NotKept { .. } => 0,
    }
}

/// What the lines of `headers` take in a map of headers, in bytes.
fn head(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 128)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::random;
    use crate::result::KeptResponse;
    use bytes::Bytes;
    use http::StatusCode;
    use larder_store::FakeClock;

    const HOUR: Duration = Duration::from_secs(3600);

    fn claim(number: u8) -> Claim {
        Claim::new(
            RecordKey::from_bytes([number; 32]),
            Fingerprint::from_bytes([0; 32]),
            Owner::from_bytes(random()),
            FencingToken::from_u64(1),
            HOUR,
            HOUR,
        )
    }

    fn response(bytes: usize) -> RunResult {
        RunResult::Response(KeptResponse {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::from(vec![0; bytes]),
        })
    }

    #[test]
    fn a_full_memory_refuses_and_what_ended_makes_room() {
        let clock = FakeClock::new();
        let records = MemoryRecords::with_clock(2 * RECORD + 100, clock.clock());
        assert_eq!(records.claimed(&claim(1)).unwrap(), Claimed::Granted);
        clock.advance(HOUR / 2);
        let second = claim(2);
        assert_eq!(records.claimed(&second).unwrap(), Claimed::Granted);
        let refused = records.claimed(&claim(3)).unwrap_err();
        assert_eq!(refused.kind(), RecordsErrorKind::Full);
        let spend = Spend::new(RecordKey::from_bytes([9; 32]), HOUR, clock.clock().now());
        assert_eq!(records.spent(&spend).unwrap_err().kind(), RecordsErrorKind::Full);
        clock.advance(HOUR / 2);
        assert!(records.spent(&spend).unwrap().fresh);
        // The one that is held is still there, and its result has 356 bytes.
        assert_eq!(records.finished(&Finish::of(&second, response(357))), Hold::Held);
        let Claimed::Found(record) = records.claimed(&second).unwrap() else {
            panic!("it is there")
        };
        assert_eq!(record.state, RecordState::Finished(response(0).without_room()));
        assert_eq!(records.bytes(), RECORD + NONCE);
    }

    #[test]
    fn results_count_and_what_ended_leaves_nothing() {
        let clock = FakeClock::new();
        let records = MemoryRecords::with_clock(10_000, clock.clock());
        let first = claim(1);
        records.claimed(&first).unwrap();
        assert_eq!(records.finished(&Finish::of(&first, response(500))), Hold::Held);
        assert_eq!(records.finished(&Finish::of(&first, response(500))), Hold::Held);
        assert_eq!(records.bytes(), RECORD + 500);
        clock.advance(HOUR);
        assert_eq!(records.bytes(), 0);
        assert!(records.table.lock().unwrap().ends.is_empty());
    }
}
