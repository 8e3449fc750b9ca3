//! `forget`: what an invalidation costs the Redis server, where one entry carries the tag and where very many do.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use larder_peers::{
    Outcome,
    args::Args,
    contenders::runtime,
    stats::{median, median_ratio},
};
use larder_redis::RedisStore;
use larder_store::{
    Clock, Content, Entry, Kept, Key, Lifetime, Lookup, Store, StoredResponse, Strength, Tag,
};
use larder_testkit::RedisServer;

/// How many entries are on their way to the server at a time.
const BATCH: u64 = 1_000;

/// How long an operation may take, so that a busy machine makes it slow and not a failure.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn run(words: &[String]) -> Outcome<()> {
    let args = Args::read(words, &["entries", "rounds", "calls"])?;
    let entries = args.numbers("entries", &[1, 1_000_000])?;
    let (rounds, calls) = (args.number("rounds", 9)?, args.number("calls", 2_000)?);
    let runtime = runtime()?;
    let mut shops = Vec::new();
    for count in &entries {
        shops.push(runtime.block_on(Shop::with(*count))?);
    }
    let mut costs: Vec<Vec<Cost>> = entries.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for turn in 0..shops.len() {
            let index = (round + turn) % shops.len();
            costs[index].push(runtime.block_on(shops[index].forget(calls))?);
        }
    }
    println!(
        "| entries with the tag | commands each | µs of the server each | × the first |\n|---:|---|---:|---:|"
    );
    let times = |index: usize| costs[index].iter().map(|cost| cost.time).collect::<Vec<f64>>();
    for (index, count) in entries.iter().enumerate() {
        let commands = &costs[index][0].commands;
        if costs[index].iter().any(|cost| cost.commands != *commands) {
            return Err("two rounds sent different commands".into());
        }
        let ratio = median_ratio(&times(index), &times(0));
        let time = median(&times(index));
        println!("| {count} | {commands} | {time:.1} | {ratio:.2} |");
    }
    Ok(())
}

/// A server with so many entries that carry one tag.
struct Shop {
    server: RedisServer,
    store: RedisStore,
}

/// What an invalidation costs.
struct Cost {
    /// What was sent, and how often for each.
    commands: String,
    /// The server's own microseconds.
    time: f64,
}

fn tag() -> Tag {
    Tag::new("jam")
}

impl Shop {
    async fn with(entries: u64) -> Outcome<Self> {
        let server = RedisServer::start();
        let builder = RedisStore::builder(server.url()).memory(0).budget(PATIENCE);
        let store = builder.connect().await?;
        let capture = store.capture(&[tag()]).wait().await?;
        for number in 0..entries {
            let lifetime = Lifetime::fresh(Clock::system().now(), Duration::from_secs(3_600));
            let response = StoredResponse::new(StatusCode::OK, &HeaderMap::new(), Bytes::from_static(b"jam"));
            let entry = Entry::new(lifetime, Content::Response(response), vec![tag()]);
            let put = store.put(key(number), entry, capture.clone()).wait().await;
            if put.kept != Kept::Stored {
                return Err(format!("an entry was not kept: {:?}", put.kept).into());
            }
            if number % BATCH == 0 {
                store.flush().await;
            }
        }
        store.flush().await;
        let last = store.lookup(key(entries - 1).as_bytes()).wait().await?;
        let kept: u64 = server.cli(&["DBSIZE"]).parse()?;
        if !matches!(last, Lookup::Fetched(_)) || kept < entries {
            return Err(format!("{kept} keys are there, not those of {entries} entries").into());
        }
        Ok(Self { server, store })
    }

    /// Forgets the tag `calls` times.
    async fn forget(&self, calls: u32) -> Outcome<Cost> {
        let before = self.counted()?;
        for _ in 0..calls {
            self.store.forget(&[tag()], Strength::Hard).wait().await?;
        }
        let after = self.counted()?;
        let (mut commands, mut time) = (Vec::new(), 0.0);
        for (name, (count, spent)) in after {
            let (earlier, spent_earlier) = before.get(&name).copied().unwrap_or_default();
            if count > earlier {
                commands.push(format!("{} {name}", (count - earlier) / f64::from(calls)));
            }
            if name == "evalsha" {
                time = (spent - spent_earlier) / f64::from(calls);
            }
        }
        Ok(Cost {
            commands: commands.join(", "),
            time,
        })
    }

    /// How often each command was carried out, and the microseconds that it took. Not what is asked on the side.
    fn counted(&self) -> Outcome<BTreeMap<String, (f64, f64)>> {
        let stats = self.server.cli(&["INFO", "commandstats"]);
        let mut counted = BTreeMap::new();
        for line in stats.lines().filter_map(|line| line.strip_prefix("cmdstat_")) {
            let Some((name, numbers)) = line.split_once(':') else {
                continue;
            };
            let number = |wanted: &str| {
                let found = numbers.split(',').find_map(|number| number.strip_prefix(wanted));
                found.unwrap_or_default().trim().parse::<f64>()
            };
            if !["info", "dbsize", "ping"].contains(&name) {
                counted.insert(name.to_owned(), (number("calls=")?, number("usec=")?));
            }
        }
        Ok(counted)
    }
}

fn key(number: u64) -> Key {
    Key::from(number.to_be_bytes().as_slice())
}
