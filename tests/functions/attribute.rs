//! `#[cached]` and `#[invalidates]` on functions and methods of all kinds.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use larder::{
    FakeClock, HasLarder, KeyPart, Larder, MemoryStore, NamedTtl, PresetTtls, TimedOut, cached, invalidates,
};

use crate::support::{cache, soon};

/// How often the functions under test ran.
#[derive(Debug, Clone, Default)]
struct Runs(Arc<AtomicUsize>);

impl Runs {
    fn next(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

#[derive(Debug, PartialEq)]
enum Failure {
    No,
    Late,
}

impl From<TimedOut> for Failure {
    fn from(_: TimedOut) -> Self {
        Self::Late
    }
}

impl From<std::num::ParseIntError> for Failure {
    fn from(_: std::num::ParseIntError) -> Self {
        Self::No
    }
}

#[cached(key = "recruiter:{id}", ttl = "2h", tags = ["recruiters", "recruiter:{id}"], skip(runs))]
async fn recruiter(larder: &Larder, id: u64, runs: &Runs) -> Result<(u64, usize), Failure> {
    if id == 0 {
        return Err(Failure::No);
    }
    let id: u64 = id.to_string().parse()?;
    Ok((id, runs.next()))
}

#[invalidates("recruiter:{id}")]
async fn save(larder: &Larder, id: u64, succeeds: bool) -> Result<(), Failure> {
    if succeeds { Ok(()) } else { Err(Failure::No) }
}

#[tokio::test]
async fn a_function_is_kept_by_its_key_and_forgotten_by_its_tags() {
    let (larder, clock) = cache(1 << 20);
    let runs = Runs::default();
    assert_eq!(recruiter(&larder, 7, &runs).await, Ok((7, 1)));
    assert_eq!(recruiter(&larder, 7, &runs).await, Ok((7, 1)));
    assert_eq!(recruiter(&larder, 8, &runs).await, Ok((8, 2)));
    save(&larder, 7, false).await.unwrap_err();
    assert_eq!(
        recruiter(&larder, 7, &runs).await,
        Ok((7, 1)),
        "nothing was saved"
    );
    save(&larder, 7, true).await.unwrap();
    assert_eq!(recruiter(&larder, 7, &runs).await, Ok((7, 3)));
    assert_eq!(recruiter(&larder, 8, &runs).await, Ok((8, 2)));
    larder.invalidate_tag("recruiters").await.unwrap();
    assert_eq!(recruiter(&larder, 8, &runs).await, Ok((8, 4)));
    clock.advance(Duration::from_secs(2 * 60 * 60));
    assert_eq!(recruiter(&larder, 8, &runs).await, Ok((8, 5)));
    for _ in 0..2 {
        assert_eq!(recruiter(&larder, 0, &runs).await, Err(Failure::No));
    }
}

#[cached]
async fn default_key(larder: &Larder, mut text: String, list: &[u8], page: Option<Page>) -> (String, usize) {
    text.push('!');
    (text, list.len() + page.map_or(0, |page| page.number))
}

#[derive(Debug, Clone, KeyPart)]
struct Page {
    number: usize,
    order: Order,
}

#[derive(Debug, Clone, KeyPart)]
#[allow(dead_code, reason = "they are for keys")]
enum Order {
    ByName,
    Near { place: (f64, f64) },
    By(String),
}

#[tokio::test]
async fn all_arguments_are_the_key_where_none_is_given() {
    let (larder, _) = cache(1 << 20);
    let page = |order| Some(Page { number: 1, order });
    let calls = [
        ("a", &b""[..], None),
        ("", &b"a"[..], None),
        ("a", &b"a"[..], None),
        ("a", &b""[..], page(Order::ByName)),
        ("a", &b""[..], page(Order::By("ByName".to_owned()))),
        ("a", &b""[..], page(Order::Near { place: (1.0, 2.0) })),
    ];
    for (count, (text, list, page)) in calls.iter().enumerate() {
        for _ in 0..2 {
            let expected = (format!("{text}!"), list.len() + usize::from(page.is_some()));
            assert_eq!(
                default_key(&larder, (*text).to_owned(), list, page.clone()).await,
                expected
            );
            assert_eq!(larder.size().entries, count + 1);
        }
    }
}

#[cached(key = "{a}:{b}", codec = "in_process", weigh = String::len)]
async fn pair(larder: &Larder, a: &str, b: &str) -> String {
    format!("{a}|{b}")
}

#[tokio::test]
async fn no_two_pairs_share_the_key_of_a_template() {
    let (larder, _) = cache(64 << 20);
    let mut texts = vec![String::new()];
    for length in 0..3 {
        let longer: Vec<String> = texts
            .iter()
            .filter(|text| text.len() == length)
            .cloned()
            .collect();
        texts.extend(
            longer
                .iter()
                .flat_map(|text| [format!("{text}a"), format!("{text}:")]),
        );
    }
    // Some that do not fit where short ones are written.
    texts.extend([47, 48, 49, 300].map(|length| ":".repeat(length)));
    for a in &texts {
        for b in &texts {
            assert_eq!(pair(&larder, a, b).await, format!("{a}|{b}"));
        }
    }
    assert_eq!(larder.size().entries, texts.len() * texts.len());
}

struct Repository<T> {
    larder: Larder,
    tenant: String,
    runs: Runs,
    of: std::marker::PhantomData<T>,
}

impl<T> HasLarder for Repository<T> {
    fn larder(&self) -> &Larder {
        &self.larder
    }
}

impl<T: Sync> Repository<T> {
    fn new(larder: &Larder, tenant: &str) -> Self {
        Self {
            larder: larder.clone(),
            tenant: tenant.to_owned(),
            runs: Runs::default(),
            of: std::marker::PhantomData,
        }
    }

    #[cached(key = "{self.tenant}:{id}", tags = ["tenant:{self.tenant}"])]
    async fn by_tenant(&self, id: &str) -> usize {
        let _ = id;
        self.runs.next()
    }

    #[cached(skip(self))]
    async fn by_id(&self, id: &str) -> usize {
        let _ = id;
        self.runs.next()
    }

    #[cached(larder = self.larder, skip(self), stale_while_revalidate = "1m", ttl = "1m")]
    async fn behind(&self, id: u8) -> usize
    where
        T: Send + 'static,
    {
        usize::from(id)
    }

    #[invalidates("tenant:{self.tenant}")]
    async fn leave(self) {}
}

impl<T> Clone for Repository<T> {
    fn clone(&self) -> Self {
        Self {
            larder: self.larder.clone(),
            tenant: self.tenant.clone(),
            runs: self.runs.clone(),
            of: self.of,
        }
    }
}

#[tokio::test]
async fn methods_say_what_of_self_counts() {
    let (larder, _) = cache(1 << 20);
    let (a, b) = (
        Repository::<u8>::new(&larder, "a"),
        Repository::<u8>::new(&larder, "b"),
    );
    assert_eq!(a.by_tenant("1").await, 1);
    assert_eq!(b.by_tenant("1").await, 1);
    assert_eq!(a.by_tenant("1").await, 1);
    assert_eq!(a.runs.next(), 2);
    assert_eq!(a.by_id("1").await, 3);
    assert_eq!(b.by_id("1").await, 3, "shared");
    let c = Repository::<u16>::new(&larder, "a");
    assert_eq!(c.by_tenant("1").await, 1, "of another type");
    let kept = Repository::<u8>::new(&larder, "a");
    a.leave().await;
    assert_eq!(kept.by_tenant("1").await, 1, "it was forgotten");
    assert_eq!(b.by_tenant("1").await, 1, "b's was not");
    assert_eq!(b.runs.next(), 2);
}

trait Source {
    fn load(&self, id: u8) -> impl Future<Output = Option<usize>> + Send;
}

impl Source for Repository<()> {
    #[cached(key = "{id}", ttl = "short")]
    async fn load(&self, id: u8) -> Option<usize> {
        (id != 0).then(|| self.runs.next())
    }
}

/// A method of the same name in the same module.
impl Source for Repository<String> {
    #[cached(key = "{id}")]
    async fn load(&self, id: u8) -> Option<usize> {
        let _ = id;
        Some(100)
    }
}

#[tokio::test]
async fn methods_of_traits_are_told_apart_and_none_is_not_kept() {
    let (larder, _) = cache(1 << 20);
    let units = Repository::<()>::new(&larder, "a");
    assert_eq!(units.load(1).await, Some(1));
    assert_eq!(units.load(1).await, Some(1));
    assert_eq!(Repository::<String>::new(&larder, "a").load(1).await, Some(100));
    assert_eq!(units.load(0).await, None);
    assert_eq!(larder.size().entries, 2);
}

#[cached(skip(runs), cache_none = "30s", cache_err = "10s")]
async fn negative(larder: &Larder, id: i8, runs: &Runs) -> Result<Option<usize>, String> {
    let run = runs.next();
    match id {
        0 => Ok(None),
        1 => Ok(Some(run)),
        _ => Err(format!("run {run}")),
    }
}

#[tokio::test]
async fn none_and_err_are_kept_where_that_is_said() {
    let (larder, clock) = cache(1 << 20);
    let runs = Runs::default();
    for _ in 0..2 {
        assert_eq!(negative(&larder, 0, &runs).await, Ok(None));
        assert_eq!(negative(&larder, 1, &runs).await, Ok(Some(2)));
        assert_eq!(negative(&larder, -1, &runs).await, Err("run 3".to_owned()));
    }
    clock.advance(Duration::from_secs(10));
    assert_eq!(negative(&larder, -1, &runs).await, Err("run 4".to_owned()));
    assert_eq!(negative(&larder, 0, &runs).await, Ok(None));
    clock.advance(Duration::from_secs(20));
    assert_eq!(negative(&larder, 0, &runs).await, Ok(None));
    assert_eq!(runs.next(), 6);
}

#[cached(skip(runs), cache_none = "short", cache_err = "very_long", ttl = "1s")]
async fn negative_by_name(larder: &Larder, is_none: bool, runs: &Runs) -> Result<Option<usize>, usize> {
    let run = runs.next();
    if is_none { Ok(None) } else { Err(run) }
}

#[tokio::test]
async fn none_and_err_are_kept_as_long_as_the_configuration_says() {
    let clock = FakeClock::new();
    let ttls = PresetTtls::new()
        .with_named(NamedTtl::Short, Duration::from_secs(7))
        .with_named(NamedTtl::VeryLong, Duration::from_secs(9));
    let larder = Larder::builder(MemoryStore::with_capacity(1 << 20))
        .clock(clock.clock())
        .ttls(ttls)
        .build();
    let runs = Runs::default();
    for (seconds, ran) in [(0, 2), (6, 2), (1, 3), (1, 3), (1, 4)] {
        clock.advance(Duration::from_secs(seconds));
        assert_eq!(negative_by_name(&larder, true, &runs).await, Ok(None));
        negative_by_name(&larder, false, &runs).await.unwrap_err();
        assert_eq!(runs.0.load(Ordering::SeqCst), ran);
    }
}

#[cached(
    name = "prices",
    key = "{of}",
    skip(runs),
    ttl = "1m",
    stale_while_revalidate = "1m",
    stale_if_error = "10m",
    soft_timeout = "10s",
    jitter = 0,
    wait = "2s",
    background_timeout = "20s"
)]
async fn price(larder: &Larder, of: &str, runs: &Runs) -> Result<String, Failure> {
    let run = runs.next();
    if run == 3 {
        Err(Failure::No)
    } else {
        Ok(format!("{of} {run}"))
    }
}

