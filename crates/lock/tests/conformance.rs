//! Every node follows the rules of `LockTable`: one suite, run on a node in memory and on one on a Redis server.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use larder_lock::{
    Acquire, Extend, Extension, FencingToken, LockMode, LockNode, MemoryNode, Owner, Release, Removal, Vote,
    Waiter,
};
use support::{ms, soon};

const TTL: Duration = Duration::from_secs(30);

fn owner(number: u8) -> Owner {
    Owner::from_bytes([number; 20])
}

fn token(number: u64) -> FencingToken {
    FencingToken::from_u64(number)
}

async fn acquire(node: &dyn LockNode, key: &str, by: u8, with: u64) -> Vote {
    node.acquire(&Acquire::new(key, owner(by), token(with), TTL))
        .await
        .unwrap()
}

async fn share(node: &dyn LockNode, key: &str, by: u8, with: u64) -> Vote {
    let request = Acquire::new(key, owner(by), token(with), TTL);
    node.acquire(&request.mode(LockMode::Shared)).await.unwrap()
}

async fn extend(node: &dyn LockNode, key: &str, by: u8, ttl: Duration) -> Extension {
    node.extend(&Extend::new(key, owner(by), ttl)).await.unwrap()
}

async fn release(node: &dyn LockNode, key: &str, by: u8, with: u64) -> Removal {
    node.release(&Release::new(key, owner(by), token(with), true))
        .await
        .unwrap()
}

async fn holds(node: &dyn LockNode) {
    // One holder, who may ask again with a higher token.
    assert_eq!(acquire(node, "a", 1, 100).await, Vote::Granted);
    let refused = acquire(node, "a", 2, 200).await;
    let Vote::Held { holder, remaining } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(holder, owner(1));
    assert!(remaining <= TTL && remaining > TTL / 2, "{remaining:?}");
    assert_eq!(
        acquire(node, "a", 1, 100).await,
        Vote::Outdated { stored: token(100) }
    );
    assert_eq!(acquire(node, "a", 1, 150).await, Vote::Granted);
    assert_eq!(acquire(node, "b", 2, 1).await, Vote::Granted);

    // Only the holder extends and releases.
    assert_eq!(extend(node, "a", 2, TTL).await, Extension::NotOwner);
    assert_eq!(extend(node, "free", 2, TTL).await, Extension::NotOwner);
    assert_eq!(extend(node, "a", 1, TTL * 2).await, Extension::Extended);
    let Vote::Held { remaining, .. } = acquire(node, "a", 2, 200).await else {
        panic!("it is held")
    };
    assert!(remaining > TTL, "{remaining:?}");
    assert_eq!(release(node, "a", 2, 1).await, Removal::NotOwner);
    assert!(matches!(acquire(node, "a", 2, 300).await, Vote::Held { .. }));
    assert_eq!(release(node, "a", 1, 150).await, Removal::Removed);
    assert_eq!(release(node, "a", 1, 150).await, Removal::NotOwner);

    // Tokens rise, over releases and as numbers, not as text.
    assert_eq!(
        acquire(node, "a", 2, 150).await,
        Vote::Outdated { stored: token(150) }
    );
    assert_eq!(acquire(node, "a", 2, 1_000).await, Vote::Granted);
    assert_eq!(release(node, "a", 2, 1_000).await, Removal::Removed);
    assert_eq!(
        acquire(node, "a", 3, 999).await,
        Vote::Outdated { stored: token(1_000) }
    );
    // More than a double can tell apart.
    let large = (1 << 60) + 1;
    assert_eq!(release(node, "c", 1, large).await, Removal::NotOwner);
    let voted = acquire(node, "c", 1, large - 1).await;
    assert_eq!(voted, Vote::Outdated { stored: token(large) });
}

async fn refuses_what_comes_after_its_release(node: &dyn LockNode) {
    assert_eq!(release(node, "late", 1, 50).await, Removal::NotOwner);
    assert_eq!(
        acquire(node, "late", 1, 50).await,
        Vote::Outdated { stored: token(50) }
    );
    assert_eq!(acquire(node, "late", 2, 51).await, Vote::Granted);
}

