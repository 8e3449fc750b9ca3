//! The page of the reasons: it has each word and no other, and its commands bring about what it shows.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support_examples;

use larder::{BypassReason, MissReason, UncacheableReason};
use support_examples::{Example, demand, printed_by, read, steps};

/// The port of the commands for an example with a Redis server.
const WITH_REDIS: &str = "127.0.0.1:3002";

/// The page as text.
fn page() -> String {
    let code = read("src/guide/reasons.rs");
    let text = code.lines().map(|line| line.strip_prefix("//!").unwrap());
    text.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line)))
        .collect()
}

/// The reasons of one enum as the page has them, each with its section.
fn sections<'a>(page: &'a str, name: &str) -> Vec<(&'a str, &'a str)> {
    let (_, rest) = page.split_once(&format!(": `{name}`\n")).unwrap();
    let part = rest.split("\n# ").next().unwrap();
    let sections = part.split("\n## `").skip(1);
    sections
        .map(|section| section.split_once("`\n").unwrap())
        .collect()
}

/// Runs the commands of these sections, each against an example that was just started.
fn run(with_redis: bool) -> usize {
    demand("curl", "curl");
    let page = page();
    let mut ran = 0;
    for (name, fwd) in [
        ("MissReason", "fwd="),
        ("BypassReason", "fwd="),
        ("UncacheableReason", "fwd="),
    ] {
        for (word, section) in sections(&page, name) {
            let [(commands, shown)] = steps(section)[..] else {
                panic!("{word} has one block of commands");
            };
            if commands.contains(WITH_REDIS) != with_redis {
                continue;
            }
            ran += 1;
            assert!(
                shown.contains(fwd) || shown.contains("reason="),
                "{word}: {shown}"
            );
            let printed = if with_redis {
                against_redis(commands)
            } else {
                against(commands)
            };
            // A second may end anywhere.
            let seconds = |text: &str| text.replace("ttl=59", "ttl=60");
            assert_eq!(seconds(&printed), seconds(shown), "{name}, {word}:\n{commands}");
        }
    }
    ran
}

fn against(commands: &str) -> String {
    let example = Example::start_with_all_features("reasons", &[]);
    printed_by(&commands.replace("127.0.0.1:3001", &example.address))
}

#[cfg(feature = "redis")]
fn against_redis(commands: &str) -> String {
    demand("redis-cli", "redis-tools");
    let server = larder_testkit::RedisServer::start();
    let example = Example::start_with_all_features("reasons", &["--redis", &server.url()]);
    let port = server.addr().port().to_string();
    printed_by(
        &commands
            .replace(WITH_REDIS, &example.address)
            .replace("7379", &port),
    )
}

#[cfg(not(feature = "redis"))]
fn against_redis(_: &str) -> String {
    unreachable!("only the suite with the feature asks for it")
}

#[test]
fn the_page_has_each_reason_in_order_and_no_other() {
    let page = page();
    let words = |name: &str| -> Vec<String> {
        let sections = sections(&page, name).into_iter();
        sections.map(|(word, _)| word.to_owned()).collect()
    };
    let all = |words: Vec<&str>| -> Vec<String> { words.into_iter().map(str::to_owned).collect() };
    let (miss, bypass) = (MissReason::ALL.iter(), BypassReason::ALL.iter());
    assert_eq!(
        words("MissReason"),
        all(miss.map(|reason| reason.as_str()).collect())
    );
    assert_eq!(
        words("BypassReason"),
        all(bypass.map(|reason| reason.as_str()).collect())
    );
    let uncacheable = UncacheableReason::ALL.iter();
    assert_eq!(
        words("UncacheableReason"),
        all(uncacheable.map(|reason| reason.as_str()).collect())
    );
}

/// What the block of a reason shows is that reason: in `detail`, in the label of its metric, or in `fwd`.
#[test]
fn each_block_shows_its_own_reason() {
    let page = page();
    // These have no `detail`: `fwd` says it all.
    let forwarded = [
        ("absent", "fwd=uri-miss"),
        ("expired", "fwd=stale"),
        ("vary", "fwd=vary-miss"),
        ("request", "fwd=request"),
        ("method", "fwd=method"),
    ];
    for name in ["MissReason", "BypassReason", "UncacheableReason"] {
        for (word, section) in sections(&page, name) {
            let (_, shown) = steps(section)[0];
            let fwd = forwarded
                .iter()
                .find(|(own, _)| *own == word && name != "UncacheableReason");
            let says = match fwd {
                Some((_, fwd)) => {
                    shown.contains(&format!("{fwd};")) && !shown.contains("detail=") || shown.ends_with(fwd)
                }
                None => {
                    shown.ends_with(&format!("detail={word}"))
                        || shown.contains(&format!("reason=\"{word}\""))
                }
            };
            assert!(says, "{name}, {word}: {shown}");
        }
    }
}

#[test]
fn the_commands_in_memory_print_what_the_page_shows() {
    assert_eq!(run(false), 5 + 14 + 18);
}

#[cfg(feature = "redis")]
#[test]
fn the_commands_with_redis_print_what_the_page_shows() {
    assert_eq!(run(true), 6 + 2);
}

#[test]
fn the_page_starts_the_example_as_it_is() {
    let (page, example) = (page(), read("examples/reasons.rs"));
    assert!(page.contains("```sh\ncargo run --example reasons\n```"));
    assert!(
        example.contains("\"127.0.0.1:3001\"")
            && page.contains("--listen 127.0.0.1:3002 --redis redis://127.0.0.1:7379")
    );
}
