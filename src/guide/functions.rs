//! How the results of functions are kept, and look-ups gathered.
//!
//! Half of what a service caches is no response but a call. [`#[cached]`](macro@crate::cached) keeps what a function
//! returns, by the same engine and in the same store as the layers: one run of all who ask at the same time, invalidation
//! by tag, stale answers, metrics. [`get_or_fill`](crate::Larder::get_or_fill) is the same without a macro, and
//! [`Slot`](crate::Slot) all that can be done with one key.
//!
//! # What is promised
//!
//! - **One run.** Of all calls with an equal key at the same time one runs; with Redis, of those in all instances
//!   (`one_fill`). When it is dropped, one that waits takes over; when it panics or fails, each that waits makes its own;
//!   after 5 s (`wait`) each does.
//! - **No lost invalidation.** A result that was made while one of its tags was forgotten is not kept, and nobody gets it
//!   who called after the invalidation returned. That holds for the tags of the policy, of the arguments, and those that
//!   only the value itself tells ([`hints`](crate::Values::hints)).
//! - **No shared key.** Every part of a key is told apart from the next, whatever is in it; an argument that is neither in
//!   the key nor in `skip` is a compile error.
//! - **No misread value.** A store outside the process keeps bytes with a number for the codec, the type, and the names
//!   and kinds of its fields. What another release wrote is a miss. What serde cannot tell (a unit, a meaning) is told by
//!   `version`. In memory a value is not written at all: hits are clones of it.
//! - **No failure from the cache.** Where the store fails, the function runs.
//!
//! # Its limits
//!
//! - An `Err` is not shared: those who waited for it each make their own attempt, and so the failing function runs as often
//!   as it is called.
//! - With the embedded store, results are shared within the process: other processes make their own.
//! - How much memory a value takes is told by the length of its serialised form, or by `weigh`. It is an estimate.
//! - A function that is not async must say `blocking`, and its callers wait on their threads: see
//!   [below](#functions-that-block). On the only thread of a runtime a miss is a panic that says what to do.
//! - What is looked up with [`fill_many`](crate::Larder::fill_many) does not wait for others' look-ups.
//!
//! # Functions that block
//!
//! A body that blocks says `blocking`. As an `async fn` it is awaited as any other, and its body runs on a thread that may
//! block. As a plain `fn` it is called from where there is no `.await`; a hit is answered at once, wherever that is, and for
//! a miss the thread waits, or runs the body itself:
//!
//! | Called | A miss |
//! |---|---|
//! | on a plain thread | works, where its [`Larder`](crate::Larder) was made within a tokio runtime, or the thread is in one ([`Handle::enter`](tokio::runtime::Handle::enter)); else it panics and says so |
//! | in [`spawn_blocking`](tokio::task::spawn_blocking), of any runtime | works |
//! | on a worker of a runtime with several threads | works: the other tasks of the worker go on elsewhere meanwhile ([`block_in_place`](tokio::task::block_in_place)) |
//! | on the only thread of a runtime, or in a `LocalSet` | panics, and says what to do: what it waits for could not go on. Use `spawn_blocking`, or the `async fn` |
//!
//! ```
//! use larder::{Larder, cached};
//!
//! #[cached(key = "{path}", ttl = "long", blocking)]
//! fn size(larder: &Larder, path: &str) -> Result<u64, std::io::Error> {
//!     Ok(std::fs::metadata(path)?.len())
//! }
//!
//! # #[tokio::main]
//! # async fn main() {
//! let larder = Larder::in_memory(1 << 20);
//! let thread = std::thread::spawn(move || size(&larder, "Cargo.toml"));
//! assert!(thread.join().unwrap().unwrap() > 0);
//! # }
//! ```
//!
//! # A repository
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::Mutex;
//! use larder::{Action, HasLarder, Larder, cached, invalidates};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
//! struct Recruiter { id: u64, name: String }
//!
//! #[derive(Debug)]
//! struct DbError;
//!
//! struct Recruiters { larder: Larder, rows: Mutex<BTreeMap<u64, Recruiter>> }
//!
//! impl HasLarder for Recruiters {
//!     fn larder(&self) -> &Larder { &self.larder }
//! }
//!
//! impl Recruiters {
//!     #[cached(key = "{id}", ttl = "2h", tags = ["recruiter:{id}"])]
//!     async fn get(&self, id: u64) -> Result<Option<Recruiter>, DbError> {
//!         Ok(self.rows.lock().unwrap().get(&id).cloned()) // a `None` is not kept
//!     }
//!
//!     #[cached(skip(self), ttl = "short", tags = ["recruiters"])]
//!     async fn list(&self) -> Result<Vec<Recruiter>, DbError> {
//!         Ok(self.rows.lock().unwrap().values().cloned().collect())
//!     }
//!
//!     #[invalidates("recruiters", "recruiter:{recruiter.id}")]
//!     async fn add(&self, recruiter: Recruiter) -> Result<(), DbError> {
//!         self.rows.lock().unwrap().insert(recruiter.id, recruiter);
//!         Ok(())
//!     }
//!
//!     #[invalidates(action = RecruiterLeft { id })] // or what happened, which says itself what it makes stale
//!     async fn remove(&self, id: u64) -> Result<(), DbError> {
//!         self.rows.lock().unwrap().remove(&id);
//!         Ok(())
//!     }
//! }
//!
//! #[derive(Action)]
//! #[action("recruiter.leave", forgets("recruiters", "recruiter:{id}"))]
//! struct RecruiterLeft { id: u64 }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), DbError> {
//! let repository = Recruiters { larder: Larder::in_memory(1 << 20), rows: Mutex::default() };
//! assert_eq!(repository.list().await?, []);
//! let ada = Recruiter { id: 1, name: "Ada".to_owned() };
//! repository.add(ada.clone()).await?; // both are forgotten
//! assert_eq!(repository.list().await?, [ada.clone()]);
//! repository.rows.lock().unwrap().clear();
//! assert_eq!(repository.get(1).await?, None);
//! assert_eq!(repository.list().await?, [ada], "from memory");
//! repository.remove(1).await?;
//! assert_eq!(repository.list().await?, []);
//! # Ok(()) }
//! ```
//!
//! # A profile by user
//!
//! The handle comes from the task: [`scope_layer`](crate::Larder::scope_layer) sets it for every request.
//!
//! ```
//! use axum::{Router, body::Body, extract::Path, routing::get};
//! use http::Request;
//! use larder::{Larder, Tag, cached};
//! use tower::ServiceExt;
//! # use std::sync::atomic::{AtomicU32, Ordering};
//! # static QUERIES: AtomicU32 = AtomicU32::new(0);
//!
//! #[cached(key = "{user}", ttl = "medium", tags = ["profile:{user}"])]
//! async fn profile(user: u64) -> Result<String, std::io::Error> {
//!     # QUERIES.fetch_add(1, Ordering::SeqCst);
//!     Ok(format!("user {user}")) // from the database
//! }
//!
//! async fn show(Path(user): Path<u64>) -> String {
//!     profile(user).await.unwrap_or_default()
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), larder::Error> {
//! let larder = Larder::in_memory(1 << 20);
//! let app: Router = Router::new().route("/{user}", get(show)).layer(larder.scope_layer());
//! let ask = || app.clone().oneshot(Request::get("/7").body(Body::empty()).unwrap());
//! ask().await.unwrap();
//! ask().await.unwrap();
//! assert_eq!(QUERIES.load(Ordering::SeqCst), 1);
//! larder.invalidate_tag("profile:7").await?;
//! ask().await.unwrap();
//! assert_eq!(QUERIES.load(Ordering::SeqCst), 2);
//! # Ok(()) }
//! ```
//!
//! # A feed with pages
//!
//! Without a key all arguments are the key. What they are made of derives [`KeyPart`](crate::KeyPart).
//!
//! ```
//! use larder::{KeyPart, Larder, cached, invalidates};
//! use serde::{Deserialize, Serialize};
//! # struct Pool;
//!
//! #[derive(KeyPart)]
//! struct Page { after: Option<u64>, size: u16 }
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct Post { id: u64 }
//!
//! #[cached(skip(pool), ttl = "1m", jitter = 0.1, tags = ["feed:{user}"])]
//! async fn feed(larder: &Larder, pool: &Pool, user: u64, page: Page) -> Result<Vec<Post>, std::io::Error> {
//!     # let _ = (pool, user);
//!     let first = page.after.map_or(0, |post| post + 1);
//!     Ok((first..first + u64::from(page.size)).map(|id| Post { id }).collect())
//! }
//!
//! #[invalidates("feed:{user}")] // all its pages
//! async fn publish(larder: &Larder, user: u64) -> Result<(), std::io::Error> {
//!     # let _ = user;
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), std::io::Error> {
//! let (larder, pool) = (Larder::in_memory(1 << 20), Pool);
//! let first = feed(&larder, &pool, 7, Page { after: None, size: 2 }).await?;
//! let next = feed(&larder, &pool, 7, Page { after: Some(first[1].id), size: 2 }).await?;
//! assert_eq!(next[0].id, 2);
//! publish(&larder, 7).await?;
//! # Ok(()) }
//! ```
//!
//! # A price that may be stale
//!
//! For five minutes after its end a price is served while it is made anew in the background, and for an hour it stands in
//! for one that could not be had. Who has to wait, waits 100 ms where there is an old price, and 2 s where there is none.
//!
//! ```
//! use std::time::Duration;
//! use larder::{FakeClock, Larder, MemoryStore, TimedOut, cached};
//! # use std::sync::atomic::{AtomicU32, Ordering};
//! # static ASKED: AtomicU32 = AtomicU32::new(0);
//!
//! #[derive(Debug)]
//! enum PriceError { Exchange, TimedOut }
//!
//! impl From<TimedOut> for PriceError {
//!     fn from(_: TimedOut) -> Self { Self::TimedOut }
//! }
//!
//! #[cached(
//!     key = "{symbol}",
//!     ttl = "10s",
//!     stale_while_revalidate = "5m",
//!     stale_if_error = "1h",
//!     soft_timeout = "100ms",
//!     timeout = "2s",
//! )]
//! async fn price(larder: &Larder, symbol: &str) -> Result<u64, PriceError> {
//!     // From the exchange, which answers once.
//!     # let _ = symbol;
//!     # if ASKED.fetch_add(1, Ordering::SeqCst) > 0 { return Err(PriceError::Exchange); }
//!     Ok(100)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), PriceError> {
//! let clock = FakeClock::new();
//! let larder = Larder::builder(MemoryStore::with_capacity(1 << 20)).clock(clock.clock()).build();
//! assert_eq!(price(&larder, "JAM").await?, 100);
//! clock.advance(Duration::from_secs(60));
//! assert_eq!(price(&larder, "JAM").await?, 100); // stale, while the exchange is asked
//! larder.idle().await;
//! clock.advance(Duration::from_secs(30 * 60));
//! assert_eq!(price(&larder, "JAM").await?, 100); // the exchange fails
//! # Ok(()) }
//! ```
//!
//! # A negative look-up
//!
//! That there is nobody of a name is worth remembering too, for less long.
//!
//! ```
//! use larder::{Larder, cached, invalidates};
//!
//! #[cached(key = "{name}", ttl = "long", cache_none = "30s", tags = ["name:{name}"])]
//! async fn id_of(larder: &Larder, name: &str) -> Result<Option<u64>, std::io::Error> {
//!     Ok((name == "ada").then_some(1)) // from the database
//! }
//!
//! #[invalidates("name:{name}")] // also that there was none
//! async fn register(larder: &Larder, name: &str) -> Result<(), std::io::Error> {
//!     # let _ = name;
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), std::io::Error> {
//! let larder = Larder::in_memory(1 << 20);
//! assert_eq!(id_of(&larder, "grace").await?, None);
//! assert_eq!(larder.size().entries, 1);
//! register(&larder, "grace").await?;
//! # Ok(()) }
//! ```
//!
//! # Within one request
//!
//! A [`Memo`](crate::Memo) remembers for the length of a request, and a [`Loader`](crate::Loader) makes one query of what
//! is asked for piece by piece. What the loader asks can be the cache:
//!
//! ```
//! use std::collections::HashMap;
//! use std::convert::Infallible;
//! use axum::{Router, routing::get};
//! use larder::{Batch, FillPolicy, Larder, Loader, Memo, MemoLayer, Values};
//!
//! struct Names { larder: Larder, values: Values<String> }
//!
//! impl Batch for Names {
//!     type Key = u64;
//!     type Value = String;
//!     type Error = Infallible;
//!
//!     async fn load(&self, ids: Vec<u64>) -> Result<HashMap<u64, String>, Infallible> {
//!         // One round trip to the cache, and one query for what is not there.
//!         let found = self.larder.fill_many(&ids, &self.values, async |missing: Vec<u64>| {
//!             Ok::<_, Infallible>(missing.into_iter().map(|id| (id, format!("user {id}"))).collect())
//!         });
//!         Ok(ids.iter().copied().zip(found.await?).filter_map(|(id, name)| Some((id, name?))).collect())
//!     }
//! }
//!
//! async fn handler(memo: Memo) -> Result<String, String> {
//!     // However deep in the request it is asked for, it is loaded once.
//!     memo.get_or_load(("tenant", 7), async || Ok("tenant 7".to_owned())).await
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let app: Router = Router::new().route("/", get(handler)).layer(MemoLayer::new());
//! # let _ = app;
//! let values = FillPolicy::new("names").ttl("long").json();
//! let names = Loader::new(Names { larder: Larder::in_memory(1 << 20), values });
//! let (one, two) = tokio::join!(names.load(1), names.load(2));
//! assert_eq!((one.unwrap().unwrap(), two.unwrap().unwrap()), ("user 1".to_owned(), "user 2".to_owned()));
//! # }
//! ```
