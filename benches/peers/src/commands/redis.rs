//! `redis`: hits on a Redis server, at several concurrencies, beside handlers that do no more than ask it
//! and the peers that have a Redis backend.

use std::{rc::Rc, time::Duration, time::Instant};

use axum::{Router, body::Body, response::Response, routing::get};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use larder::{Larder, Limits};
use larder_peers::{
    Outcome,
    app::{App, app},
    args::Args,
    contenders::{on_redis, runtime},
    origin::{Origin, PATH},
    stats::{median, median_ratio},
};
use larder_redis::RedisStore;
use larder_testkit::RedisServer;
use redis::{Client, IntoConnectionInfo, Value, aio::MultiplexedConnection, io::tcp::TcpSettings};
use tokio::{runtime::Runtime, task::LocalSet};

/// How long one contender is asked in one round.
const ROUND: Duration = Duration::from_millis(200);

/// How long a hit may wait for the server, so that a busy machine makes it slow and not a miss.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many keys the second raw handler reads beside its entry: about as many as an entry of Larder has records.
const STAMPS: usize = 6;

/// How many tags more than others one of Larder's contenders has, to see what each costs.
const MORE: usize = 8;

/// The entry of the raw handlers.
const RAW: &str = "raw:entry";

pub(crate) fn run(words: &[String]) -> Outcome<()> {
    let args = Args::read(words, &["size", "concurrency", "rounds"])?;
    let sizes = args.numbers("size", &[10_240])?;
    let concurrencies = args.numbers("concurrency", &[1, 16, 64])?;
    let rounds = args.number("rounds", 9_usize)?;
    for size in sizes {
        let server = RedisServer::start();
        let runtime = runtime()?;
        let contenders = runtime.block_on(contenders(&server, size))?;
        for concurrency in &concurrencies {
            measure(&runtime, &contenders, *concurrency, rounds)?;
        }
    }
    Ok(())
}

/// A service that answers from Redis.
struct Contender {
    name: &'static str,
    app: Rc<dyn App>,
    origin: Origin,
}

async fn contenders(server: &RedisServer, size: usize) -> Outcome<Vec<Contender>> {
    let info = server.url().as_str().into_connection_info()?;
    let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    let connection = Client::open(info)?.get_multiplexed_async_connection().await?;
    let strict = RedisStore::builder(server.url())
        .namespace("strict")
        .budget(PATIENCE)
        .connect()
        .await?;
    let fetching = RedisStore::builder(server.url())
        .namespace("fetching")
        .budget(PATIENCE)
        .memory(0)
        .connect()
        .await?;
    let raw = |name, stamps| Contender {
        name,
        app: app(Router::new()
            .route(PATH, get(raw(&connection, stamps)))
            .with_state(()))
        .into(),
        origin: Origin::new(size),
    };
    let larder = |name, store: &RedisStore, more| {
        let origin = Origin::new(size);
        let mut limits = Limits::default();
        limits.store_timeout = 2 * PATIENCE;
        let larder = Larder::builder(store.clone()).limits(limits).build();
        // Each has a layer of its own, and with it entries of its own.
        let layer = larder.hot_cache(format!("items{more}")).tag("items");
        let layer = (0..more).fold(layer, |layer, tag| layer.tag(format!("more:{tag}")));
        Contender {
            name,
            app: app(Origin::mount(origin.route().layer(layer))).into(),
            origin,
        }
    };
    let body = "x".repeat(size);
    server.cli(&["SET", RAW, &body]);
    for stamp in 0..STAMPS {
        server.cli(&["SET", &stamp_key(stamp), &"s".repeat(40)]);
    }
    let mut contenders = vec![
        raw("raw GET", 0),
        raw("raw GET, and MGET of 6 more", STAMPS),
        larder("larder, body from memory", &strict, 0),
        larder("larder, body from memory, and 8 tags more", &strict, MORE),
        larder("larder, body from Redis", &fetching, 0),
    ];
    let peers = on_redis(size, &server.url()).await?;
    contenders.extend(peers.into_iter().map(|(name, app, origin)| Contender {
        name,
        app: app.into(),
        origin,
    }));
    for contender in &contenders {
        contender.app.ask(1, None).await;
        // Some store in a task of their own.
        tokio::time::sleep(Duration::from_millis(50)).await;
        contender.app.ask(2, None).await;
    }
    strict.flush().await;
    fetching.flush().await;
    Ok(contenders)
}

