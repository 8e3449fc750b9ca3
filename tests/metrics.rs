//! The metrics: the table of the guide has each of them, with all labels and values, and no other; and each request has one
//! outcome.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "metrics/functions.rs"]
mod functions;
#[cfg(feature = "idempotency")]
#[path = "metrics/idempotency.rs"]
mod idempotency;
#[path = "metrics/locks.rs"]
mod locks;
#[path = "metrics/memory.rs"]
mod memory;
#[path = "metrics/record.rs"]
mod record;
#[cfg(feature = "redis")]
#[path = "metrics/redis.rs"]
mod redis;
mod support_flows;
mod support_metrics;

use std::collections::BTreeSet;
use std::path::Path;

use record::{Recording, Seen};
use support_metrics::{Kind, table};
use tokio::runtime::{Builder, Runtime};

/// The names that this suite gives to what has a name of the application's.
const NAMES: &[(&str, &[&str])] = &[
    (
        "cache",
        &["shared", "user", "small", "gateway", "function", "local", "-"],
    ),
    ("backend", &["failing", "memory", "redis"]),
    ("lock", &["payment"]),
    ("node", &["here", "127.0.0.1:1"]),
    ("store", &["memory", "down"]),
];

/// Where time passes as soon as all wait for it.
fn paused() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().unwrap()
}

#[cfg(feature = "redis")]
fn real() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Everything, and how many requests the layers in memory had.
fn drive() -> (Vec<Seen>, usize) {
    let (seen, requests) = Recording::of(&paused(), async |_| memory::drive().await);
    let mut all = vec![seen];
    all.push(Recording::of(&paused(), async |_| functions::drive().await).0);
    all.push(Recording::of(&paused(), async |_| locks::drive().await).0);
    #[cfg(feature = "idempotency")]
    all.push(Recording::of(&paused(), async |_| idempotency::drive().await).0);
    #[cfg(feature = "redis")]
    {
        all.push(Recording::of(&real(), async |recording| redis::drive(recording).await).0);
        all.push(Recording::of(&real(), async |_| locks::on_redis().await).0);
    }
    (all, requests)
}

#[test]
fn what_is_counted_is_what_the_table_says() {
    let (all, requests) = drive();
    let table = table();
    for (name, labels, kind, _) in all.iter().flat_map(Seen::series) {
        let declared = table
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not in the table"));
        assert_eq!(kind, declared.kind, "{name}");
        let keys: BTreeSet<_> = labels.keys().collect();
        assert_eq!(keys, declared.labels.keys().collect(), "{name}");
        for (key, value) in labels {
            let values = &declared.labels[key];
            let names = NAMES.iter().find(|(label, _)| label == key);
            let known = match names {
                Some((_, names)) => values.is_empty() && names.contains(&&**value),
                None => values.contains(value),
            };
            assert!(known, "{name}: {key} is {value:?}");
        }
    }
    let secrets = format!("{all:?}").contains("secret");
    assert!(!secrets, "something of a request is in a label");
    let counted = all[0].total("larder_cache_requests_total", &[]);
    assert_eq!(counted, requests, "one outcome for each");
    let bypassed = all[0].total("larder_cache_requests_total", &[("outcome", "bypass")]);
    assert_eq!(
        all[0].total("larder_cache_bypass_total", &[]),
        bypassed,
        "one reason for each"
    );
    for seen in &all[..2] {
        assert_eq!(
            seen.total("larder_cache_load_inflight", &[]),
            0,
            "nothing runs any more"
        );
    }
    #[cfg(all(feature = "redis", feature = "idempotency"))]
    complete(&all, &table);
}

/// What the table has is counted, but for the values that are named here.
#[cfg(all(feature = "redis", feature = "idempotency"))]
fn complete(all: &[Seen], table: &std::collections::BTreeMap<String, support_metrics::Declared>) {
    let counted =
        |name: &str, labels: &[(&str, &str)]| all.iter().map(|seen| seen.total(name, labels)).sum::<usize>();
    let mut missing = BTreeSet::new();
    for (name, declared) in table {
        let seen = all.iter().flat_map(Seen::series).any(|(own, ..)| own == name);
        // A gauge may be back at nothing.
        assert!(
            seen && (declared.kind == Kind::Gauge || counted(name, &[]) > 0),
            "{name} was never counted"
        );
        for (label, values) in &declared.labels {
            let absent = values
                .iter()
                .filter(|value| counted(name, &[(label, value)]) == 0);
            missing.extend(
                absent
                    .filter(|_| declared.kind != Kind::Gauge)
                    .map(|value| format!("{name} {label} {value}")),
            );
        }
    }
    let elsewhere: BTreeSet<String> = ELSEWHERE
        .iter()
        .flat_map(|(name, label, values)| values.iter().map(move |value| format!("{name} {label} {value}")))
        .collect();
    let undriven: Vec<_> = missing.difference(&elsewhere).collect();
    assert!(
        undriven.is_empty(),
        "in the table, and not brought about: {undriven:#?}"
    );
    for (name, label, values) in ELSEWHERE {
        let declared = &table[*name].labels[*label];
        assert!(
            values.iter().all(|value| declared.iter().any(|own| own == value)),
            "{name} {label}"
        );
    }
}

