//! Values of functions: stale ones, early refreshes, and runs that are too slow or fail.

use std::future::pending;
use std::time::Duration;

use larder::{CacheHints, FillPolicy, Larder, MemoryStore, Values};
use larder_testkit::{Call, FailingStore, Mode};

use crate::support_flows::with_store;

const SECOND: Duration = Duration::from_secs(1);

fn values() -> Values<u64> {
    let policy = FillPolicy::new("function").ttl(SECOND * 10);
    policy
        .stale_while_revalidate(SECOND * 10)
        .stale_if_error(SECOND * 60)
        .background_timeout(SECOND)
        .json()
}

pub(crate) async fn drive() {
    let store = FailingStore::new(MemoryStore::with_capacity(8 << 20));
    let (larder, clock) = with_store(store.clone(), |_| {});
    let values = values();
    for expected in [1, 1] {
        let value = larder
            .get_or_fill("secret", &values, || async { Ok::<_, ()>(1) })
            .await;
        assert_eq!(value, Ok(expected));
    }
    clock.advance(SECOND * 11);
    // One that hangs is stopped.
    let slot = larder.slot("secret", &values);
    assert_eq!(slot.get_or_refresh(pending::<Result<u64, ()>>).await, Ok(1));
    larder.idle().await;
    // So is one whose caller left.
    let missed = larder.slot("left", &values).look().unwrap_err();
    let left = missed.outlive_from((), |()| Vec::new(), |()| pending::<Result<u64, ()>>());
    tokio::time::timeout(SECOND, left).await.unwrap_err();
    larder.idle().await;
    soft(&larder, &clock).await;
    let unkept = values.clone().hints(|_| CacheHints::new().no_store());
    let filled = larder
        .get_or_fill("unkept", &unkept, || async { Ok::<_, ()>(2) })
        .await;
    assert_eq!(filled, Ok(2));
    store.set(Call::Lookup, Mode::Error);
    let failed = larder
        .get_or_fill("secret", &values, || async { Err::<u64, _>(()) })
        .await;
    assert_eq!(failed, Err(()));
    store.set(Call::Lookup, Mode::Ok);
    larder.set_enabled(false);
    let past = larder
        .get_or_fill("secret", &values, || async { Ok::<_, ()>(3) })
        .await;
    assert_eq!(past, Ok(3));
    larder.set_enabled(true);
    // Another program has another type under the name.
    let other: Values<String> = FillPolicy::new("function").json();
    let text = || async { Ok::<_, ()>("text".to_owned()) };
    assert_eq!(larder.get_or_fill("secret", &other, text).await, text().await);
}

/// A value is past its use, and its run takes longer than its caller waits.
async fn soft(larder: &Larder, clock: &larder::FakeClock) {
    let soft: Values<u64> = FillPolicy::new("function")
        .ttl(SECOND)
        .stale_if_error(SECOND * 60)
        .soft_timeout(SECOND)
        .background_timeout(SECOND)
        .json();
    let one = || async { Ok::<_, ()>(1) };
    larder.get_or_fill("soft", &soft, one).await.unwrap();
    clock.advance(SECOND * 2);
    let hangs = || pending::<Result<u64, ()>>();
    assert_eq!(larder.slot("soft", &soft).get_or_refresh(hangs).await, Ok(1));
    larder.idle().await;
}
