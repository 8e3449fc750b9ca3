//! How one user's answers are kept from another.
//!
//! # Shared layers
//!
//! A shared layer (`hot_cache`, `public_cache`, `static_cache`, `cache`) has no part in a request that carries a
//! credential: `Authorization`, `Cookie`, `Proxy-Authorization`, `X-Api-Key`, `X-Auth-Token`, `X-Amz-Security-Token`,
//! `X-Forwarded-User`, `X-Forwarded-Email`, `X-Remote-User`, `X-Auth-Request-User`, `X-Auth-Request-Email`, and what
//! [`identity_header`](crate::CacheLayer::identity_header) adds. The handler answers, nothing is kept, and
//! `Cache-Status` says `fwd=bypass; detail=authorization` (or `cookie`, `identity_header`).
//!
//! Two ways around it are yours to guard:
//!
//! - If your users are known by something else (a client certificate, a private header, a query parameter), name the
//!   header, or use a `user_cache`.
//! - Headers are hidden from the handler, request extensions are not. A handler in a shared layer must not answer with
//!   what an outer layer put there about the user.
//!
//! # `user_cache`
//!
//! [`user_cache`](crate::Larder::user_cache) takes a function that finds out *and verifies* who asks. It runs on every
//! request of the layer. **On a hit it is the only check there is**: the handler does not run. It has to refuse what is
//! forged, expired or revoked.
//!
//! | [`Verdict`](crate::Verdict) | Means | The request |
//! |---|---|---|
//! | `Verified(identity)` | the credential is valid now | has entries of its own |
//! | `Anonymous` | there is no credential at all | bypass; with [`share_anonymous`](crate::CacheLayer::share_anonymous) one entry for all of them |
//! | `Rejected` | there is one, and it is not good | bypass: the handler says 401 |
//!
//! `None` from an `Option<Identity>` is `Rejected`.
//!
//! With axum, the extractor that your handlers take is the check:
//!
//! ```
//! use axum::{Router, body::Body, extract::FromRequestParts, routing::get};
//! use http::{Request, StatusCode, header::AUTHORIZATION, request::Parts};
//! use larder::{Identity, Larder, from_extractor};
//! use tower::ServiceExt;
//!
//! #[derive(Clone)]
//! struct Sessions;
//! struct User(String);
//!
//! impl FromRequestParts<Sessions> for User {
//!     type Rejection = StatusCode;
//!     async fn from_request_parts(parts: &mut Parts, _: &Sessions) -> Result<Self, StatusCode> {
//!         // Looks the session up; here two of them are valid.
//!         match parts.headers.get(AUTHORIZATION).map(|token| token.as_bytes()) {
//!             Some(b"Bearer t1") => Ok(User("ada".into())),
//!             Some(b"Bearer t2") => Ok(User("grace".into())),
//!             _ => Err(StatusCode::UNAUTHORIZED),
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let larder = Larder::in_memory(1 << 20);
//! let users = from_extractor(Sessions, |user: &User| Identity::new(user.0.clone()));
//! let app = Router::new()
//!     .route("/me", get(|user: User| async move { user.0 }).layer(larder.user_cache("me", users)))
//!     .with_state(Sessions);
//! let ask = |token: &str| {
//!     let request = Request::get("/me").header(AUTHORIZATION, token).body(Body::empty()).unwrap();
//!     let app = app.clone();
//!     async move { app.oneshot(request).await.unwrap() }
//! };
//! assert_eq!(ask("Bearer t1").await.headers()["x-cache"], "MISS");
//! assert_eq!(ask("Bearer t2").await.headers()["x-cache"], "MISS");
//! assert_eq!(ask("Bearer t1").await.headers()["x-cache"], "HIT");
//! let refused = ask("Bearer forged").await;
//! assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
//! assert_eq!(refused.headers()["cache-status"], "larder; fwd=bypass; detail=no_identity");
//! # }
//! ```
//!
//! # What it costs
//!
//! The extractor runs once for the layer on every request, and once more for the handler on a miss. If it asks a
//! database, so does every hit. Where an outer layer verifies already, leave its result in the extensions and read that:
//!
//! ```
//! use http::request::Parts;
//! use larder::{Identity, Larder};
//!
//! /// Put into the extensions by the layer that verifies sessions, outside the cache.
//! #[derive(Clone)]
//! struct Verified { user: u64 }
//!
//! let larder = Larder::in_memory(1 << 20);
//! let layer = larder.user_cache("profile", |parts: &Parts| {
//!     let user = parts.extensions.get::<Verified>().map(|verified| verified.user);
//!     async move { user.map(|user| Identity::new(user.to_string())) }
//! });
//! # drop(layer);
//! ```
//!
//! # Logout and changes of role
//!
//! A session that ended is refused by the check, on the next request. The entries stay, for the user's other sessions.
//! To drop them, after a change of role say, call [`invalidate_identity`](crate::Larder::invalidate_identity): every
//! entry carries its identity as a tag. If a role shapes the answer and may change within a session, make it a part of
//! the identity, or invalidate when it changes.
//!
//! Clients are told `private, no-cache`: a browser keeps its copy and asks each time. What must not be on a disk needs
//! `no-store` from the handler, which also keeps it out of the cache.
