//! Entries that are compressed on the server.
#![cfg(feature = "compression")]
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

mod support;

use larder_store::{Lookup, Useless};
use larder_testkit::RedisServer;
use support::{fill, hit, lookup, shop};

fn length(server: &RedisServer) -> usize {
    let name = server.cli(&["KEYS", "shop:e1:*"]);
    server.cli(&["STRLEN", &name]).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn large_entries_are_compressed_and_read_by_all() {
    let server = RedisServer::start();
    let long = "jam and honey ".repeat(20_000);
    let writer = shop(server.url()).connect().await.unwrap();
    let reader = shop(server.url())
        .memory(0)
        .compress_from(usize::MAX)
        .connect()
        .await
        .unwrap();
    fill(&writer, "key", "short").await;
    let short = length(&server);
    assert!((5..200).contains(&short));
    fill(&writer, "key", &long).await;
    let packed = length(&server);
    println!("{} bytes take {packed}", long.len());
    assert!(packed < long.len() / 20, "{packed}");
    assert_eq!(hit(&reader, "key").await.as_deref(), Some(&*long));
    let (tags, seen) = support::survey(&writer).await;
    assert_eq!(
        (seen, tags.len()),
        (1, support::tags().len()),
        "its tags are in there"
    );
    fill(&reader, "key", &long).await;
    assert!(length(&server) > long.len());
    assert_eq!(hit(&reader, "key").await.as_deref(), Some(&*long));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_and_a_damaged_entry_are_misses() {
    let server = RedisServer::start();
    let writer = shop(server.url()).connect().await.unwrap();
    let small = shop(server.url())
        .memory(0)
        .largest(100_000)
        .connect()
        .await
        .unwrap();
    let reader = shop(server.url()).memory(0).connect().await.unwrap();
    fill(&writer, "key", &"jam and honey ".repeat(20_000)).await;
    let useless = |found: Lookup| match found {
        Lookup::Useless(useless) => useless,
        _ => panic!("it was of use"),
    };
    assert!(hit(&reader, "key").await.is_some());
    let found = lookup(&small, "key").await.unwrap();
    assert_eq!(useless(found), Useless::Decode, "larger than it may be");
    let name = server.cli(&["KEYS", "shop:e1:*"]);
    for (at, junk) in [("4", "\u{7f}\u{7f}\u{7f}\u{7f}"), ("4", "\u{1}"), ("60", "junk")] {
        server.cli(&["SETRANGE", &name, at, junk]);
        let found = lookup(&reader, "key").await.unwrap();
        assert_eq!(useless(found), Useless::Decode, "{at}: {junk:?}");
    }
    fill(&writer, "key", "jam").await;
    assert_eq!(hit(&reader, "key").await.as_deref(), Some("jam"));
}
