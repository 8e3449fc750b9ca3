//! A bout: instances are started, read from and written to, and everything is done to them.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use fleet::{Options, ROWS, Truth};
use http::Method;
use larder_testkit::history::Verdict;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::client::Client;
use super::crew::{Field, WRITERS, reader, writer};
use super::fault::{Fault, in_time};
use super::ground::Ground;
use super::instance::Instance;
use super::random::Random;

/// How many processes there are.
pub(crate) const INSTANCES: usize = 3;

/// How many clients read from each.
const READERS: usize = 4;

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
    /// Each fault so often.
    Faults(usize),
    /// Faults by chance, for so long and until each was there.
    Time(Duration),
}

impl Length {
    /// What the faults take, each so many `times`: `cargo x soak fleet` wants it longer.
    pub(crate) fn of(times: usize) -> Self {
        match std::env::var("LARDER_SOAK_SECONDS") {
            Ok(seconds) => Self::Time(Duration::from_secs(seconds.parse().unwrap())),
            Err(_) => Self::Faults(times),
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) verdict: Verdict,
    /// Requests that were not answered as they should be though nothing was done to their instance.
    pub(crate) failures: Vec<String>,
    pub(crate) faults: BTreeMap<Fault, Happened>,
    demanded: Vec<Fault>,
    /// What the instances counted since their last start.
    outcomes: BTreeMap<String, u64>,
    written: usize,
    refused: usize,
    /// When reads were sent, and how long they took.
    took: Vec<(Duration, Duration)>,
}

/// What is known of one fault.
#[derive(Debug, Default)]
pub(crate) struct Happened {
    /// From when to when it was there, each time.
    spans: Vec<Range<Duration>>,
    /// How often it was felt.
    pub(crate) felt: u64,
    /// How long it took at most until caching had resumed.
    resumed: Duration,
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
            let writer = writer(Arc::clone(&field), n, Random::new(n + 1_001));
            crew.spawn_on(writer, runtime.handle());
        }
        let mut storm = Storm::default();
        self.spend(&mut storm, &mut ground, &field);
        let outcomes = runtime.block_on(outcomes(&field));
        field.end();
        runtime.block_on(async { while crew.join_next().await.is_some_and(|ended| ended.is_ok()) {} });
        assert!(crew.is_empty(), "one of the crew panicked");
        let verdict = field.history().check(self.bounded.unwrap_or_default());
        Report {
            verdict,
            failures: field.failures().clone(),
            demanded: Fault::over(&ground),
            faults: storm.0,
            outcomes,
            written: field.written.load(SeqCst),
            refused: field.refused.load(SeqCst),
            took: field.took().clone(),
        }
    }

    fn spend(self, storm: &mut Storm, ground: &mut Ground, field: &Field) {
        let mut random = Random::new(1);
        let faults = Fault::over(ground);
        match self.length {
            Length::Reads(reads) => in_time("reads", || field.history().reads() >= reads),
            Length::Faults(times) => {
                for fault in (0..times).flat_map(|_| faults.clone()) {
                    storm.raise(fault, ground, field, &mut random);
                    if self.is_lost(field) {
                        return;
                    }
                }
            }
            Length::Time(time) => {
                let begun = Instant::now();
                while begun.elapsed() < time || storm.0.len() < faults.len() {
                    let fault = faults[random.below(faults.len() as u64) as usize];
                    storm.raise(fault, ground, field, &mut random);
                    if self.is_lost(field) {
                        return;
                    }
                }
            }
        }
    }

    /// Whether there is a violation already, after which the rest makes no difference.
    fn is_lost(self, field: &Field) -> bool {
        field.history().check(self.bounded.unwrap_or_default()).violations > 0
    }
}