async fn forgets_a_vote_after_its_ttl(node: &dyn LockNode) {
    let brief = Acquire::new("brief", owner(1), token(10), ms(30));
    assert_eq!(node.acquire(&brief).await.unwrap(), Vote::Granted);
    tokio::time::sleep(ms(40)).await;
    assert_eq!(extend(node, "brief", 1, TTL).await, Extension::NotOwner);
    assert_eq!(
        acquire(node, "brief", 2, 10).await,
        Vote::Outdated { stored: token(10) }
    );
    assert_eq!(acquire(node, "brief", 2, 11).await, Vote::Granted);
}

async fn tells_of_releases(node: &dyn LockNode) {
    let mut heard = node.subscribe("told").await.unwrap();
    let mut also = node.subscribe("told").await.unwrap();
    let mut other = node.subscribe("other").await.unwrap();
    assert_eq!(acquire(node, "told", 1, 10).await, Vote::Granted);
    let quiet = Release::new("told", owner(1), token(10), false);
    assert_eq!(node.release(&quiet).await.unwrap(), Removal::Removed);
    assert_eq!(release(node, "told", 1, 10).await, Removal::NotOwner);
    assert_eq!(acquire(node, "told", 1, 11).await, Vote::Granted);
    assert!(
        tokio::time::timeout(ms(30), heard.rung()).await.is_err(),
        "there was nothing to tell"
    );
    assert_eq!(release(node, "told", 1, 11).await, Removal::Removed);
    soon(heard.rung()).await;
    soon(also.rung()).await;
    assert!(
        tokio::time::timeout(ms(30), other.rung()).await.is_err(),
        "another lock"
    );

    // Who has left is not missed, and who comes back hears again.
    drop((heard, also));
    for number in 12..16 {
        assert_eq!(acquire(node, "told", 1, number).await, Vote::Granted);
        assert_eq!(release(node, "told", 1, number).await, Removal::Removed);
    }
    let mut again = node.subscribe("told").await.unwrap();
    assert_eq!(acquire(node, "told", 1, 20).await, Vote::Granted);
    assert_eq!(release(node, "told", 1, 20).await, Removal::Removed);
    soon(again.rung()).await;
}

fn is_taken(vote: Vote) -> bool {
    matches!(vote, Vote::Taken { remaining } if remaining <= TTL && remaining > Duration::ZERO)
}

async fn shares(node: &dyn LockNode) {
    // Several together, whose tokens need no order among each other, and nobody alone beside them.
    assert_eq!(share(node, "s", 1, 30).await, Vote::Granted);
    assert_eq!(share(node, "s", 2, 20).await, Vote::Granted);
    assert!(is_taken(acquire(node, "s", 3, 100).await));
    assert_eq!(extend(node, "s", 1, TTL).await, Extension::Extended);
    assert_eq!(extend(node, "s", 3, TTL).await, Extension::NotOwner);
    assert_eq!(release(node, "s", 3, 1).await, Removal::NotOwner);
    assert_eq!(release(node, "s", 1, 30).await, Removal::Removed);
    assert_eq!(release(node, "s", 1, 30).await, Removal::NotOwner);
    assert_eq!(extend(node, "s", 1, TTL).await, Extension::NotOwner);
    assert!(is_taken(acquire(node, "s", 3, 100).await));
    assert_eq!(release(node, "s", 2, 20).await, Removal::Removed);
    // An exclusive token is above those of all who shared before, and theirs above those of all who were alone.
    assert_eq!(
        acquire(node, "s", 3, 30).await,
        Vote::Outdated { stored: token(30) }
    );
    assert_eq!(acquire(node, "s", 3, 31).await, Vote::Granted);
    assert!(matches!(share(node, "s", 1, 100).await, Vote::Held { holder, .. } if holder == owner(3)));
    assert_eq!(release(node, "s", 3, 31).await, Removal::Removed);
    assert_eq!(
        share(node, "s", 1, 31).await,
        Vote::Outdated { stored: token(31) }
    );
    assert_eq!(share(node, "s", 1, 32).await, Vote::Granted);
    assert_eq!(release(node, "s", 1, 32).await, Removal::Removed);
    // What comes after its release is refused here too.
    let undo = Release::new("s", owner(5), token(50), false);
    assert_eq!(node.release(&undo).await.unwrap(), Removal::NotOwner);
    assert_eq!(
        share(node, "s", 5, 50).await,
        Vote::Outdated { stored: token(50) }
    );
}