fn stamp_key(stamp: usize) -> String {
    format!("raw:stamp:{stamp}")
}

/// A handler that answers with what a GET brings, and asks for `stamps` in the same trip.
fn raw(
    connection: &MultiplexedConnection,
    stamps: usize,
) -> impl Fn() -> std::pin::Pin<Box<dyn Future<Output = Response> + Send>> + Clone + Send + Sync + 'static {
    let connection = connection.clone();
    let mut pipe = redis::pipe();
    pipe.cmd("GET").arg(RAW);
    if stamps > 0 {
        let mut read = redis::cmd("MGET");
        for stamp in 0..stamps {
            read.arg(stamp_key(stamp));
        }
        pipe.add_command(read);
    }
    move || {
        let (pipe, mut connection) = (pipe.clone(), connection.clone());
        Box::pin(async move {
            let answered: Result<Vec<Value>, _> = pipe.query_async(&mut connection).await;
            match answered.map(|values| values.into_iter().next()) {
                Ok(Some(Value::BulkString(body))) => answer(Bytes::from(body)),
                _ => {
                    let mut failed = Response::new(Body::empty());
                    *failed.status_mut() = StatusCode::BAD_GATEWAY;
                    failed
                }
            }
        })
    }
}

fn answer(body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=3600"),
    );
    headers.insert("x-origin", HeaderValue::from_static("items"));
    response
}

fn measure(runtime: &Runtime, contenders: &[Contender], concurrency: u64, rounds: usize) -> Outcome<()> {
    let mut measured: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
    for round in 0..rounds {
        for turn in 0..contenders.len() {
            // Each round starts with another contender, so that none always follows the same one.
            let index = (round + turn) % contenders.len();
            measured[index].push(contenders[index].hits_per_second(runtime, concurrency)?);
        }
    }
    println!("\n{concurrency} at a time, {rounds} rounds\n");
    println!("| contender | hits/s | × raw GET |\n|---|---:|---:|");
    for (contender, rates) in contenders.iter().zip(&measured) {
        let (rate, ratio) = (median(rates), median_ratio(rates, &measured[0]));
        println!("| {} | {rate:.0} | {ratio:.2} |", contender.name);
    }
    Ok(())
}

impl Contender {
    /// Asks `concurrency` at a time for one round, and proves that each answer was a hit.
    #[allow(clippy::cast_precision_loss)]
    fn hits_per_second(&self, runtime: &Runtime, concurrency: u64) -> Outcome<f64> {
        /// How many each asks before it looks at the time.
        const EACH: u64 = 20;
        let ran = self.origin.calls();
        let begun = Instant::now();
        let mut hits = 0;
        while begun.elapsed() < ROUND {
            let local = LocalSet::new();
            let bytes = local.block_on(runtime, async {
                let asking: Vec<_> = (0..concurrency)
                    .map(|_| {
                        let app = Rc::clone(&self.app);
                        tokio::task::spawn_local(async move { app.ask(EACH, None).await.bytes })
                    })
                    .collect();
                let mut bytes = 0;
                for asked in asking {
                    bytes += asked.await?;
                }
                Ok::<_, tokio::task::JoinError>(bytes)
            })?;
            let whole = self.origin.size() as u64 * EACH * concurrency;
            if bytes != whole {
                return Err(format!("{}: {bytes} bytes came, not {whole}", self.name).into());
            }
            hits += EACH * concurrency;
        }
        let elapsed = begun.elapsed().as_secs_f64();
        if self.origin.calls() != ran {
            return Err(format!("{}: the handler ran, so these were no hits", self.name).into());
        }
        Ok(hits as f64 / elapsed)
    }
}
