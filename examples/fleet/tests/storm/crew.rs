//! Those who read and write while the storm is on, and what they saw.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fleet::{Page, ROWS, Truth};
use http::Method;
use larder_testkit::history::{History, Read, Seen, Source};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::client::{Answer, Client};
use super::instance::Instance;
use super::random::Random;

/// How many write.
pub(crate) const WRITERS: u64 = 4;

/// How many reads there are to one write.
const READS_PER_WRITE: usize = 12;

/// How many writes may be due at a time.
const DUE: usize = 8;

/// How long somebody waits who found nobody there.
const PAUSE: Duration = Duration::from_millis(5);

/// What the crew shares.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) instances: Vec<Instance>,
    truth: Truth,
    begun: Instant,
    history: Mutex<History>,
    /// When reads were sent, and how long they took.
    took: Mutex<Vec<(Duration, Duration)>>,
    failures: Mutex<Vec<String>>,
    /// Writes that were acknowledged, and times that one was not.
    pub(crate) written: AtomicUsize,
    pub(crate) refused: AtomicUsize,
    pace: Semaphore,
    /// What each writer is at: the rows that are worth a look.
    news: Vec<AtomicU64>,
    over: AtomicBool,
}

impl Field {
    pub(crate) fn new(instances: Vec<Instance>, truth: Truth) -> Self {
        Self {
            instances,
            truth,
            begun: Instant::now(),
            history: Mutex::default(),
            took: Mutex::default(),
            failures: Mutex::default(),
            written: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            pace: Semaphore::new(DUE),
            news: (0..WRITERS).map(AtomicU64::new).collect(),
            over: AtomicBool::new(false),
        }
    }

    /// Ends the reading and writing.
    pub(crate) fn end(&self) {
        self.over.store(true, SeqCst);
        self.pace.close();
    }

    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn failures(&self) -> MutexGuard<'_, Vec<String>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When reads were sent, and how long they took.
    pub(crate) fn took(&self) -> MutexGuard<'_, Vec<(Duration, Duration)>> {
        self.took.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time since the beginning.
    pub(crate) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn is_over(&self) -> bool {
        self.over.load(SeqCst)
    }
}

/// Reads from one instance until the end.
pub(crate) async fn reader(field: Arc<Field>, instance: usize, mut random: Random) {
    let mut client = Client::default();
    let instance = &field.instances[instance];
    let mut reads = 0;
    while !field.is_over() {
        // Some rows are read more often than others, and what is being written most of all.
        let row = if random.below(3) == 0 {
            field.news[random.below(WRITERS) as usize].load(SeqCst)
        } else {
            random.below(ROWS).min(random.below(ROWS))
        };
        let peace = instance.at_peace();
        let Some(addr) = instance.addr() else {
            sleep(PAUSE).await;
            continue;
        };
        let sent = field.now();
        let answer = client.ask(addr, Method::GET, &format!("/rows/{row}")).await;
        let answered = field.now();
        match answer.and_then(|answer| judge(&answer, &instance.name())) {
            Ok((seen, source)) => {
                if source != Source::Handler {
                    instance.hit();
                }
                let read = Read {
                    row,
                    sent,
                    answered,
                    seen,
                    source,
                };
                field.history().read(read);
                field.took().push((sent, answered - sent));
            }
            // Nothing that was done to the instance excuses it.
            Err(failure) if peace.is_some() && instance.at_peace() == peace => {
                let took = answered - sent;
                field
                    .failures()
                    .push(format!("row {row} at {sent:?}, after {took:?}: {failure}"));
            }
            Err(_) => sleep(PAUSE).await,
        }
        reads += 1;
        if reads % READS_PER_WRITE == 0 && field.pace.available_permits() < DUE {
            field.pace.add_permits(1);
        }
    }
}

/// What an answer shows, or why it is none.
fn judge(answer: &Answer, name: &str) -> Result<(Seen, Source), String> {
    let Answer { status, cache, body } = answer;
    if *status != 200 {
        return Err(format!("answered {status}: {body}"));
    }
    let Some(Page { row, version, maker }) = Page::read(body) else {
        return Err(format!("answered {body:?}"));
    };
    let hit = cache.contains("; hit");
    let source = match (hit, maker == name) {
        (false, _) => Source::Handler,
        (true, true) => Source::Own,
        (true, false) => Source::Other,
    };
    Ok((Seen { row, version }, source))
}

/// Writes the rows that are this writer's own, in no order, until the end.
pub(crate) async fn writer(field: Arc<Field>, writer: u64, mut random: Random) {
    let mut client = Client::default();
    let mut versions = vec![0; ROWS as usize];
    let rows: Vec<u64> = (writer..ROWS).step_by(WRITERS as usize).collect();
    while let Ok(due) = field.pace.acquire().await {
        due.forget();
        let row = rows[random.below(rows.len() as u64) as usize];
        let version = &mut versions[row as usize];
        *version += 1;
        field.news[writer as usize].store(row, SeqCst);
        field.history().begin(row, *version, field.now());
        field.truth.write(row, *version).unwrap();
        while !field.is_over() {
            if forget(&field, &mut client, row, &mut random).await {
                field.history().acknowledge(row, *version, field.now());
                field.written.fetch_add(1, SeqCst);
                break;
            }
            field.refused.fetch_add(1, SeqCst);
            sleep(PAUSE).await;
        }
    }
}

/// Asks some instance to have a row forgotten; whether it said that it is done.
async fn forget(field: &Field, client: &mut Client, row: u64, random: &mut Random) -> bool {
    let instance = random.below(field.instances.len() as u64) as usize;
    let Some(addr) = field.instances[instance].addr() else {
        return false;
    };
    let path = format!("/rows/{row}/forget");
    let answer = client.ask(addr, Method::POST, &path).await;
    answer.is_ok_and(|answer| answer.status == 200)
}