#[tokio::test]
async fn a_function_runs_in_the_background_with_what_it_borrowed() {
    let (larder, clock) = cache(1 << 20);
    let runs = Runs::default();
    let ask = async || price(&larder, "jam", &runs).await.unwrap();
    assert_eq!(ask().await, "jam 1");
    clock.advance(Duration::from_secs(70));
    assert_eq!(ask().await, "jam 1", "stale");
    soon(larder.idle()).await;
    assert_eq!(ask().await, "jam 2");
    clock.advance(Duration::from_secs(150));
    assert_eq!(ask().await, "jam 2", "it stands in for the error");
    assert_eq!(ask().await, "jam 4");
    larder.invalidate_tag(larder::Tag::layer("prices")).await.unwrap();
    assert_eq!(ask().await, "jam 5");
    let repository = Repository::<u8>::new(&larder, "a");
    assert_eq!(repository.behind(1).await, 1);
    clock.advance(Duration::from_secs(70));
    assert_eq!(repository.behind(1).await, 1);
    soon(larder.idle()).await;
}

#[cached(timeout = "50ms")]
async fn slow(larder: &Larder, millis: u64) -> Result<u64, Failure> {
    tokio::time::sleep(Duration::from_millis(millis)).await;
    Ok(millis)
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_an_error_of_the_function() {
    let (larder, _) = cache(1 << 20);
    assert_eq!(slow(&larder, 40).await, Ok(40));
    assert_eq!(slow(&larder, 60).await, Err(Failure::Late));
}

#[cached(codec = "in_process", weigh = weigh, version = 3, early_refresh = 1.5)]
async fn in_process(larder: Larder, id: u32) -> Result<Arc<Failure>, Infallible> {
    let _ = id;
    Ok(Arc::new(Failure::No))
}

fn weigh(_: &Arc<Failure>) -> usize {
    8
}

#[cached(codec = "postcard")]
async fn generic<T: KeyPart + ToString + Send + Sync, const N: usize>(larder: &Larder, of: T) -> String {
    format!("{} {N}", of.to_string())
}

#[cached]
async fn anything(larder: &Larder, of: impl KeyPart + std::fmt::Debug) -> String {
    format!("{of:?}")
}

#[tokio::test]
async fn types_are_a_part_of_the_key() {
    let (larder, _) = cache(1 << 20);
    let shared = in_process(larder.clone(), 1).await.unwrap();
    assert!(Arc::ptr_eq(
        &shared,
        &in_process(larder.clone(), 1).await.unwrap()
    ));
    let before = larder.size().entries;
    assert_eq!(generic::<_, 1>(&larder, -1i64).await, "-1 1");
    assert_eq!(
        generic::<_, 1>(&larder, u64::MAX).await,
        format!("{} 1", u64::MAX)
    );
    assert_eq!(generic::<_, 2>(&larder, -1i64).await, "-1 2");
    assert_eq!(generic::<_, 1>(&larder, -1i64).await, "-1 1");
    assert_eq!(anything(&larder, -1i64).await, "-1");
    assert_eq!(anything(&larder, u64::MAX).await, u64::MAX.to_string());
    assert_eq!(larder.size().entries, before + 5);
}

#[cached(skip(runs))]
async fn of_the_task(runs: Runs) -> usize {
    runs.next()
}

#[tokio::test]
async fn the_cache_is_that_of_the_task_or_there_is_none() {
    use axum::{Router, body::Body, routing::get};
    use tower::ServiceExt;
    let (larder, _) = cache(1 << 20);
    let runs = Runs::default();
    assert_eq!(of_the_task(runs.clone()).await, 1);
    assert_eq!(of_the_task(runs.clone()).await, 2, "no cache is in scope");
    let scoped = larder.scope(async {
        assert!(Larder::in_scope().is_some());
        (of_the_task(runs.clone()).await, of_the_task(runs.clone()).await)
    });
    assert_eq!(scoped.await, (3, 3));
    assert!(Larder::in_scope().is_none());
    let handler = {
        let runs = runs.clone();
        move || async move { of_the_task(runs.clone()).await.to_string() }
    };
    let app: Router = Router::new().route("/", get(handler)).layer(larder.scope_layer());
    for _ in 0..2 {
        let response = app
            .clone()
            .oneshot(http::Request::get("/").body(Body::empty()).unwrap());
        assert_eq!(crate::support::read(response.await.unwrap()).await.text(), "3");
    }
}

#[test]
fn a_default_name_is_the_path_of_the_function() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let (larder, _) = cache(1 << 20);
    let forget = |name: &'static str| {
        runtime
            .block_on(larder.invalidate_tag(larder::Tag::layer(name)).into_future())
            .unwrap()
            .known
    };
    runtime.block_on(slow(&larder, 1)).unwrap();
    assert_eq!(forget("functions::attribute::slow"), 1);
}
