//! The fence of a resource: the pattern of the documentation on SQLite, and `RedisFence` on a server. Without it an update is lost.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use larder_lock::{FencingToken, Lock, LockOptions, SqlFence};
use rusqlite::{Connection, named_params, params_from_iter};
use support::{Nodes, ms};
use tokio::time::sleep;

const TTL: Duration = Duration::from_secs(3);

/// Two tokens of one lock: of a holder that overslept its lease, and of the one that came after it.
async fn two_holders() -> (FencingToken, FencingToken) {
    let nodes = Nodes::new(3);
    let (here, there) = (nodes.locker(), nodes.locker());
    let lock = || Lock::new("account", 7);
    let late = here
        .acquire(lock(), LockOptions::new(TTL).auto_extend(false))
        .await
        .unwrap();
    sleep(TTL + ms(10)).await;
    let newer = there.acquire(lock(), TTL).await.unwrap();
    (late.lease().fencing_token(), newer.lease().fencing_token())
}

/// The three statements in the documentation of the crate: register, read, write.
fn documented() -> [String; 3] {
    let docs = include_str!("../src/lib.rs");
    let block = docs.split("```sql").nth(1).unwrap().split("```").next().unwrap();
    let lines: Vec<&str> = block
        .lines()
        .map(|line| line.trim_start_matches("//!").trim())
        .collect();
    let code = lines.into_iter().filter(|line| !line.starts_with("--"));
    let code: Vec<String> = code.filter(|line| !line.is_empty()).map(str::to_owned).collect();
    code.try_into().unwrap()
}

fn account() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    let table = "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, fence BIGINT NOT NULL DEFAULT 0);
                 INSERT INTO account (id, balance) VALUES (7, 100), (8, 100);";
    db.execute_batch(table).unwrap();
    db
}

fn balance(db: &Connection) -> i64 {
    db.query_row("SELECT balance FROM account WHERE id = 7", [], |row| row.get(0))
        .unwrap()
}

/// A holder of the lock who works by the documentation.
struct Teller<'a> {
    db: &'a Connection,
    sql: [String; 3],
    token: i64,
}

impl Teller<'_> {
    fn register(&self) -> bool {
        let values = named_params! { "$token": self.token, "$id": 7 };
        self.db.execute(&self.sql[0], values).unwrap() == 1
    }

    fn read(&self) -> i64 {
        let values = named_params! { "$id": 7 };
        self.db.query_row(&self.sql[1], values, |row| row.get(0)).unwrap()
    }

    fn write(&self, new: i64) -> bool {
        let values = named_params! { "$new": new, "$id": 7, "$token": self.token };
        self.db.execute(&self.sql[2], values).unwrap() == 1
    }
}

#[tokio::test(start_paused = true)]
async fn in_sql_a_late_write_is_turned_away_wherever_it_comes() {
    let (late, newer) = two_holders().await;
    // Where the late write comes: before the newer one reads, between its reading and its writing, and after it.
    for moment in 0..4 {
        let db = account();
        let teller = |token: FencingToken| Teller {
            db: &db,
            sql: documented(),
            token: token.as_i64(),
        };
        let (late, newer) = (teller(late), teller(newer));
        assert!(late.register());
        let seen_late = late.read();
        let mut acknowledged = 0;
        let mut late_write = |now| {
            if moment == now && late.write(seen_late + 1) {
                acknowledged += 1;
            }
        };
        late_write(0);
        assert!(newer.register());
        late_write(1);
        let seen = newer.read();
        late_write(2);
        assert!(newer.write(seen + 1), "the holder is turned away");
        late_write(3);
        assert!(!late.register());
        assert_eq!(balance(&db), 100 + 1 + acknowledged, "at {moment}");
        assert_eq!(acknowledged, i64::from(moment == 0));
    }
}

/// The statements of the helper stand in for the documented ones, with the values by number and by place.
#[tokio::test(start_paused = true)]
async fn the_helper_for_sql_turns_a_late_write_away() {
    let (late, newer) = two_holders().await;
    let (late, newer) = (late.as_i64(), newer.as_i64());
    let by_number = SqlFence::new("account", "id", "fence");
    let by_place = by_number.clone().positional();
    let db = account();
    let changed = |sql: &str, values: &[i64]| db.execute(sql, params_from_iter(values)).unwrap();
    assert_eq!(changed(&by_number.register(), &[late, 7]), 1);
    assert_eq!(changed(&by_number.write(&["balance"]), &[1, 7, late]), 1);
    assert_eq!(changed(&by_place.register(), &[newer, 7, newer]), 1);
    assert_eq!(changed(&by_number.register(), &[late, 7]), 0);
    assert_eq!(changed(&by_number.write(&["balance"]), &[2, 7, late]), 0);
    assert_eq!(changed(&by_place.write(&["balance"]), &[2, 7, late]), 0);
    assert_eq!(balance(&db), 1);
    assert_eq!(changed(&by_place.write(&["balance"]), &[3, 7, newer]), 1);
    assert_eq!(balance(&db), 3);
    // Its neighbour has a fence of its own.
    assert_eq!(changed(&by_number.register(), &[late, 8]), 1);
}

