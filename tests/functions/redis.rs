//! Values on a real Redis server: several instances of a service, and what one forgets all forget.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use larder::{FillPolicy, Larder, Limits, RedisStore, Tag, Values, cached};
use larder_testkit::RedisServer;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::support::soon;

/// What a busy machine must not disturb.
const PATIENCE: Duration = Duration::from_secs(20);

/// An instance: its handle, and its store, which a test waits for.
struct Instance {
    larder: Larder,
    store: RedisStore,
}

impl Instance {
    async fn new(server: &RedisServer) -> Self {
        Self::with_memory(server, 8 << 20).await
    }

    async fn with_memory(server: &RedisServer, memory: u64) -> Self {
        let builder = RedisStore::builder(server.url()).budget(PATIENCE).memory(memory);
        let store = builder.connect().await.unwrap();
        let mut limits = Limits::default();
        limits.store_timeout = 2 * PATIENCE;
        let larder = Larder::builder(store.clone()).limits(limits).build();
        Self { larder, store }
    }
}

#[cached(key = "{id}", name = "jars", tags = ["jars", "jar:{id}"], ttl = "long", skip(runs, truth))]
async fn jar(larder: &Larder, id: u64, runs: &AtomicUsize, truth: &AtomicU64) -> Result<u64, Infallible> {
    let _ = id;
    runs.fetch_add(1, Ordering::SeqCst);
    Ok(truth.load(Ordering::SeqCst))
}

