//! How an application says what happened, and leaves it to the library what that makes stale.
//!
//! Nobody wants to list keys after a change. An *action* has a name, says which tags it forgets, and stands in one place:
//!
//! ```
//! use axum::{Router, body::Body, extract::Path, routing::{get, post}};
//! use http::Request;
//! use larder::{ActionRule, Actions, Larder, RoutesWithLayers};
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), larder::Error> {
//! let actions = Actions::new()
//!     .with(ActionRule::new("team.member.add").tag("team:{team_id}").tag("ratings"))
//!     .with(ActionRule::new("energy_points.change").tag("ratings").identity("{user_id}"));
//! let larder = Larder::in_memory(1 << 20).with_actions(actions);
//!
//! let team = get(|Path(id): Path<u32>| async move { format!("team {id}") });
//! let app: Router = Router::new()
//!     .cached_route("/teams/{team_id}", team, larder.hot_cache("teams").tag("team:{team_id}"))
//!     .invalidating_route("/teams/{team_id}/members", post(|| async {}), larder.invalidates("team.member.add"));
//!
//! let ask = |uri: &'static str| {
//!     let asked = app.clone().oneshot(Request::get(uri).body(Body::empty()).unwrap());
//!     async { asked.await.unwrap().headers()["x-cache"].clone() }
//! };
//! assert_eq!((ask("/teams/7").await, ask("/teams/8").await), ("MISS".parse().unwrap(), "MISS".parse().unwrap()));
//! let add = Request::post("/teams/7/members").body(Body::empty()).unwrap();
//! app.clone().oneshot(add).await.unwrap(); // when its answer is here, the old team is not served any more
//! assert_eq!(ask("/teams/7").await, "MISS");
//! assert_eq!(ask("/teams/8").await, "HIT");
//!
//! // Where there is no route, in a scheduler say:
//! larder.invalidate_for_action("team.member.add", [("team_id", 8)]).await?;
//! assert_eq!(ask("/teams/8").await, "MISS");
//! # Ok(()) }
//! ```
//!
//! What an application says often is a line of its own:
//!
//! ```
//! # use larder::{Error, Larder};
//! async fn invalidate_user(larder: &Larder, id: u64) -> Result<(), Error> {
//!     larder.invalidate_for_action("energy_points.change", [("user_id", id)]).await.map(drop)
//! }
//! ```
//!
//! With the features `toml` and `json`, actions come from a file: [`Actions::from_toml`](crate::Actions#method.from_toml).
//!
//! # Tags with placeholders
//!
//! | Placeholder | On a layer that caches | In an action |
//! |---|---|---|
//! | `{team_id}` | the parameter of the route's path | the parameter of that name: of the call, or on a route of its path, a [source](crate::InvalidateLayer::parameter) or the [handler](crate::Parameters) |
//! | `{query.page}` | the query's parameter `page`, if it counts for the key | the parameter of that name |
//! | `{identity}` | the identity of a `user_cache` | the parameter of that name |
//!
//! - **A value that is missing or empty** keeps a response out of the cache, with the reason `unresolved_tag` and an error in
//!   the log; an action by name or type is an error then, and forgets nothing. Routes that are declared with
//!   [`cached_route` and `invalidating_route`](crate::RoutesWithLayers) are checked when the router is built.
//! - **Tags are compared whole.** No value makes a tag mean more than itself. In paths and URIs, where a slash or a dot
//!   would, such values are refused.
//! - **`007` and `7`** are one number for a handler that reads numbers, and two paths. The entry for `/teams/007` carries both
//!   tags, so that it is forgotten under either. The same holds for UUIDs in capitals. A handler that takes other
//!   spellings for the same adds the tag by [`CacheHints`](crate::CacheHints).
//!
//! # The layer for routes that change something
//!
//! [`InvalidateLayer`](crate::InvalidateLayer), from [`Larder::invalidates`](crate::Larder::invalidates):
//!
//! | What became of the request | What is forgotten |
//! |---|---|
//! | 2xx, 3xx | its own URI, what its answer names, what its actions say; before the answer leaves |
//! | 5xx, an error, a panic, the client went away | the same without what the answer would have named, if need be in a task of its own: nobody knows whether it happened |
//! | 4xx, a safe method | nothing |
//!
//! Commit before you answer: a handler that answers and commits later is read too early by whoever comes between.
//!
//! **When it fails** the answer says `X-Invalidation: failed; reason=store` (or `unresolved`: a placeholder had no value); the
//! log has an error, the metrics count it, and with [`fail_answers`](crate::InvalidateLayer::fail_answers) the answer is a 503.
//! What the store could not forget goes to a journal of [bounded size](crate::JournalLimits), from which it is retried until it
//! is done; when the journal is full, everything is forgotten in its place.
//! [`shutdown`](crate::Larder::shutdown) retries to the last. A process that is killed takes its journal with it.
//!
//! # What is forgotten by whom
//!
//! [`Larder::coverage`](crate::Larder::coverage) compares actions with layers, as a table, as a
//! [graph](crate::Coverage::mermaid) for Mermaid, and as [warnings](crate::Coverage::warnings) of what is cached and never
//! forgotten, and forgotten and never cached:
//!
//! ```
//! # use axum::{Router, routing::get};
//! # use larder::{ActionRule, Actions, Larder, RoutesWithLayers};
//! let actions = Actions::new().with(ActionRule::new("team.member.add").tag("team:{team_id}"));
//! let larder = Larder::in_memory(1 << 20).with_actions(actions);
//! let (teams, ratings) = (larder.hot_cache("teams").tag("team:{id}"), larder.hot_cache("ratings").tag("ratings"));
//! let app: Router = Router::new()
//!     .cached_route("/teams/{id}", get(|| async { "…" }), teams)
//!     .cached_route("/ratings", get(|| async { "…" }), ratings);
//! assert_eq!(larder.coverage().to_string(), "\
//! action           forgets           makes stale
//! team.member.add  `team:{team_id}`  /teams/{id} (teams)
//! ");
//! assert_eq!(larder.coverage().warnings(), [
//!     "`ratings` of the layer `ratings` is cached and forgotten by no action",
//! ]);
//! # drop(app);
//! ```