#[test]
fn in_sql_without_the_fence_an_update_is_lost() {
    let db = account();
    let write = |new: i64| {
        db.execute("UPDATE account SET balance = ?1 WHERE id = 7", [new])
            .unwrap();
    };
    let (seen_late, seen) = (balance(&db), balance(&db));
    write(seen + 1);
    write(seen_late + 1);
    assert_eq!(balance(&db), 101, "of two deposits");
}

#[cfg(all(unix, feature = "redis"))]
mod redis_server {
    use larder_lock::RedisFence;
    use larder_testkit::RedisServer;
    use redis::aio::MultiplexedConnection;

    use super::*;

    async fn connect(server: &RedisServer) -> MultiplexedConnection {
        let client = redis::Client::open(server.url()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    fn set(value: i64) -> redis::Cmd {
        redis::cmd("SET").arg("account:{7}").arg(value).take()
    }

    #[tokio::test]
    async fn a_late_write_is_turned_away_wherever_it_comes() {
        let (late, newer) = (FencingToken::from_u64(9), FencingToken::from_u64(10));
        let server = RedisServer::start();
        let mut redis = connect(&server).await;
        for moment in 0..4 {
            server.cli(&["FLUSHALL"]);
            server.cli(&["SET", "account:{7}", "100"]);
            let fence = RedisFence::new("account:{7}:fence");
            assert!(fence.register(&mut redis, late).await.unwrap());
            let mut acknowledged = 0;
            let mut seen = 100;
            for now in 0..4 {
                if moment == now {
                    let written: Option<()> = fence.run(&mut redis, late, &set(101)).await.unwrap();
                    acknowledged += i64::from(written.is_some());
                }
                match now {
                    0 => assert!(fence.register(&mut redis, newer).await.unwrap()),
                    1 => seen = server.cli(&["GET", "account:{7}"]).parse().unwrap(),
                    2 => assert_eq!(
                        fence.run(&mut redis, newer, &set(seen + 1)).await.unwrap(),
                        Some(())
                    ),
                    _ => assert!(!fence.register(&mut redis, late).await.unwrap()),
                }
            }
            let balance: i64 = server.cli(&["GET", "account:{7}"]).parse().unwrap();
            assert_eq!(balance, 101 + acknowledged, "at {moment}");
            assert_eq!(acknowledged, i64::from(moment == 0));
        }
    }

    #[tokio::test]
    async fn answers_and_errors_come_through_and_nothing_is_forgotten() {
        let server = RedisServer::start();
        let mut redis = connect(&server).await;
        let fence = RedisFence::new("fence");
        // As numbers, not as text, and above 53 bits.
        let tokens = [9, 10, 1_000, (1 << 60) + 1, (1 << 60) + 2];
        for token in tokens.map(FencingToken::from_u64) {
            assert!(fence.register(&mut redis, token).await.unwrap(), "{token}");
        }
        let token = FencingToken::from_u64(tokens[4]);
        for older in &tokens[..4] {
            assert!(
                !fence
                    .register(&mut redis, FencingToken::from_u64(*older))
                    .await
                    .unwrap()
            );
        }
        assert!(!fence.register(&mut redis, FencingToken::UNFENCED).await.unwrap());
        let get = redis::cmd("GET").arg("none").take();
        let nothing: Option<Option<String>> = fence.run(&mut redis, token, &get).await.unwrap();
        assert_eq!(nothing, Some(None), "passed, and there is nothing");
        let push = redis::cmd("RPUSH").arg("list").arg(&["a", "b"]).take();
        assert_eq!(fence.run(&mut redis, token, &push).await.unwrap(), Some(2));
        let wrong = redis::cmd("INCR").arg("list").take();
        assert!(fence.run::<i64>(&mut redis, token, &wrong).await.is_err());
        assert_eq!(server.cli(&["PTTL", "fence"]), "-1");
    }
}