#[tokio::test]
async fn what_one_instance_makes_is_made_for_all() {
    let server = RedisServer::start();
    let (one, two) = (Instance::new(&server).await, Instance::new(&server).await);
    let (runs, truth) = (AtomicUsize::new(0), AtomicU64::new(7));
    assert_eq!(jar(&one.larder, 1, &runs, &truth).await, Ok(7));
    one.store.flush().await;
    for _ in 0..2 {
        assert_eq!(jar(&two.larder, 1, &runs, &truth).await, Ok(7));
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    truth.store(8, Ordering::SeqCst);
    two.larder.invalidate_tag("jar:2").await.unwrap();
    assert_eq!(jar(&one.larder, 1, &runs, &truth).await, Ok(7), "of another");
    two.larder.invalidate_tag("jar:1").await.unwrap();
    assert_eq!(jar(&one.larder, 1, &runs, &truth).await, Ok(8));
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

/// Two calls are under way on one instance when the other forgets.
#[tokio::test]
async fn an_invalidation_on_another_instance_during_a_run_is_not_lost() {
    let server = RedisServer::start();
    let (one, two) = (Instance::new(&server).await, Instance::new(&server).await);
    let values: Values<u64> = FillPolicy::new("jars").tag("jars").json();
    let (truth, open) = (AtomicU64::new(7), Semaphore::new(0));
    let began = Semaphore::new(0);
    let slow = async || {
        let value = truth.load(Ordering::SeqCst);
        began.add_permits(1);
        open.acquire().await.unwrap().forget();
        Ok::<_, Infallible>(value)
    };
    let forgets = async {
        began.acquire().await.unwrap().forget();
        truth.store(8, Ordering::SeqCst);
        two.larder.invalidate_tag("jars").await.unwrap();
        // Who comes now does not join the run that began before.
        let now = one.larder.get_or_fill("a", &values, async || {
            Ok::<_, Infallible>(truth.load(Ordering::SeqCst))
        });
        assert_eq!(soon(now).await, Ok(8));
        open.add_permits(1);
    };
    let (old, ()) = soon(async { tokio::join!(one.larder.get_or_fill("a", &values, slow), forgets) }).await;
    assert_eq!(old, Ok(7), "who called before may have it");
    one.store.flush().await;
    for instance in [&one, &two] {
        assert_eq!(instance.larder.get("a", &values).await, Some(8));
    }
}

/// Many calls on two instances, while the truth changes and is forgotten on either: no call that came after an invalidation
/// returned is answered with less.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_invalidation_is_lost_between_two_instances() {
    let server = RedisServer::start();
    let instances = Arc::new([Instance::new(&server).await, Instance::new(&server).await]);
    let (runs, truth) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
    let forgotten = Arc::new(AtomicU64::new(0));
    let (calls, rounds) = (Arc::new(AtomicUsize::new(0)), 150);
    let mut readers = tokio::task::JoinSet::new();
    for reader in 0..8_u64 {
        let (instances, runs, truth) = (Arc::clone(&instances), Arc::clone(&runs), Arc::clone(&truth));
        let (forgotten, calls) = (Arc::clone(&forgotten), Arc::clone(&calls));
        readers.spawn(async move {
            while forgotten.load(Ordering::SeqCst) < rounds {
                let least = forgotten.load(Ordering::SeqCst);
                let larder = &instances[usize::from(reader % 2 == 0)].larder;
                let Ok(seen) = jar(larder, reader % 3, &runs, &truth).await;
                assert!(seen >= least, "{seen} was shown after {least} was forgotten");
                calls.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    for round in 1..=rounds {
        truth.store(round, Ordering::SeqCst);
        let writer = &instances[usize::from(round % 2 == 0)].larder;
        writer.invalidate_tag("jars").await.unwrap();
        forgotten.store(round, Ordering::SeqCst);
        let before = calls.load(Ordering::SeqCst);
        soon(async {
            while calls.load(Ordering::SeqCst) < before + 8 && !readers.is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    while let Some(reader) = soon(readers.join_next()).await {
        reader.unwrap();
    }
    let (runs, calls) = (runs.load(Ordering::SeqCst), calls.load(Ordering::SeqCst));
    assert!(runs < calls, "{runs} runs for {calls} calls: some were hits");
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Jar {
    of: String,
    grams: u32,
}

/// The type as another release has it.
mod next {
    use super::{Deserialize, Serialize};

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    pub(super) struct Jar {
        pub(super) of: String,
        pub(super) grams: u64,
    }
}

#[tokio::test]
async fn what_another_release_wrote_is_a_miss() {
    let server = RedisServer::start();
    let (one, two) = (Instance::new(&server).await, Instance::new(&server).await);
    let policy = || FillPolicy::new("jars");
    let plums = Jar {
        of: "plums".to_owned(),
        grams: 250,
    };
    assert!(one.larder.put(1, &policy().json::<Jar>(), plums.clone()).await);
    assert!(
        one.larder
            .put(2, &policy().postcard::<Jar>(), plums.clone())
            .await
    );
    one.store.flush().await;
    let (json, postcard) = (policy().json::<next::Jar>(), policy().postcard::<next::Jar>());
    assert_eq!(two.larder.get(1, &json).await, None);
    assert_eq!(two.larder.get(2, &postcard).await, None);
    assert_eq!(two.larder.get(1, &policy().postcard::<Jar>()).await, None);
    assert_eq!(two.larder.get(1, &policy().version(1).json::<Jar>()).await, None);
    let made = two.larder.get_or_fill(1, &json, async || {
        Ok::<_, Infallible>(next::Jar {
            of: "plums".to_owned(),
            grams: 251,
        })
    });
    assert_eq!(made.await.map(|jar| jar.grams), Ok(251), "and is made anew");
    two.store.flush().await;
    // The older release keeps what it has in memory, and another instance of it does not misread the newer.
    let old = Instance::new(&server).await;
    assert_eq!(old.larder.get(1, &policy().json::<Jar>()).await, None);
    assert_eq!(old.larder.get(2, &policy().postcard::<Jar>()).await, Some(plums));
}

#[tokio::test]
async fn garbage_is_a_miss_and_is_replaced() {
    let server = RedisServer::start();
    let (one, two) = (
        Instance::new(&server).await,
        Instance::with_memory(&server, 0).await,
    );
    let values = FillPolicy::new("jars").json::<String>();
    assert!(one.larder.put(1, &values, "plums".to_owned()).await);
    one.store.flush().await;
    assert_eq!(two.larder.get(1, &values).await.as_deref(), Some("plums"));
    let name = server.cli(&["KEYS", "larder:e1:*"]);
    let name = name.trim();
    let long = "x".repeat(1 << 16);
    for garbage in ["", "garbage", "LARD", long.as_str()] {
        server.cli(&["SET", name, garbage, "PX", "60000"]);
        assert_eq!(two.larder.get(1, &values).await, None, "{:.10}", garbage);
        assert_eq!(two.larder.get_many(&[1], &values).await, [None]);
    }
    // A byte of the value is another, which the checksum tells.
    assert!(one.larder.put(1, &values, "pears".to_owned()).await);
    one.store.flush().await;
    let length: u64 = server.cli(&["STRLEN", name]).trim().parse().unwrap();
    for at in [0, length / 2, length - 1] {
        server.cli(&["SETRANGE", name, &at.to_string(), "~"]);
        assert_eq!(two.larder.get(1, &values).await, None, "byte {at} of {length}");
    }
    server.cli(&["DEL", name]);
    server.cli(&["LPUSH", name, "a list"]);
    assert_eq!(two.larder.get(1, &values).await, None);
    let made = two
        .larder
        .get_or_fill(1, &values, async || Ok::<_, Infallible>("figs".to_owned()));
    assert_eq!(made.await.as_deref(), Ok("figs"));
    two.store.flush().await;
    assert_eq!(two.larder.get(1, &values).await.as_deref(), Some("figs"));
}

/// How often the server was asked this way.
fn calls(server: &RedisServer, command: &str) -> u64 {
    let stats = server.cli(&["INFO", "commandstats"]);
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn many_keys_are_looked_up_together() {
    let server = RedisServer::start();
    let (one, two) = (Instance::new(&server).await, Instance::new(&server).await);
    let values: Values<String> = FillPolicy::new("names").tag("names").json();
    let asked = AtomicUsize::new(0);
    let fill = async |missing: Vec<u32>| {
        asked.fetch_add(missing.len(), Ordering::SeqCst);
        let made = missing.into_iter().filter(|id| *id < 100);
        Ok::<_, Infallible>(made.map(|id| (id, format!("name {id}"))).collect())
    };
    let ids: Vec<u32> = (0..120).collect();
    let all = |found: &[Option<String>]| {
        let name = |id: &u32| (*id < 100).then(|| format!("name {id}"));
        assert_eq!(found, ids.iter().map(name).collect::<Vec<_>>());
    };
    all(&one.larder.fill_many(&ids, &values, fill).await.unwrap());
    one.store.flush().await;
    assert_eq!(asked.load(Ordering::SeqCst), 120);
    let before = (calls(&server, "mget"), calls(&server, "get"));
    all(&two.larder.get_many(&ids, &values).await);
    let after = (calls(&server, "mget"), calls(&server, "get"));
    // The records are not known before the entries: one trip for these, and one for all records.
    assert_eq!((after.0 - before.0, after.1 - before.1), (2, 120));
    all(&two.larder.get_many(&ids, &values).await);
    // What is in memory is not fetched again, and what is not there is: one trip.
    let then = (calls(&server, "mget"), calls(&server, "get"));
    assert_eq!((then.0 - after.0, then.1 - after.1), (1, 20));
    all(&two.larder.fill_many(&ids, &values, fill).await.unwrap());
    assert_eq!(asked.load(Ordering::SeqCst), 140, "only what nobody has");

    one.larder.invalidate_tag(Tag::layer("names")).await.unwrap();
    assert!(
        two.larder
            .get_many(&ids, &values)
            .await
            .iter()
            .all(Option::is_none)
    );
}

#[tokio::test]
async fn a_server_that_is_gone_fails_no_call() {
    let mut server = RedisServer::start();
    let one = Instance::new(&server).await;
    let values: Values<u32> = FillPolicy::new("numbers").json();
    let fill =
        async |missing: Vec<u32>| Ok::<_, Infallible>(missing.into_iter().map(|id| (id, id)).collect());
    let (runs, truth) = (AtomicUsize::new(0), AtomicU64::new(7));
    one.larder.fill_many(&[1], &values, fill).await.unwrap();
    server.kill();
    let begun = Instant::now();
    for round in 1..4 {
        let found = soon(one.larder.fill_many(&[1, 2], &values, fill)).await;
        assert_eq!(found, Ok(vec![Some(1), Some(2)]));
        assert_eq!(soon(jar(&one.larder, 1, &runs, &truth)).await, Ok(7));
        assert_eq!(runs.load(Ordering::SeqCst), round);
    }
    assert!(
        begun.elapsed() < PATIENCE,
        "nobody waits for a server that refuses"
    );
}