async fn lets_one_who_waits_alone_go_first(node: &dyn LockNode) {
    let mut heard = node.subscribe("barred").await.unwrap();
    assert_eq!(share(node, "barred", 1, 10).await, Vote::Granted);
    assert_eq!(share(node, "barred", 2, 11).await, Vote::Granted);
    let waiter = Acquire::new("barred", owner(3), token(20), TTL).bar(TTL);
    assert!(is_taken(node.acquire(&waiter).await.unwrap()));
    // A later one without a bar takes nothing away from it.
    assert!(is_taken(acquire(node, "barred", 4, 20).await));
    assert!(is_taken(share(node, "barred", 5, 21).await), "barred");
    assert_eq!(extend(node, "barred", 1, TTL).await, Extension::Extended);
    assert_eq!(share(node, "barred", 1, 22).await, Vote::Granted, "it is there");
    assert_eq!(release(node, "barred", 1, 22).await, Removal::Removed);
    let early = tokio::time::timeout(ms(30), heard.rung()).await;
    assert!(early.is_err(), "told before the last has gone");
    assert_eq!(release(node, "barred", 2, 11).await, Removal::Removed);
    soon(heard.rung()).await;
    assert_eq!(acquire(node, "barred", 3, 30).await, Vote::Granted);
    assert_eq!(release(node, "barred", 3, 30).await, Removal::Removed);
    assert_eq!(
        share(node, "barred", 5, 31).await,
        Vote::Granted,
        "the bar is lifted"
    );
    // A bar that is not renewed ends by itself.
    let brief = Acquire::new("barred", owner(3), token(40), TTL).bar(ms(30));
    assert!(is_taken(node.acquire(&brief).await.unwrap()));
    assert!(is_taken(share(node, "barred", 6, 41).await));
    tokio::time::sleep(ms(40)).await;
    assert_eq!(share(node, "barred", 6, 41).await, Vote::Granted);
}

async fn forgets_a_shared_vote_after_its_ttl(node: &dyn LockNode) {
    let brief = Acquire::new("brief", owner(7), token(100), ms(30)).mode(LockMode::Shared);
    assert_eq!(release(node, "brief", 2, 11).await, Removal::Removed);
    assert_eq!(node.acquire(&brief).await.unwrap(), Vote::Granted);
    assert_eq!(share(node, "brief", 8, 100).await, Vote::Granted);
    tokio::time::sleep(ms(40)).await;
    assert_eq!(extend(node, "brief", 7, TTL).await, Extension::NotOwner);
    assert!(is_taken(acquire(node, "brief", 9, 200).await));
    assert_eq!(extend(node, "brief", 8, ms(30)).await, Extension::Extended);
    tokio::time::sleep(ms(40)).await;
    assert_eq!(
        acquire(node, "brief", 9, 100).await,
        Vote::Outdated { stored: token(100) }
    );
    assert_eq!(acquire(node, "brief", 9, 101).await, Vote::Granted);
}

fn asks(key: &str, by: u8, with: u64, waiter: u64) -> Acquire {
    Acquire::new(key, owner(by), token(with), TTL).waiter(Some(Waiter::from_u64(waiter)))
}

/// Releases what `by` has where `waiter` waits on; returns who is named.
async fn pass_on(node: &dyn LockNode, key: &str, by: u8, with: u64, waiter: Option<u64>) -> Option<u64> {
    let request = Release::new(key, owner(by), token(with), true);
    match node.release(&request.waiter(waiter.map(Waiter::from_u64))).await {
        Ok(Removal::PassedOn { to }) => Some(to.as_u64()),
        other => {
            assert_eq!(other.unwrap(), Removal::Removed);
            None
        }
    }
}

