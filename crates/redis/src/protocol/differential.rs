//! The scripts on a real server against the table in Rust: whatever happens in whatever order, both hold the same bytes.

use std::time::Duration;

use larder_store::Tag;
use larder_testkit::RedisServer;
use proptest::prelude::*;
use redis::{Client, Connection, Value};

use super::table::{Forget, Missing, Table, Values};
use super::{Generation, IntentId, Names, RecordId, Scripts};

const TAGS: usize = 3;
const TTL: Duration = Duration::from_secs(1000);
/// An announcement that is over before the next step, and one that outlasts the test.
const SHORT: u64 = 0;
const LONG: u64 = 1 << 40;

#[derive(Debug, Clone)]
enum Step {
    Capture {
        tags: Vec<usize>,
        missing: Missing,
    },
    Announce {
        tags: Vec<usize>,
        id: u8,
        long: bool,
    },
    Forget {
        tags: Vec<usize>,
        hard: bool,
        everything: bool,
        intent: Option<u8>,
    },
    LoseRoot,
    LoseSequence,
    LoseTag(usize),
    Scribble(usize, Vec<u8>),
    AnotherProcess,
}

fn step() -> impl Strategy<Value = Step> {
    let tags = || proptest::sample::subsequence((0..TAGS).collect::<Vec<_>>(), 0..=TAGS);
    let missing = prop_oneof![Just(Missing::New), Just(Missing::Last)];
    prop_oneof![
        4 => (tags(), missing).prop_map(|(tags, missing)| Step::Capture { tags, missing }),
        2 => (tags(), 0..2u8, any::<bool>()).prop_map(|(tags, id, long)| Step::Announce { tags, id, long }),
        4 => (tags(), any::<bool>(), proptest::bool::weighted(0.2), proptest::option::of(0..2u8))
            .prop_map(|(tags, hard, everything, intent)| Step::Forget { tags, hard, everything, intent }),
        1 => Just(Step::LoseRoot),
        1 => Just(Step::LoseSequence),
        2 => (0..TAGS).prop_map(Step::LoseTag),
        1 => (0..TAGS, proptest::collection::vec(any::<u8>(), 0..60)).prop_map(|(tag, bytes)| Step::Scribble(tag, bytes)),
        1 => Just(Step::AnotherProcess),
    ]
}

/// The server, the table, and what both are told.
struct Pair {
    connection: Connection,
    names: Names,
    scripts: Scripts,
    table: Table,
    run: u8,
    generations: u8,
}

fn id(n: u8) -> IntentId {
    IntentId([n; 16])
}

impl Pair {
    fn key(&self, tag: usize) -> String {
        self.names.record(RecordId::of(&Tag::new(tag.to_string())))
    }

    fn run_id(&self) -> [u8; 4] {
        [self.run; 4]
    }

    fn get(&mut self, key: &str) -> Option<Vec<u8>> {
        redis::cmd("GET").arg(key).query(&mut self.connection).unwrap()
    }

