//! What one instance has in its memory, and several share on a Redis server: the cache, the locks, and the keys of purchases.

use std::error::Error;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::request::Parts;
use larder::idempotency::{IdempotencyLayer, MemoryRecords, Principal, RedisRecords};
use larder::lock::{Locker, RedisNode};
use larder::{Larder, RedisStore};

use crate::args::Args;
use crate::user::User;

/// The longest that a lock may be asked for: for so long a server gives none away that may have forgotten some, as one that is new.
pub(crate) const LONGEST_LOCK: Duration = Duration::from_secs(5);

/// The cache with its locks, and the layer that lets each purchase run once.
pub(crate) async fn connect(args: &Args) -> Result<(Larder, IdempotencyLayer), Box<dyn Error>> {
    let Some(url) = &args.redis else {
        let records = MemoryRecords::with_capacity(64 << 20);
        return Ok((
            Larder::from_env()?,
            per_user(IdempotencyLayer::per_principal(records, user)),
        ));
    };
    let store = RedisStore::builder(url)
        .namespace("community")
        .coherence(args.coherence);
    let node = RedisNode::builder(url)
        .prefix("community:lock")
        .max_ttl(LONGEST_LOCK)
        .build()?;
    // A server that evicts keys is refused: a lock that is evicted is given away twice.
    node.check().await?;
    let larder = Larder::builder(store.connect().await?)
        .locker(Locker::builder().node(node).build())
        .build();
    let records = RedisRecords::connect_with_prefix(url, "community:idem").await?;
    Ok((larder, per_user(IdempotencyLayer::per_principal(records, user))))
}

fn per_user(layer: IdempotencyLayer) -> IdempotencyLayer {
    // What could not be bought may be asked for again.
    layer.not_begun(StatusCode::SERVICE_UNAVAILABLE)
}

fn user(parts: &Parts) -> Option<Principal> {
    User::of(&parts.headers).map(|user| Principal::new(user.name()))
}