/// Values that need faults which this suite does not make: the suites of the crates that count them do.
#[cfg(all(feature = "redis", feature = "idempotency"))]
const ELSEWHERE: &[(&str, &str, &[&str])] = &[
    (
        "larder_backend_duration_seconds",
        "result",
        &["io", "loading", "oom", "protocol", "readonly", "unavailable"],
    ),
    (
        "larder_backend_errors_total",
        "kind",
        &["loading", "oom", "protocol", "readonly"],
    ),
    ("larder_cache_refresh_total", "trigger", &["outlived"]),
    ("larder_coherence_lapses_total", "reason", &["server"]),
    (
        "larder_idempotency_lost_total",
        "cause",
        &["error", "gone", "unwritten"],
    ),
    (
        "larder_idempotency_not_kept_total",
        "reason",
        &["incomplete", "no_room", "streaming"],
    ),
    (
        "larder_idempotency_requests_total",
        "outcome",
        &[
            "no_principal_403",
            "overloaded_503",
            "rerun",
            "unprotected",
            "unreadable_400",
        ],
    ),
    (
        "larder_idempotency_store_errors_total",
        "kind",
        &["evicting", "full", "io", "protocol", "timeout"],
    ),
    ("larder_lock_extend_total", "result", &["no_quorum"]),
    ("larder_lock_lost_total", "cause", &["expired", "quorum"]),
    (
        "larder_lock_node_errors_total",
        "kind",
        &[
            "clock_skew",
            "evicting",
            "protocol",
            "quarantined",
            "refused",
            "timeout",
        ],
    ),
    (
        "larder_replay_requests_total",
        "outcome",
        &[
            "forgotten_401",
            "malformed_400",
            "outdated_401",
            "store_error",
            "too_large_413",
            "unreadable_400",
        ],
    ),
];

/// Names say what they are: a counter is a total, and what has a unit has it in its name.
#[test]
fn names_follow_the_conventions_of_prometheus() {
    for (name, declared) in table() {
        assert_eq!(name.ends_with("_total"), declared.kind == Kind::Counter, "{name}");
        for unit in ["seconds", "bytes", "milliseconds"] {
            let named = name.split('_').any(|word| word == unit);
            assert_eq!(named, declared.unit == unit, "{name} is in {}", declared.unit);
        }
        assert!(
            name.starts_with("larder_")
                && declared
                    .labels
                    .keys()
                    .all(|label| label != "le" && label != "quantile")
        );
    }
}

/// The crates that stand on their own have tables of their own.
#[test]
fn the_tables_of_the_crates_have_the_same_names() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    for (folder, prefixes) in [
        ("lock", &["larder_lock_"][..]),
        ("idempotency", &["larder_idempotency_", "larder_replay_"]),
    ] {
        let docs = std::fs::read_to_string(root.join(folder).join("src/lib.rs")).unwrap();
        let rows = docs
            .lines()
            .filter_map(|line| line.strip_prefix("//! | `larder_"));
        let named: BTreeSet<String> = rows
            .map(|row| format!("larder_{}", row.split('`').next().unwrap()))
            .collect();
        let own = |name: &String| prefixes.iter().any(|prefix| name.starts_with(prefix));
        assert_eq!(named, table().into_keys().filter(own).collect());
    }
}

/// No code counts under a name that the table does not have.
#[test]
fn every_name_in_the_code_is_in_the_table() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let (mut folders, mut named) = (vec![crates], BTreeSet::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let code = std::fs::read_to_string(&path).unwrap();
                for call in ["counter!(", "gauge!(", "histogram!("] {
                    let calls = code
                        .split(call)
                        .skip(1)
                        .filter_map(|rest| rest.trim_start().strip_prefix('"'));
                    named.extend(calls.map(|rest| rest.split('"').next().unwrap().to_owned()));
                }
            }
        }
    }
    assert_eq!(named, table().into_keys().collect());
}
