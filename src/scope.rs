//! Where a cached function finds its handle: in an argument, in `self`, or in the task that it runs in.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::task::futures::TaskLocalFuture;
use tower_layer::Layer;
use tower_service::Service;

use crate::larder::Larder;

tokio::task_local! {
    static SCOPE: Larder;
}

/// A type that has a [`Larder`]: its cached methods use that one.
///
/// ```
/// use larder::{HasLarder, Larder};
///
/// struct Recruiters {
///     larder: Larder,
/// }
///
/// impl HasLarder for Recruiters {
///     fn larder(&self) -> &Larder {
///         &self.larder
///     }
/// }
/// # let _ = Recruiters { larder: Larder::in_memory(1 << 20) }.larder();
/// ```
#[diagnostic::on_unimplemented(
    message = "no `Larder` is in scope: `{Self}` does not say where it has one",
    label = "this cached method needs a `Larder`",
    note = "implement `larder::HasLarder` for `{Self}`: `fn larder(&self) -> &Larder {{ &self.larder }}`",
    note = "or name it in the attribute: `#[cached(larder = self.cache, ..)]`",
    note = "or let the method have an argument for it: `larder: &Larder`",
    note = "or use that of the task, which `Larder::scope_layer` sets: `#[cached(larder = Larder::in_scope(), ..)]`"
)]
pub trait HasLarder {
    /// The handle.
    fn larder(&self) -> &Larder;
}

impl HasLarder for Larder {
    fn larder(&self) -> &Larder {
        self
    }
}

impl<T: HasLarder + ?Sized> HasLarder for &T {
    fn larder(&self) -> &Larder {
        (**self).larder()
    }
}

impl<T: HasLarder + ?Sized> HasLarder for Arc<T> {
    fn larder(&self) -> &Larder {
        (**self).larder()
    }
}

impl Larder {
    /// The handle of the task that this runs in, if a [`scope`](Self::scope) or a [`ScopeLayer`] set one.
    #[must_use]
    pub fn in_scope() -> Option<Self> {
        SCOPE.try_with(Self::clone).ok()
    }

    /// Runs `work` with this handle in scope: cached functions within it that name no other use this one.
    ///
    /// The scope is that of a task: what `work` spawns is outside it.
    pub fn scope<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        SCOPE.scope(self.clone(), work)
    }

    /// A layer that has each request handled with this handle in scope.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use larder::Larder;
    ///
    /// # async fn handler() {}
    /// let larder = Larder::in_memory(1 << 20);
    /// let app: Router = Router::new().route("/", get(handler)).layer(larder.scope_layer());
    /// # let _ = app;
    /// ```
    pub fn scope_layer(&self) -> ScopeLayer {
        ScopeLayer { larder: self.clone() }
    }
}

/// Has each request handled with a [`Larder`] in scope: see [`Larder::scope_layer`].
#[derive(Debug, Clone)]
#[must_use = "a layer does nothing until it is laid around a service"]
pub struct ScopeLayer {
    larder: Larder,
}

impl<S> Layer<S> for ScopeLayer {
    type Service = Scoped<S>;

    fn layer(&self, inner: S) -> Scoped<S> {
        Scoped {
            inner,
            larder: self.larder.clone(),
        }
    }
}

/// The service of a [`ScopeLayer`].
#[derive(Debug, Clone)]
pub struct Scoped<S> {
    inner: S,
    larder: Larder,
}

impl<S: Service<R>, R> Service<R> for Scoped<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = ScopedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        // What the service does before its future is polled is within the scope too.
        let future = SCOPE.sync_scope(self.larder.clone(), || self.inner.call(request));
        ScopedFuture {
            inner: Box::pin(SCOPE.scope(self.larder.clone(), future)),
        }
    }
}

/// The answer of a [`Scoped`] service.
#[derive(Debug)]
pub struct ScopedFuture<F> {
    inner: Pin<Box<TaskLocalFuture<Larder, F>>>,
}

impl<F: Future> Future for ScopedFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.inner.as_mut().poll(cx)
    }
}
