//! Locks, in memory and on a server that fails.

use std::sync::Arc;
use std::time::Duration;

use larder::lock::{Lock, LockOptions, Locker, MemoryNode, OnUnavailable, Outcome};
use tokio::time::sleep;

const TTL: Duration = Duration::from_secs(3);

fn lock() -> Lock {
    Lock::new("payment", "secret")
}

pub(crate) async fn drive() {
    let node = Arc::new(MemoryNode::new("here"));
    let locker = || Locker::builder().shared_node(node.clone()).build();
    let (here, there) = (locker(), locker());
    let outcome = here.with_lock(lock(), TTL, async |_| {
        drop(there.acquire(lock(), TTL).await.unwrap_err());
        let wait = LockOptions::new(TTL).wait(TTL / 30);
        drop(there.acquire(lock(), wait).await.unwrap_err());
        sleep(TTL / 2).await;
    });
    assert!(matches!(outcome.await, Outcome::Ran(())));
    let lost = here.with_lock(lock(), TTL, async |lease| {
        node.forget(Duration::ZERO);
        lease.lost().await
    });
    assert!(matches!(lost.await, Outcome::Lost { .. }));
    let longest = LockOptions::new(TTL).max_hold(TTL);
    let held = here.with_lock(lock(), longest, async |lease| lease.lost().await);
    assert!(matches!(held.await, Outcome::Lost { .. }));
}

/// On a server that is not there.
#[cfg(feature = "redis")]
pub(crate) async fn on_redis() {
    let node = larder::lock::RedisNode::new("redis://127.0.0.1:1").unwrap();
    let locker = Locker::builder().node(node).build();
    let options = LockOptions::new(TTL).on_unavailable(OnUnavailable::RunUnlocked);
    let outcome = locker.with_lock(lock(), options, async |_| ()).await;
    assert!(matches!(outcome, Outcome::RanUnlocked(())));
}