    fn capture(&mut self, tags: &[usize], missing: Missing, intent: Option<(IntentId, u64)>) {
        self.generations += 1;
        let fresh = Generation([self.generations; 16]);
        let mut call = self.scripts.capture.prepare_invoke();
        call.key(self.names.root()).key(self.names.sequence());
        for tag in tags {
            call.key(self.key(*tag));
        }
        call.arg(&self.run_id()[..])
            .arg(&fresh.0[..])
            .arg(TTL.as_millis() as u64);
        call.arg(if missing == Missing::New { "new" } else { "last" });
        if let Some((id, lasts)) = intent {
            call.arg(&id.0[..]).arg(lasts);
        }
        let answer: Value = call.invoke(&mut self.connection).unwrap();
        // The deadlines are by the server's clock, which the table is told.
        let time: (u64, u64) = redis::cmd("TIME").query(&mut self.connection).unwrap();
        self.table.now = time.0 * 1000 + time.1 / 1000;
        let expected = self.table.capture(tags, &self.run_id(), fresh, missing, intent);
        let Value::Array(values) = answer else {
            panic!("{answer:?}")
        };
        let answered: Values = values
            .into_iter()
            .map(|value| match value {
                Value::BulkString(bytes) => Some(bytes),
                Value::Nil => None,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(blurred_all(answered), blurred_all(expected));
    }

    fn forget(&mut self, forget: Forget<'_>) {
        let mut call = self.scripts.forget.prepare_invoke();
        call.key(self.names.root()).key(self.names.sequence());
        for tag in forget.tags {
            call.key(self.key(*tag));
        }
        call.arg(&self.run_id()[..])
            .arg(if forget.hard { "hard" } else { "soft" });
        call.arg(if forget.everything { "everything" } else { "" });
        if let Some(id) = forget.intent {
            call.arg(&id.0[..]);
        }
        let known: usize = call.invoke(&mut self.connection).unwrap();
        let run_id = self.run_id();
        assert_eq!(known, self.table.forget(&run_id, forget));
    }

    fn set(&mut self, key: &str, value: Option<&[u8]>) {
        let mut command = redis::cmd(if value.is_some() { "SET" } else { "DEL" });
        command.arg(key).arg(value);
        if value.is_some() {
            command.arg("PX").arg(1_000_000);
        }
        let _: Value = command.query(&mut self.connection).unwrap();
    }

    fn take(&mut self, step: Step) {
        let (root, seq) = (self.names.root().to_owned(), self.names.sequence());
        match step {
            Step::Capture { tags, missing } => self.capture(&tags, missing, None),
            Step::Announce { tags, id: n, long } => {
                self.capture(
                    &tags,
                    Missing::New,
                    Some((id(n), if long { LONG } else { SHORT })),
                );
            }
            Step::Forget {
                tags,
                hard,
                everything,
                intent,
            } => {
                // As the store does: everything has no tags beside it, and ends no change.
                let tags = if everything { &[][..] } else { &tags };
                let intent = if everything { None } else { intent.map(id) };
                self.forget(Forget {
                    tags,
                    hard,
                    everything,
                    intent,
                });
            }
            Step::LoseRoot => {
                self.set(&root, None);
                self.table.root = None;
            }
            Step::LoseSequence => {
                self.set(&seq, None);
                self.table.seq = None;
            }
            Step::LoseTag(tag) => {
                let key = self.key(tag);
                self.set(&key, None);
                self.table.tags[tag] = None;
            }
            Step::Scribble(tag, bytes) => {
                let key = self.key(tag);
                // What expires by chance between two looks at the clock is no difference.
                let bytes = if bytes.len() > 32 {
                    bytes[..32].to_vec()
                } else {
                    bytes
                };
                self.set(&key, Some(&bytes));
                self.table.tags[tag] = Some(bytes);
            }
            Step::AnotherProcess => self.run += 1,
        }
        self.compare();
    }

    fn compare(&mut self) {
        let (root, seq) = (self.names.root().to_owned(), self.names.sequence());
        assert_eq!(self.get(&root), self.table.root);
        assert_eq!(self.get(&seq), self.table.seq);
        for tag in 0..TAGS {
            let key = self.key(tag);
            let (there, here) = (self.get(&key), self.table.tags[tag].clone());
            assert_eq!(blurred(there.clone()), blurred(here), "tag {tag}");
            // From here on with the server's deadlines.
            self.table.tags[tag] = there.clone();
            if there.is_some() {
                let left: i64 = redis::cmd("PTTL").arg(&key).query(&mut self.connection).unwrap();
                assert!(left > 0, "every key has a time to live");
            }
        }
    }
}

/// Without the last bits of the deadlines, which are read from the clock some moments apart.
fn blurred(value: Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut value = value?;
    let mut at = 32;
    while at + 24 <= value.len() {
        value[at + 19..at + 24].fill(0);
        at += 24;
    }
    Some(value)
}

fn blurred_all(values: Values) -> Values {
    values.into_iter().map(blurred).collect()
}

#[test]
fn the_scripts_do_what_the_table_does() {
    let server = RedisServer::start();
    let client = Client::open(server.url()).unwrap();
    let config = ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(steps in proptest::collection::vec(step(), 1..25), version in 6..=7u32)| {
        let mut connection = client.get_connection().unwrap();
        let _: Value = redis::cmd("FLUSHALL").query(&mut connection).unwrap();
        let table = Table { tags: vec![None; TAGS], ..Table::default() };
        let (names, scripts) = (Names::new("test"), Scripts::new(version));
        let mut pair = Pair { connection, names, scripts, table, run: 0, generations: 0 };
        for step in steps {
            pair.take(step);
        }
    });
}