async fn names_those_who_wait_in_the_order_in_which_they_came(node: &dyn LockNode) {
    let held = |vote| matches!(vote, Vote::Held { .. });
    assert_eq!(
        node.acquire(&asks("line", 1, 10, 1)).await.unwrap(),
        Vote::Granted
    );
    for waiter in [2, u64::MAX, 3, 2] {
        assert!(held(node.acquire(&asks("line", 9, 11, waiter)).await.unwrap()));
    }
    // The one who released waits on, behind them; who gets the vote is out of the line.
    assert_eq!(pass_on(node, "line", 1, 10, Some(1)).await, Some(2));
    assert_eq!(
        node.acquire(&asks("line", 2, 20, u64::MAX)).await.unwrap(),
        Vote::Granted
    );
    assert_eq!(pass_on(node, "line", 2, 20, None).await, Some(3));
    assert_eq!(acquire(node, "line", 3, 30).await, Vote::Granted);
    assert_eq!(pass_on(node, "line", 3, 30, None).await, Some(1));
    // Nobody is left, but for one who waits where the lock was.
    assert_eq!(acquire(node, "line", 4, 40).await, Vote::Granted);
    assert_eq!(pass_on(node, "line", 4, 40, Some(4)).await, None);
    assert_eq!(acquire(node, "line", 4, 41).await, Vote::Granted);
    assert_eq!(pass_on(node, "line", 4, 41, None).await, None);
    // A vote that is taken back without a word names nobody.
    assert_eq!(acquire(node, "line", 4, 42).await, Vote::Granted);
    assert!(held(node.acquire(&asks("line", 9, 43, 9)).await.unwrap()));
    let quiet = Release::new("line", owner(4), token(42), false);
    assert_eq!(node.release(&quiet).await.unwrap(), Removal::Removed);
    assert_eq!(acquire(node, "line", 4, 44).await, Vote::Granted);
    assert_eq!(pass_on(node, "line", 4, 44, None).await, Some(9));

    // No more than sixteen are remembered.
    assert_eq!(acquire(node, "ghosts", 1, 1).await, Vote::Granted);
    for waiter in 0..20 {
        assert!(held(node.acquire(&asks("ghosts", 9, 2, waiter)).await.unwrap()));
    }
    assert_eq!(pass_on(node, "ghosts", 1, 1, Some(99)).await, Some(0));
    for turn in 1..16 {
        assert_eq!(acquire(node, "ghosts", 1, 1 + turn).await, Vote::Granted);
        assert_eq!(pass_on(node, "ghosts", 1, 1 + turn, None).await, Some(turn));
    }
    assert_eq!(acquire(node, "ghosts", 1, 50).await, Vote::Granted);
    assert_eq!(pass_on(node, "ghosts", 1, 50, None).await, None);
    assert_eq!(acquire(node, "ghosts", 1, 51).await, Vote::Granted);
    assert!(held(node.acquire(&asks("ghosts", 9, 52, 7)).await.unwrap()));
}

