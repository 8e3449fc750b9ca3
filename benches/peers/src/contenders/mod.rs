//! The contenders, and how one of them is built, warmed up and proven to answer from its cache.

use std::time::Duration;

use http::{HeaderValue, StatusCode};
use tokio::runtime::Runtime;

use crate::{
    Outcome,
    app::{App, Batch},
    larder,
    origin::Origin,
    recorder::Recording,
};

mod axum_response_cache;
mod bare;
mod floor;
mod hitbox;
mod http_cache_tower_server;
mod moka_from_fn;
mod quick_layer;
mod stored;
mod tower_http_cache;

/// What a measured request is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The handler runs each time.
    Handler,
    /// The whole response comes from the cache.
    Hit,
    /// The request carries the entity tag of the cached response and gets a 304.
    NotModified,
}

/// One row of the tables.
#[derive(Debug, Clone, Copy)]
pub struct Contender {
    /// The name used by `--only` and in the tables.
    pub name: &'static str,
    /// What the measured request is answered with.
    pub kind: Kind,
    /// Whether a metrics recorder is in place.
    pub recorded: bool,
    /// Whether a hit costs so much that it is counted over fewer hits.
    pub costly: bool,
    build: fn(&Origin) -> Box<dyn App>,
}

impl Contender {
    /// A contender that answers hits, without a recorder.
    pub(crate) fn new(name: &'static str, build: fn(&Origin) -> Box<dyn App>) -> Self {
        Self {
            name,
            kind: Kind::Hit,
            recorded: false,
            costly: false,
            build,
        }
    }

    /// With a metrics recorder in place.
    pub(crate) fn recorded(self) -> Self {
        Self {
            recorded: true,
            ..self
        }
    }

    /// Counted over fewer hits.
    pub(crate) fn costly(self) -> Self {
        Self { costly: true, ..self }
    }

    /// Answering with `kind`.
    pub(crate) fn of(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// Builds it around an origin of `size` bytes and warms it up.
    pub fn start(self, size: usize, runtime: &Runtime) -> Outcome<Running> {
        let origin = Origin::new(size);
        let recording = Recording::new(self.recorded);
        let app = recording.within(|| {
            // Some builders want a runtime around them.
            let _inside = runtime.enter();
            (self.build)(&origin)
        });
        let mut running = Running {
            contender: self,
            app,
            origin,
            recording,
            etag: None,
        };
        let first = running.warm(runtime);
        if self.kind == Kind::NotModified {
            running.etag = Some(
                first
                    .etag
                    .ok_or_else(|| format!("{}: no ETag to send back", self.name))?,
            );
        }
        running.hits(runtime, 3)?;
        Ok(running)
    }
}

/// A contender that is warm.
pub struct Running {
    /// Which one it is.
    pub contender: Contender,
    /// Its service.
    pub app: Box<dyn App>,
    /// The handler behind it.
    pub origin: Origin,
    /// The recorder it runs under.
    pub recording: Recording,
    /// The entity tag to send, where a 304 is measured.
    pub etag: Option<HeaderValue>,
}

impl Running {
    /// Fills the cache; some peers store in a task of their own, which needs a moment.
    fn warm(&self, runtime: &Runtime) -> Batch {
        let warming = async {
            self.app.ask(1, None).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
            self.app.ask(2, None).await
        };
        self.recording.within(|| runtime.block_on(warming))
    }

    /// Asks `count` times and proves that each was the hit it should be.
    pub fn hits(&self, runtime: &Runtime, count: u64) -> Outcome<()> {
        let before = self.origin.calls();
        let batch = self
            .recording
            .within(|| runtime.block_on(self.app.ask(count, self.etag.as_ref())));
        self.check(&batch, count, self.origin.calls() - before)
    }

    fn check(&self, batch: &Batch, count: u64, ran: u64) -> Outcome<()> {
        let whole = self.origin.size() as u64;
        let (status, bytes, runs) = match self.contender.kind {
            Kind::Handler => (StatusCode::OK, whole, count),
            Kind::Hit => (StatusCode::OK, whole, 0),
            Kind::NotModified => (StatusCode::NOT_MODIFIED, 0, 0),
        };
        let name = self.contender.name;
        if ran != runs {
            return Err(
                format!("{name}: the handler ran {ran} times in {count} requests, not {runs}").into(),
            );
        }
        if batch.status != status || batch.bytes != bytes * count {
            let got = format!("{} and {} bytes", batch.status, batch.bytes);
            return Err(format!(
                "{name}: {count} requests gave {got}, not {status} and {} bytes",
                bytes * count
            )
            .into());
        }
        Ok(())
    }
}

/// Every contender, in the order of the tables.
#[must_use]
pub fn all() -> Vec<Contender> {
    let mut list = vec![
        Contender::new("bare", bare::build).of(Kind::Handler),
        Contender::new("floor", floor::build),
        Contender::new("quick-layer", quick_layer::build),
        Contender::new("moka-from-fn", moka_from_fn::build),
    ];
    list.extend(larder::contenders());
    list.extend([
        Contender::new("axum-response-cache", axum_response_cache::build),
        Contender::new("tower-http-cache", tower_http_cache::build),
        Contender::new("hitbox", hitbox::build),
        Contender::new("http-cache-tower-server", http_cache_tower_server::build).costly(),
    ]);
    list
}

/// The peers that keep their responses on the Redis server at `url`, each before an origin of `size` bytes.
pub async fn on_redis(size: usize, url: &str) -> Outcome<Vec<(&'static str, Box<dyn App>, Origin)>> {
    let (one, other) = (Origin::new(size), Origin::new(size));
    Ok(vec![
        ("hitbox", hitbox::on_redis(&one, url)?, one),
        (
            "tower-http-cache",
            tower_http_cache::on_redis(&other, url).await?,
            other,
        ),
    ])
}

/// The contender called `name`.
pub fn named(name: &str) -> Outcome<Contender> {
    let found = all().into_iter().find(|one| one.name == name);
    found.ok_or_else(|| format!("no contender `{name}`; `list` names them").into())
}

/// The runtime all of them run on: one thread.
pub fn runtime() -> Outcome<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}
