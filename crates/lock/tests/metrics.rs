//! What is counted, and that no label has the id of a lock.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use larder_lock::{Lock, LockOptions, OnUnavailable, Outcome};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use support::{Fault, Nodes, ms};
use tokio::time::sleep;

const TTL: Duration = Duration::from_secs(3);

fn secret() -> Lock {
    Lock::new("payment", "alice@example.org")
}

async fn everything_once() {
    let nodes = Nodes::new(3);
    let (here, there) = (nodes.locker(), nodes.locker());
    let ran = here.with_lock(secret(), TTL, async |_| {
        drop(there.acquire(secret(), TTL).await.unwrap_err());
        drop(
            there
                .acquire(secret(), LockOptions::new(TTL).wait(ms(100)))
                .await
                .unwrap_err(),
        );
        sleep(TTL / 2).await;
    });
    assert!(matches!(ran.await, Outcome::Ran(())));
    let lost = here.with_lock(secret(), TTL, async |lease| {
        nodes.0.iter().for_each(|node| node.node.forget(Duration::ZERO));
        lease.lost().await
    });
    assert!(matches!(lost.await, Outcome::Lost { .. }));
    nodes.set(0..3, Fault::Down);
    let options = LockOptions::new(TTL).on_unavailable(OnUnavailable::RunUnlocked);
    assert!(matches!(
        here.with_lock(secret(), options, async |_| ()).await,
        Outcome::RanUnlocked(())
    ));
}

#[test]
fn everything_is_counted_by_kind() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(everything_once());
    });
    let mut counted = Vec::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let key = key.key();
        let labels: Vec<&str> = key.labels().map(metrics::Label::value).collect();
        assert!(!labels.iter().any(|label| label.contains("alice")), "{labels:?}");
        let value = match value {
            DebugValue::Counter(count) => count.to_string(),
            DebugValue::Gauge(level) => level.to_string(),
            DebugValue::Histogram(values) => format!("{} values", values.len()),
        };
        counted.push(format!("{} {} {value}", key.name(), labels.join(",")));
    }
    counted.sort();
    let wanted = [
        "larder_lock_acquire_total payment,acquired 2",
        "larder_lock_acquire_total payment,busy 1",
        "larder_lock_acquire_total payment,no_quorum 1",
        "larder_lock_acquire_total payment,timeout 1",
        "larder_lock_extend_total payment,extended 1",
        "larder_lock_extend_total payment,not_owner 1",
        "larder_lock_held payment 0",
        "larder_lock_hold_seconds payment 2 values",
        "larder_lock_lost_total payment,not_owner 1",
        "larder_lock_unlocked_runs_total payment 1",
        "larder_lock_validity_left_seconds payment 2 values",
        "larder_lock_wait_seconds payment 5 values",
    ];
    for line in wanted {
        assert!(
            counted.iter().any(|counted| counted == line),
            "{line} in {counted:#?}"
        );
    }
    assert!(
        counted
            .iter()
            .any(|line| line.starts_with("larder_lock_node_errors_total node-0,io"))
    );
}