async fn suite(node: &dyn LockNode) {
    shares(node).await;
    lets_one_who_waits_alone_go_first(node).await;
    holds(node).await;
    refuses_what_comes_after_its_release(node).await;
    forgets_a_vote_after_its_ttl(node).await;
    forgets_a_shared_vote_after_its_ttl(node).await;
    tells_of_releases(node).await;
    names_those_who_wait_in_the_order_in_which_they_came(node).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_in_memory() {
    suite(&MemoryNode::new("memory")).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_in_memory_that_forgot_is_quarantined() {
    let node = MemoryNode::new("memory");
    assert_eq!(acquire(&node, "a", 1, 1).await, Vote::Granted);
    node.forget(TTL);
    assert_eq!(
        acquire(&node, "a", 2, 2).await,
        Vote::Quarantined { remaining: TTL }
    );
    assert_eq!(extend(&node, "a", 1, TTL).await, Extension::NotOwner);
    tokio::time::sleep(TTL).await;
    assert_eq!(acquire(&node, "a", 2, 2).await, Vote::Granted);
}

#[cfg(all(unix, feature = "redis"))]
mod redis {
    use larder_lock::{NodeErrorKind, RedisNode};
    use larder_testkit::RedisServer;

    use super::*;

    async fn node(server: &RedisServer) -> RedisNode {
        let node = RedisNode::builder(server.url()).max_ttl(TTL * 2).build().unwrap();
        node.commission().await.unwrap();
        node
    }

    #[tokio::test]
    async fn a_node_on_a_server() {
        let server = RedisServer::start();
        let node = node(&server).await;
        suite(&node).await;
        // What was used to wait is kept for those who come next, but not for ever: nobody waits any more.
        // As many hear a message as are subscribed.
        let publish = || server.cli(&["PUBLISH", "larder:lock:{other}:free", ""]);
        for _ in 0..16 {
            assert_eq!(publish(), "1");
            tokio::time::sleep(ms(2)).await;
        }
        support::until("the channel is left", || publish() == "0").await;
        assert_eq!(
            acquire(&node, "other", 1, 1).await,
            Vote::Granted,
            "it still works"
        );
        // Nor is the line of those who wait.
        let line: i64 = server
            .cli(&["PTTL", "larder:lock:{ghosts}:line"])
            .parse()
            .unwrap();
        assert!((1..=10_000).contains(&line), "{line}");
    }

    #[tokio::test]
    async fn a_server_without_memory_is_quarantined_until_it_may_vote() {
        let mut server = RedisServer::start();
        let node = RedisNode::builder(server.url()).max_ttl(TTL).build().unwrap();
        let quarantined = |vote| matches!(vote, Vote::Quarantined { remaining } if remaining <= TTL);
        assert!(quarantined(acquire(&node, "a", 1, 1).await), "new");
        node.commission().await.unwrap();
        assert_eq!(acquire(&node, "a", 1, 1).await, Vote::Granted);

        server.cli(&["FLUSHALL"]);
        assert!(quarantined(acquire(&node, "a", 2, 2).await), "flushed");
        node.commission().await.unwrap();
        assert_eq!(acquire(&node, "a", 2, 2).await, Vote::Granted);

        server.restart();
        soon(async {
            // The first calls meet the old connection.
            let request = Acquire::new("a", owner(3), token(3), TTL);
            loop {
                match node.acquire(&request).await {
                    Ok(vote) => break assert!(quarantined(vote), "{vote:?}"),
                    Err(_) => tokio::time::sleep(ms(5)).await,
                }
            }
        })
        .await;
        // What the quarantine's end is made of.
        server.cli(&["PEXPIRE", "larder:lock:quarantine", "20"]);
        soon(async {
            while quarantined(acquire(&node, "a", 3, 3).await) {
                tokio::time::sleep(ms(5)).await;
            }
        })
        .await;
    }

    #[tokio::test]
    async fn a_server_that_came_back_with_its_data_is_quarantined_too() {
        // It may have lost the last second.
        let mut server = RedisServer::builder().arg("--appendonly").arg("yes").start();
        let node = node(&server).await;
        assert_eq!(acquire(&node, "a", 1, 1).await, Vote::Granted);
        server.restart();
        let late = RedisNode::builder(server.url()).max_ttl(TTL * 2).build().unwrap();
        assert!(matches!(
            acquire(&late, "a", 2, 2).await,
            Vote::Quarantined { .. }
        ));
    }

    #[tokio::test]
    async fn a_replica_that_takes_over_is_quarantined() {
        // It may not have heard of the last votes.
        let mut primary = RedisServer::start();
        let port = primary.addr().port().to_string();
        let replica = RedisServer::builder()
            .arg("--replicaof")
            .arg("127.0.0.1")
            .arg(port)
            .start();
        assert_eq!(acquire(&node(&primary).await, "a", 1, 1).await, Vote::Granted);
        support::until("the replica has the vote", || {
            replica.cli(&["EXISTS", "larder:lock:{a}"]) == "1"
        })
        .await;
        let early = RedisNode::new(replica.url()).unwrap();
        assert!(early.check().await.is_err(), "a replica does not vote");
        primary.kill();
        replica.cli(&["REPLICAOF", "NO", "ONE"]);
        let node = RedisNode::builder(replica.url())
            .max_ttl(TTL * 2)
            .build()
            .unwrap();
        assert!(matches!(
            acquire(&node, "b", 2, 2).await,
            Vote::Quarantined { .. }
        ));
    }

    #[tokio::test]
    async fn a_primary_of_a_cluster_has_the_locks_of_one_slot() {
        let server = RedisServer::builder().arg("--cluster-enabled").arg("yes").start();
        server.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
        support::until("the cluster is up", || {
            server.cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok")
        })
        .await;
        let node = RedisNode::builder(server.url()).prefix("{lock}").build().unwrap();
        node.commission().await.unwrap();
        suite(&node).await;
        let slot = server.cli(&["CLUSTER", "KEYSLOT", "{lock}:{a}"]);
        let keys = server.cli(&["CLUSTER", "COUNTKEYSINSLOT", &slot]);
        assert_eq!(keys, server.cli(&["DBSIZE"]));
        // Without it, the keys of a lock and the marker do not meet.
        let apart = RedisNode::new(server.url()).unwrap();
        assert!(apart.commission().await.is_err());
    }

    #[tokio::test]
    async fn a_server_that_evicts_is_refused() {
        for policy in ["allkeys-lru", "volatile-ttl"] {
            let server = RedisServer::builder()
                .arg("--maxmemory-policy")
                .arg(policy)
                .start();
            let node = RedisNode::new(server.url()).unwrap();
            assert_eq!(node.check().await.unwrap_err().kind(), NodeErrorKind::Evicting);
            let refused = node
                .acquire(&Acquire::new("a", owner(1), token(1), ms(100)))
                .await;
            assert_eq!(refused.unwrap_err().kind(), NodeErrorKind::Evicting);
        }
    }

    #[tokio::test]
    async fn more_than_was_declared_is_refused() {
        let server = RedisServer::start();
        let node = node(&server).await;
        let long = Acquire::new("a", owner(1), token(1), TTL * 2 + ms(1));
        assert_eq!(
            node.acquire(&long).await.unwrap_err().kind(),
            NodeErrorKind::Refused
        );
        let tomorrow = std::time::SystemTime::now() + Duration::from_secs(24 * 3600);
        let micros = tomorrow
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_micros() as u64;
        let ahead = Acquire::new("a", owner(1), token(micros << 10), TTL);
        assert_eq!(
            node.acquire(&ahead).await.unwrap_err().kind(),
            NodeErrorKind::ClockSkew
        );
        assert_eq!(acquire(&node, "a", 1, 1).await, Vote::Granted);
    }

    #[tokio::test]
    async fn scripts_that_the_server_forgot_are_sent_again() {
        let server = RedisServer::start();
        let node = node(&server).await;
        server.cli(&["SCRIPT", "FLUSH"]);
        assert_eq!(acquire(&node, "a", 1, 1).await, Vote::Granted);
        assert_eq!(extend(&node, "a", 1, TTL).await, Extension::Extended);
        assert_eq!(release(&node, "a", 1, 1).await, Removal::Removed);
    }

    #[tokio::test]
    async fn a_node_that_is_dropped_leaves_no_connection() {
        let server = RedisServer::start();
        let node = node(&server).await;
        drop(node.subscribe("a").await.unwrap());
        let connections = || {
            let clients = server.cli(&["CLIENT", "LIST"]);
            clients.lines().filter(|line| !line.contains("sock")).count()
        };
        assert_eq!(connections(), 1);
        drop(node);
        support::until("the connection is closed", || connections() == 0).await;
    }

    #[tokio::test]
    async fn a_url_that_means_nothing_is_told() {
        assert_eq!(
            RedisNode::new("nonsense").unwrap_err().kind(),
            NodeErrorKind::Refused
        );
    }
}
