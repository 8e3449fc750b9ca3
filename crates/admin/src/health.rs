//! How the dependencies of a cache are: each is asked, and given at most a few seconds.

use std::time::{Duration, Instant};

use larder_lock::NodeProbe;
use larder_store::{StoreError, StoreErrorKind};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::parts::Parts;

/// How the dependencies of a cache are.
///
/// A cache that lost its store is *degraded*: requests go to their handlers, which is slower, and right. It is not dead,
/// and to restart the process would lose what it has in memory as well.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Health {
    /// Each dependency: the store, then the nodes of the locks.
    pub dependencies: Vec<Dependency>,
    /// Whether a lock can be had: a majority of the nodes answers.
    pub locks: bool,
}

/// One dependency.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Dependency {
    /// `store`, or `lock`, with the number of the node behind it where there are several: `lock-1`.
    pub role: String,
    /// What it is called in logs: the kind of store, or the address of a node, without credentials.
    pub name: String,
    /// How long it took to answer, or to fail.
    pub latency: Duration,
    /// How long it may take.
    pub timeout: Duration,
    /// The word for how it failed, if it did, such as `timeout`.
    pub failure: Option<&'static str>,
    /// How it failed, in full.
    pub detail: Option<String>,
}

impl Health {
    /// The longest that a dependency is waited for, however long was asked for.
    pub const LONGEST: Duration = Duration::from_secs(5);

    /// Asks all dependencies at the same time, each for at most `limit`, or [5 s](Self::LONGEST) where that is longer.
    pub async fn of(parts: &Parts, limit: Duration) -> Self {
        let limit = limit.min(Self::LONGEST);
        let (store, nodes) = tokio::join!(store(parts, limit), parts.locker.probe(limit));
        let answering = nodes.iter().filter(|node| node.error.is_none()).count();
        let locks = answering > nodes.len() / 2;
        let several = nodes.len() > 1;
        let mut dependencies = vec![store];
        dependencies.extend(nodes.into_iter().enumerate().map(|(number, node)| {
            let role = if several {
                format!("lock-{}", number + 1)
            } else {
                "lock".to_owned()
            };
            lock(role, node, limit)
        }));
        Self { dependencies, locks }
    }

    /// Whether all dependencies answer.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.dependencies.iter().all(Dependency::is_up)
    }

    /// `ok`, or `degraded` where a dependency does not answer.
    #[must_use]
    pub fn status(&self) -> &'static str {
        if self.is_whole() { "ok" } else { "degraded" }
    }

    /// As JSON, for all to see: without names, addresses and messages.
    #[must_use]
    pub fn json(&self) -> Value {
        self.json_with(|_| Value::Null)
    }

    /// As JSON, with names and messages.
    pub(crate) fn json_in_full(&self) -> Value {
        self.json_with(|dependency| json!({ "name": dependency.name, "message": dependency.detail }))
    }

    fn json_with(&self, more: impl Fn(&Dependency) -> Value) -> Value {
        let dependencies = self.dependencies.iter().map(|dependency| {
            let mut shown = json!({
                "role": dependency.role,
                "status": if dependency.is_up() { "up" } else { "down" },
                "latency_ms": dependency.latency.as_secs_f64() * 1000.0,
                "timeout_ms": dependency.timeout.as_millis(),
                "failure": dependency.failure,
            });
            if let (Value::Object(shown), Value::Object(more)) = (&mut shown, more(dependency)) {
                shown.extend(more);
            }
            shown
        });
        json!({
            "status": self.status(),
            "locks": self.locks,
            "dependencies": dependencies.collect::<Vec<_>>(),
        })
    }
}

impl Dependency {
    /// Whether it answered.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.failure.is_none()
    }
}

async fn store(parts: &Parts, limit: Duration) -> Dependency {
    let store = parts.engine.store();
    let began = Instant::now();
    let late = || {
        let message = format!("no answer within {} ms", limit.as_millis());
        Err(StoreError::new(StoreErrorKind::Timeout, message))
    };
    let answer = timeout(limit, store.probe().wait()).await;
    let error = answer.unwrap_or_else(|_| late()).err();
    Dependency {
        role: "store".to_owned(),
        name: store.name().to_owned(),
        latency: began.elapsed(),
        timeout: limit,
        failure: error.as_ref().map(|error| error.kind().as_str()),
        detail: error.map(|error| error.to_string()),
    }
}

fn lock(role: String, node: NodeProbe, limit: Duration) -> Dependency {
    Dependency {
        role,
        name: node.name,
        latency: node.took,
        timeout: limit,
        failure: node.error.as_ref().map(|error| error.kind().as_str()),
        detail: node.error.map(|error| error.to_string()),
    }
}
