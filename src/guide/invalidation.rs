//! How entries are forgotten, and what is promised then.
//!
//! | Call | Forgets |
//! |---|---|
//! | [`invalidate_tag`](crate::Larder::invalidate_tag), [`invalidate_tags`](crate::Larder::invalidate_tags) | all entries with one of the tags |
//! | [`invalidate_identity`](crate::Larder::invalidate_identity) | all entries of one identity |
//! | [`invalidate_prefix`](crate::Larder::invalidate_prefix) | the path and all below it, by whole segments |
//! | [`invalidate_uri`](crate::Larder::invalidate_uri) | one path and query, in any order of its parameters, without those the layer ignores; for every host, header and identity |
//! | [`invalidate_key`](crate::Larder::invalidate_key) | the value of one key, among the results of [functions](super::functions) |
//! | [`invalidate_all`](crate::Larder::invalidate_all) | everything |
//! | [`invalidate_for_action`](crate::Larder::invalidate_for_action), [`invalidate_for`](crate::Larder::invalidate_for) | what [an action](super::actions) makes stale |
//! | [`intend`](crate::Larder::intend) | what its tags stand for, before the change is made and again when it is over |
//! | [`sweep_tags`](crate::Larder::sweep_tags), [`sweep_paths`](crate::Larder::sweep_paths) | the tags or paths that match a pattern: for maintenance, since it looks at every entry, in steps |
//!
//! Each forgets *hard*: what was kept is not served again. With [`.soft()`](crate::Invalidation::soft) before `.await` it is
//! served stale, within the `stale_while_revalidate` of its layer, while one background fill replaces it.
//!
//! Each but the last costs the same for one entry as for a million, and forgetting what nobody cached leaves nothing behind.
//! [`Tag::layer`](crate::Tag::layer) in `invalidate_tag` forgets what one layer kept.
//!
//! # Where tags come from
//!
//! From the layer, for all its entries, or [with placeholders](super::actions#tags-with-placeholders) for each by its request;
//! from the handler, for what only it knows; and without asking from the URI, the
//! path, the identity and the layer's name.
//!
//! ```
//! use axum::{Json, Router, body::Body, extract::Path, response::IntoResponse, routing::get};
//! use http::Request;
//! use larder::{CacheHints, Larder};
//! use tower::ServiceExt;
//!
//! async fn team(Path(id): Path<u32>) -> impl IntoResponse {
//!     let owner = 7; // read with the team
//!     (CacheHints::new().tag(format!("team:{id}")).tag(format!("owner:{owner}")), Json(id))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), larder::Error> {
//! let larder = Larder::in_memory(1 << 20);
//! let app: Router = Router::new()
//!     .route("/teams/{id}", get(team).layer(larder.hot_cache("teams").tag("teams")));
//! let ask = || async {
//!     let request = Request::get("/teams/1").body(Body::empty()).unwrap();
//!     app.clone().oneshot(request).await.unwrap().headers()["x-cache"].clone()
//! };
//!
//! assert_eq!(ask().await, "MISS");
//! assert_eq!(ask().await, "HIT");
//! larder.invalidate_tag("owner:7").await?;
//! assert_eq!(ask().await, "MISS");
//! larder.invalidate_prefix("/teams").await?;
//! assert_eq!(ask().await, "MISS");
//! larder.invalidate_prefix("/team").await?; // not a whole segment of /teams/1
//! larder.invalidate_tag("/teams").await?; // a name of yours: not the path
//! assert_eq!(ask().await, "HIT");
//! # Ok(()) }
//! ```
//!
//! # The promise
//!
//! When the call returns `Ok`, no request that arrives later in this process is answered with a response whose making
//! began before the call. That holds for
//!
//! - entries in the store;
//! - **fills under way**: the handler may have read the old data, so what it makes is not kept (with the embedded
//!   store its own answer says `detail=stamp`), and requests that arrive after the call do not wait for it;
//! - tags that the handler names only in its response;
//! - stale answers: [`stale_while_revalidate`](crate::CacheLayer::stale_while_revalidate) and
//!   [`stale_if_error`](crate::CacheLayer::stale_if_error) do not serve what was forgotten.
//!
//! Invalidations know no clock: none is lost to two of them in one millisecond.
//!
//! # Transactions
//!
//! Invalidate after the commit. A process that dies between the two leaves what was kept before; where that must not be,
//! announce the change before the transaction, and finish it when it is over, whichever way. With sqlx:
//!
//! ```
//! # // What sqlx has, as far as it is used here.
//! # mod sqlx {
//! #     pub struct PgPool;
//! #     pub struct Transaction;
//! #     pub type Result<T> = std::result::Result<T, std::io::Error>;
//! #     impl PgPool { pub async fn begin(&self) -> Result<Transaction> { Ok(Transaction) } }
//! #     impl Transaction { pub async fn commit(self) -> Result<()> { Ok(()) } }
//! #     pub struct Query;
//! #     pub fn query(_: &str) -> Query { Query }
//! #     impl Query {
//! #         pub fn bind(self, _: i64) -> Self { self }
//! #         pub async fn execute(self, _: &mut Transaction) -> Result<()> { Ok(()) }
//! #     }
//! # }
//! use std::time::Duration;
//! use larder::{Larder, Tag};
//!
//! async fn add_points(larder: &Larder, pool: &sqlx::PgPool, user: i64, points: i64) -> Result<(), Box<dyn std::error::Error>> {
//!     let tags = [Tag::new(format!("user:{user}")), Tag::new("ratings")];
//!     // Nothing with these tags is served from here on. It ends by itself if this process dies.
//!     let intent = larder.intend(tags, Duration::from_secs(10)).await?;
//!     let changed = async {
//!         let mut transaction = pool.begin().await?;
//!         // It must be over before what was announced ends.
//!         sqlx::query("SET LOCAL statement_timeout = '5s'").execute(&mut transaction).await?;
//!         let add = sqlx::query("UPDATE users SET points = points + $2 WHERE id = $1").bind(user).bind(points);
//!         add.execute(&mut transaction).await?;
//!         transaction.commit().await
//!     };
//!     let changed = changed.await;
//!     // Committed, rolled back, or nobody knows: what was kept before is forgotten.
//!     intent.finish().await?;
//!     Ok(changed?)
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() { add_points(&Larder::in_memory(1 << 20), &sqlx::PgPool, 7, 5).await.unwrap(); }
//! ```
//!
//! Without the announcement it is `transaction.commit().await?; larder.invalidate_tags(tags).await?;`. Where the process is to be
//! sure that it forgets although its client goes away, an [`InvalidateLayer`](crate::InvalidateLayer) around the route does it.
//!
//! # Its limits
//!
//! - **Commit first.** Invalidate after the transaction committed. A handler that starts between your call and your
//!   commit reads the old data and is kept.
//! - **Read from where you wrote.** A handler that reads from a replica may see the old data after your commit. Then
//!   invalidate again when the replica has caught up, or give the layer a short lifetime.
//! - **One process**, with the embedded store: other instances have stores of their own and learn nothing of the call. On
//!   Redis it holds for all instances; see [guarantees](super::guarantees).
//! - **Copies elsewhere.** What was sent with `max-age` stays in browsers and proxies until it ends. The presets other
//!   than `static_cache` send `no-cache`, so clients ask each time.
//! - **Requests that were there before.** One that arrived before the call returned may get either.
//! - **An error is "unknown".** The entries may or may not be gone. Repeat the call, or
//!   [switch the layers off](crate::Larder::set_enabled). The embedded store does not fail; that on Redis
//!   repeats the call by itself, and serves nothing here until it was carried out.
//!
//! [`Invalidated::known`](crate::Invalidated) says how many of the tags were carried by an entry: zero for a tag that
//! ought to be in use is a sign of a misspelling.
