//! A bout: instances are started, read from and written to, and everything is done to them.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use fleet::{Options, ROWS, Truth};
use larder_testkit::history::Verdict;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::crew::{Field, reader, writer};
use super::fault::{Fault, in_time};
use super::ground::Ground;
use super::instance::Instance;
use super::random::Random;

/// How many processes there are.
pub(crate) const INSTANCES: usize = 3;

/// How many clients read from each, and how many write.
const READERS: usize = 4;
const WRITERS: u64 = 4;

/// How many hits each instance must have before caching has resumed.
const RESUMED: u64 = 20;

/// What a bout is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bout {
    /// For how long instances may answer without asking.
    pub(crate) bounded: Option<Duration>,
    pub(crate) length: Length,
}

/// How long it lasts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Length {
    /// So many reads, and nothing is done to anybody.
    Reads(usize),
    /// Each fault once.
    Faults,
    /// Faults by chance, for so long and until each was there.
    Time(Duration),
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) verdict: Verdict,
    /// Requests that were not answered as they should be though nothing was done to their instance.
    pub(crate) failures: Vec<String>,
    /// How often each fault happened, and was felt.
    pub(crate) faults: BTreeMap<Fault, (u64, u64)>,
    /// How long the longest of all faults took until caching had resumed.
    resumed: Duration,
    written: usize,
    refused: usize,
    took: Vec<u64>,
}

impl Bout {
    /// Runs it over `ground`.
    pub(crate) fn run(self, mut ground: Ground) -> Report {
        let runtime = Runtime::new().unwrap();
        let folder = Folder::create();
        let path = folder.0.join("truth");
        let truth = Truth::create(&path).unwrap();
        let start = |n: usize| {
            Instance::start(Options {
                name: ["a", "b", "c"][n].to_owned(),
                truth: path.clone(),
                backend: ground.backend(n),
                bounded: self.bounded,
            })
        };
        let field = Arc::new(Field::new((0..INSTANCES).map(start).collect(), truth));
        let mut crew = JoinSet::new();
        for n in 0..INSTANCES * READERS {
            let reader = reader(Arc::clone(&field), n % INSTANCES, Random::new(n as u64 + 1));
            crew.spawn_on(reader, runtime.handle());
        }
        for n in 0..WRITERS {
            let writer = writer(Arc::clone(&field), n, WRITERS, Random::new(n + 1_001));
            crew.spawn_on(writer, runtime.handle());
        }
        let mut storm = Storm {
            faults: BTreeMap::new(),
            resumed: Duration::ZERO,
        };
        self.spend(&mut storm, &mut ground, &field);
        field.end();
        runtime.block_on(async { while crew.join_next().await.is_some_and(|ended| ended.is_ok()) {} });
        assert!(crew.is_empty(), "one of the crew panicked");
        let verdict = field.history().check(self.bounded.unwrap_or_default());
        Report {
            verdict,
            failures: field.failures().clone(),
            faults: storm.faults,
            resumed: storm.resumed,
            written: field.written.load(SeqCst),
            refused: field.refused.load(SeqCst),
            took: field.took(),
        }
    }

    fn spend(self, storm: &mut Storm, ground: &mut Ground, field: &Field) {
        let mut random = Random::new(1);
        match self.length {
            Length::Reads(reads) => in_time("reads", || field.history().reads() >= reads),
            Length::Faults => {
                for fault in Fault::ALL {
                    storm.raise(fault, ground, field, &mut random);
                }
            }
            Length::Time(time) => {
                let begun = Instant::now();
                while begun.elapsed() < time || storm.faults.len() < Fault::ALL.len() {
                    let fault = Fault::ALL[random.below(Fault::ALL.len() as u64) as usize];
                    storm.raise(fault, ground, field, &mut random);
                }
            }
        }
    }
}

#[derive(Debug)]
struct Storm {
    faults: BTreeMap<Fault, (u64, u64)>,
    resumed: Duration,
}

impl Storm {
    /// Has a fault happen, and waits until every instance answers from its cache again.
    fn raise(&mut self, fault: Fault, ground: &mut Ground, field: &Field, random: &mut Random) {
        let felt = fault.happen(ground, field, random);
        let (times, all) = self.faults.entry(fault).or_default();
        *times += 1;
        *all += felt;
        let lifted = Instant::now();
        ground.wait_until_whole();
        for instance in &field.instances {
            let before = instance.hits();
            let doing = format!("caching resumes at {} after: {}", instance.name(), fault.as_str());
            in_time(&doing, || instance.hits() >= before + RESUMED);
        }
        self.resumed = self.resumed.max(lifted.elapsed());
    }
}

impl Report {
    /// Fails where the fleet did anything that it must not, or too little of what it is for.
    pub(crate) fn demand(&self, faults: &[Fault]) {
        println!("{self}");
        let Verdict {
            violations,
            reads,
            checked,
            own,
            others,
            born_dead,
            ..
        } = self.verdict;
        assert_eq!(violations, 0, "violations");
        assert!(self.failures.is_empty(), "requests failed");
        assert!(checked * 10 >= reads * 8, "most reads are owed something");
        assert!((own + others) * 10 >= reads * 4, "too few hits");
        assert!(others * 50 >= reads, "too few hits on what others made");
        assert!(own * 50 >= reads, "too few hits on what the same instance made");
        assert!(born_dead > 0, "no fill was born dead");
        for fault in faults {
            let felt = self.faults.get(fault).is_some_and(|(_, felt)| *felt > 0);
            assert!(felt, "not felt: {}", fault.as_str());
        }
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percentile = |part: usize| {
            let at = self.took.len() * part / 1_000;
            Duration::from_micros(self.took.get(at).copied().unwrap_or_default())
        };
        writeln!(f, "{}", self.verdict)?;
        writeln!(
            f,
            "{ROWS} rows; {} writes acknowledged, {} not at the first time; reads took {:?} in the middle, {:?} at 99 %, \
             {:?} at 99.9 %; {} failed",
            self.written,
            self.refused,
            percentile(500),
            percentile(990),
            percentile(999),
            self.failures.len()
        )?;
        for failure in self.failures.iter().take(20) {
            writeln!(f, "  failed: {failure}")?;
        }
        for (fault, (times, felt)) in &self.faults {
            writeln!(f, "  {:<26} {times:>4} times, felt {felt}", fault.as_str())?;
        }
        write!(f, "caching resumed within {:?} of each", self.resumed)
    }
}

/// A folder that goes with the bout.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn create() -> Self {
        use std::sync::atomic::AtomicU32;
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, SeqCst);
        let path = std::env::temp_dir().join(format!("larder-fleet-{}-{number}", std::process::id()));
        // Left by a process of the same number that was killed.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
