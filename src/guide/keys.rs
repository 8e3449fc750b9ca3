//! Which requests share an entry.
//!
//! Two requests share an entry if all of these are equal:
//!
//! | Part | From | Changed with |
//! |---|---|---|
//! | the layer's name | its constructor | [`share_name`](crate::CacheLayer::share_name) |
//! | the host | the URI's authority and the `Host` line, each byte for byte | [`hosts`](crate::CacheLayer::hosts) limits them |
//! | the path | what the client sent; inside a `nest`, also what the layer sees | - |
//! | the query | parameters ordered by name | [`query`](crate::CacheLayer::query), [`ignore_query`](crate::CacheLayer::ignore_query) |
//! | chosen headers | their values | [`key_header`](crate::CacheLayer::key_header) |
//! | parts of your own | your function | [`key_part`](crate::CacheLayer::key_part) |
//! | the identity | the check of a `user_cache` | [`identity`](super::identity) |
//! | the values of what the response names in `Vary` | the response | - |
//!
//! The method is not in the key: the entry of a GET answers HEAD too. The whole key is kept and compared; a hash only
//! finds the place.
//!
//! # Query
//!
//! `?a=1&b=2` and `?b=2&a=1` share an entry; `?id=1&id=2` and `?id=2&id=1` do not, because a handler may tell them
//! apart. A parameter that does not count is hidden from the handler as well, so nobody can put into a shared entry
//! what its key does not show.
//!
//! ```
//! use larder::{Larder, QueryKey};
//!
//! let larder = Larder::in_memory(64 << 20);
//! let products = larder.public_cache("products").ignore_query(["utm_source", "utm_medium"]);
//! let pages = larder.public_cache("pages").query(QueryKey::Only(vec!["page".into()]));
//! # drop((products, pages));
//! ```
//!
//! Every other query makes an entry: random parameters fill the memory, and what was asked for once leaves it first.
//! Where clients are not trusted, [`QueryKey::Only`](crate::QueryKey::Only) is the safe choice.
//!
//! # Hosts
//!
//! Each host has entries of its own, because a handler may build links from it. A client can send any `Host`; let a
//! proxy in front refuse strange ones, or name the hosts that count.
//!
//! # Headers
//!
//! A response that says `Vary: Accept-Language` is kept once for each value, without a setting. The handler sees only
//! [some headers](super::presets#requests), so only those can be varied by; others are let through with
//! [`key_header`](crate::CacheLayer::key_header), which also puts them into the key from the start and into `Vary`.
//!
//! ```
//! use axum::{Router, routing::get};
//! use http::{HeaderMap, Request};
//! use larder::Larder;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let larder = Larder::in_memory(1 << 20);
//! let app: Router = Router::new().route(
//!     "/prices",
//!     get(|headers: HeaderMap| async move { format!("{:?}", headers.get("x-currency")) })
//!         .layer(larder.public_cache("prices").key_header("x-currency")),
//! );
//! let ask = |currency: &str| {
//!     let request = Request::get("/prices").header("x-currency", currency);
//!     app.clone().oneshot(request.body(axum::body::Body::empty()).unwrap())
//! };
//! assert_eq!(ask("EUR").await.unwrap().headers()["x-cache"], "MISS");
//! assert_eq!(ask("CHF").await.unwrap().headers()["x-cache"], "MISS");
//! let hit = ask("EUR").await.unwrap();
//! assert_eq!((&hit.headers()["x-cache"], &hit.headers()["vary"]), (&"HIT".parse().unwrap(), &"x-currency".parse().unwrap()));
//! # }
//! ```
//!
//! # Parts of your own
//!
//! [`key_part`](crate::CacheLayer::key_part) reads what outer layers found out, a tenant in the extensions, say. It runs
//! on every request of the layer, hits included. Whatever a handler takes from extensions or from the connection and
//! puts into a shared answer must be in the key this way: extensions are not hidden.
//!
//! # Names
//!
//! A name is the same on every instance and after every deploy. Two layers made at different places of the code must
//! not have the same name: the second is refused, by a panic when it is laid around its service, which is at start.
//! [`share_name`](crate::CacheLayer::share_name) allows it where both are to answer with each other's entries.