/// What the instances counted, by outcome.
async fn outcomes(field: &Field) -> BTreeMap<String, u64> {
    let mut outcomes = BTreeMap::new();
    let addrs = field.instances.iter().filter_map(Instance::addr);
    for addr in addrs {
        let told = Client::default().ask(addr, Method::GET, "/metrics").await;
        let told = told.unwrap().body;
        let counts = told.lines().filter_map(|line| {
            let rest = line.strip_prefix("larder_cache_requests_total{")?;
            let outcome = rest.split_once("outcome=\"")?.1.split_once('"')?.0;
            Some((outcome.to_owned(), rest.rsplit_once(' ')?.1.parse::<u64>().ok()?))
        });
        for (outcome, count) in counts {
            *outcomes.entry(outcome).or_default() += count;
        }
    }
    outcomes
}

#[derive(Debug, Default)]
struct Storm(BTreeMap<Fault, Happened>);

impl Storm {
    /// Has a fault happen, and waits until every instance answers from its cache again.
    fn raise(&mut self, fault: Fault, ground: &mut Ground, field: &Field, random: &mut Random) {
        let begun = field.now();
        let felt = fault.happen(ground, field, random);
        let lifted = field.now();
        for instance in &field.instances {
            let before = instance.hits();
            let doing = format!("caching resumes at {} after: {}", instance.name(), fault.as_str());
            in_time(&doing, || instance.hits() >= before + RESUMED);
        }
        let happened = self.0.entry(fault).or_default();
        happened.spans.push(begun..lifted);
        happened.felt += felt;
        happened.resumed = happened.resumed.max(field.now() - lifted);
    }
}

impl Report {
    /// Fails where the fleet did anything that it must not, or too little of what it is for.
    pub(crate) fn demand(&self) {
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
        for tier in ["hit_l1", "hit_l2"] {
            let hits = self.outcomes.get(tier).copied().unwrap_or(0);
            assert!(hits > 20, "too few answers that are {tier}");
        }
        for fault in &self.demanded {
            let felt = self.faults.get(fault).is_some_and(|happened| happened.felt > 0);
            assert!(felt, "not felt: {}", fault.as_str());
        }
    }
}

impl Report {
    /// How long reads took that were sent in one of `spans`, or in none of those that are known: half, 99 of 100, and all
    /// of them at most.
    fn latency(&self, within: impl Fn(Duration) -> bool) -> String {
        let mut took: Vec<Duration> = self
            .took
            .iter()
            .filter(|(sent, _)| within(*sent))
            .map(|(_, took)| *took)
            .collect();
        took.sort_unstable();
        let at = |part: usize| {
            let last = took.len().saturating_sub(1);
            took.get(last * part / 100)
                .copied()
                .unwrap_or_default()
                .as_secs_f64()
                * 1e3
        };
        format!(
            "{:>7} reads, {:>6.1} {:>6.1} {:>6.1} ms",
            took.len(),
            at(50),
            at(99),
            at(100)
        )
    }
}

/// For reading: the verdict, and a table of the faults with what reads took meanwhile: half, 99 of 100, all.
impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.verdict)?;
        writeln!(
            f,
            "{ROWS} rows; {} writes acknowledged, {} refused and tried again; {} requests failed",
            self.written,
            self.refused,
            self.failures.len()
        )?;
        for failure in self.failures.iter().take(20) {
            writeln!(f, "  failed: {failure}")?;
        }
        let outcomes: Vec<String> = self
            .outcomes
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        writeln!(f, "outcomes since each last start: {}", outcomes.join(", "))?;
        let calm = |sent: Duration| {
            let mut spans = self.faults.values().flat_map(|happened| &happened.spans);
            !spans.any(|span| span.contains(&sent))
        };
        write!(f, "  {:<44} {}", "in between", self.latency(calm))?;
        for (fault, happened) in &self.faults {
            let Happened { spans, felt, resumed } = happened;
            let during = self.latency(|sent| spans.iter().any(|span| span.contains(&sent)));
            let times = spans.len();
            let resumed = resumed.as_secs_f64();
            let name = fault.as_str();
            write!(
                f,
                "\n  {name:<26} {times:>3} times, felt {felt:<6} {during}, hits after {resumed:.2} s"
            )?;
        }
        Ok(())
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
