//! How one process at a time does what must not be done twice.
//!
//! # Under a lock
//!
//! A [`Lock`](crate::lock::Lock) has a kind, which labels its metrics, and an id, which does not.
//! [`with_lock`](crate::Larder::with_lock) runs work while it holds one, and tells what really happened:
//!
//! ```
//! use std::time::Duration;
//! use axum::{Router, body::Body, extract::{Path, State}, routing::post};
//! use http::{Request, StatusCode};
//! use larder::{Larder, lock::{Lock, Outcome}};
//! use tower::ServiceExt;
//!
//! # async fn charge(order: u64, fence: i64) -> &'static str { "charged" }
//! async fn pay(State(larder): State<Larder>, Path(order): Path<u64>) -> (StatusCode, &'static str) {
//!     let outcome = larder
//!         .with_lock(Lock::new("payment", order), Duration::from_secs(30), async |lease| {
//!             charge(order, lease.fencing_token().as_i64()).await
//!         })
//!         .await;
//!     match outcome {
//!         Outcome::Ran(receipt) => (StatusCode::OK, receipt),
//!         Outcome::Busy { .. } => (StatusCode::CONFLICT, "this order is being paid already"),
//!         // It may have been charged, but perhaps not by us alone.
//!         Outcome::Lost { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "look into this order"),
//!         _ => (StatusCode::SERVICE_UNAVAILABLE, "not now"),
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let larder = Larder::in_memory(1 << 20);
//! let app = Router::new().route("/orders/{id}/payment", post(pay)).with_state(larder.clone());
//! let ask = || app.clone().oneshot(Request::post("/orders/7/payment").body(Body::empty()).unwrap());
//! assert_eq!(ask().await.unwrap().status(), StatusCode::OK);
//!
//! let held = larder.locker().acquire(Lock::new("payment", 7), Duration::from_secs(30)).await.unwrap();
//! assert_eq!(ask().await.unwrap().status(), StatusCode::CONFLICT);
//! drop(held);
//! # }
//! ```
//!
//! A client that goes away takes its handler with it, wherever that awaits. The lock is released then too.
//!
//! `Larder::in_memory` has locks that its own process knows. Several processes need servers: with the feature `redis`,
//! `Larder::builder(store).locker(Locker::redis(urls).await?)`. One server is enough to save work. Three or five that are
//! independent of each other go on while one or two are away, and lose no lock when one is restarted.
//!
//! # Exclusion is not enough
//!
//! A lease ends by itself, and a process that was paused goes on as if it did not. What must be correct therefore compares
//! [fencing tokens](crate::lock#fencing): a resource that has seen a token refuses all lower ones. Here the resource is a
//! variable; [`larder::lock::SqlFence`](crate::lock::SqlFence) writes the statements for SQL, and `larder::lock::RedisFence` is for
//! data in Redis.
//!
//! ```
//! use std::{cell::Cell, time::Duration};
//! use larder::{Larder, lock::{FencingToken, Lock, LockOptions}};
//!
//! struct Account { fence: Cell<FencingToken>, balance: Cell<i64> }
//!
//! impl Account {
//!     /// Before anything is read; false if somebody holds a later lock.
//!     fn register(&self, token: FencingToken) -> bool {
//!         self.fence.set(self.fence.get().max(token));
//!         self.fence.get() == token
//!     }
//!
//!     fn write(&self, token: FencingToken, balance: i64) -> bool {
//!         let passes = self.fence.get() == token;
//!         if passes { self.balance.set(balance) }
//!         passes
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let larder = Larder::in_memory(1 << 20);
//! let account = Account { fence: Cell::new(FencingToken::UNFENCED), balance: Cell::new(100) };
//! let options = LockOptions::new(Duration::from_secs(1)).auto_extend(false);
//! let one = larder.locker().acquire(Lock::new("account", 7), options.clone()).await.unwrap();
//! let slow = one.lease().fencing_token();
//! assert!(account.register(slow));
//! let seen = account.balance.get();
//! # drop(one);
//! # tokio::time::sleep(Duration::from_secs(2)).await;
//! // … and here it sleeps for two seconds. Another has the lock meanwhile:
//! let other = larder.locker().acquire(Lock::new("account", 7), options).await.unwrap();
//! let token = other.lease().fencing_token();
//! assert!(account.register(token) && account.write(token, account.balance.get() + 10));
//! // The first one wakes up, and its write is refused.
//! assert!(!account.write(slow, seen + 10));
//! assert_eq!(account.balance.get(), 110);
//! # }
//! ```
//!
//! What cannot compare tokens, such as a bank's API, needs an idempotency key of its own.
//!
//! # Readers and writers
//!
//! [`shared`](crate::lock::Lock::shared) makes a read lock of a lock: any number hold it together, and nobody holds it alone
//! meanwhile. A writer that waits comes before readers that ask after it.
//!
//! # At set times, on one of several instances
//!
//! Each instance runs the same loop; each tick is done by one of them. [`Schedule`](crate::lock::Schedule) says how close
//! their clocks have to be, and has the pattern for a queue of due tasks in a sorted set of Redis.
//!
//! ```
//! use std::time::Duration;
//! use larder::{Larder, lock::{Lock, Schedule}};
//!
//! # async fn send_reports() {}
//! async fn reports(larder: Larder) {
//!     let schedule = Schedule::every(Duration::from_secs(3600), Lock::new("task", "reports"));
//!     loop {
//!         schedule.tick(larder.locker()).await;
//!         // `Busy`: another instance has this tick.
//!         let outcome = schedule.run(larder.locker(), async |_| send_reports().await).await;
//!         println!("reports: {}", outcome.as_str());
//!     }
//! }
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! // It ends with its task.
//! let task = tokio::spawn(reports(Larder::in_memory(1 << 20)));
//! task.abort();
//! # }
//! ```
