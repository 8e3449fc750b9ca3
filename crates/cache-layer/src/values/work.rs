//! The making of a value: where it was asked for, or in the background as well.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::sync::oneshot;

/// A future that another owns.
pub(super) type Owned = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is done with a value that was made in the background; `None` is one that could not be made.
pub(super) type Then<T> = Box<dyn FnOnce(Option<T>) -> Owned + Send>;

/// The making of a value. Sealed: [`Slot`](super::Slot) and [`Missed`](super::Missed) have a method for each kind.
pub trait Work<T, E>: Future<Output = Result<T, E>> + sealed::Detach<T, E> {}

pub(super) mod sealed {
    use super::{Owned, Then, oneshot};

    pub trait Detach<T, E>: Sized {
        /// Whether it can go on in the background.
        const DETACHES: bool;

        /// Whether it goes on there when its caller leaves.
        const OUTLIVES: bool;

        /// All of it as a future of its own: it makes the value, has `then` done with it, and tells `answer` of it.
        /// `None` where it cannot.
        #[allow(private_interfaces, reason = "sealed")]
        fn detach(self, then: Then<T>, answer: Option<oneshot::Sender<Result<T, E>>>) -> Option<Owned>;
    }
}

pin_project! {
    /// Work that borrows from its caller.
    pub struct Here<F> {
        #[pin]
        work: F,
    }
}

pin_project! {
    /// Work that owns what it needs.
    pub struct Anywhere<F> {
        #[pin]
        work: F,
    }
}

pin_project! {
    /// Work that owns what it needs, and cannot be stopped once it has begun.
    pub struct Outliving<F> {
        #[pin]
        work: Anywhere<F>,
    }
}

impl<F> Here<F> {
    pub(super) const fn new(work: F) -> Self {
        Self { work }
    }
}

impl<F> Anywhere<F> {
    pub(super) const fn new(work: F) -> Self {
        Self { work }
    }
}

impl<F> Outliving<F> {
    pub(super) const fn new(work: F) -> Self {
        let work = Anywhere::new(work);
        Self { work }
    }
}

impl<F: Future> Future for Here<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().work.poll(cx)
    }
}

impl<F: Future> Future for Anywhere<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().work.poll(cx)
    }
}

impl<F: Future> Future for Outliving<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().work.poll(cx)
    }
}

impl<T, E, F: Future<Output = Result<T, E>>> Work<T, E> for Here<F> {}

impl<T, E, F: Future<Output = Result<T, E>>> sealed::Detach<T, E> for Here<F> {
    const DETACHES: bool = false;
    const OUTLIVES: bool = false;

    fn detach(self, _: Then<T>, _: Option<oneshot::Sender<Result<T, E>>>) -> Option<Owned> {
        None
    }
}

impl<T, E, F> Work<T, E> for Anywhere<F>
where
    T: Clone + Send + 'static,
    E: Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
}

impl<T, E, F> sealed::Detach<T, E> for Anywhere<F>
where
    T: Clone + Send + 'static,
    E: Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    const DETACHES: bool = true;
    const OUTLIVES: bool = false;

    fn detach(self, then: Then<T>, answer: Option<oneshot::Sender<Result<T, E>>>) -> Option<Owned> {
        Some(Box::pin(async move {
            let result = self.work.await;
            then(result.as_ref().ok().cloned()).await;
            if let Some(answer) = answer {
                // Who asked may have been answered with a stale value meanwhile.
                let _ = answer.send(result);
            }
        }))
    }
}

impl<T, E, F> Work<T, E> for Outliving<F>
where
    T: Clone + Send + 'static,
    E: Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
}

impl<T, E, F> sealed::Detach<T, E> for Outliving<F>
where
    T: Clone + Send + 'static,
    E: Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    const DETACHES: bool = true;
    const OUTLIVES: bool = true;

    fn detach(self, then: Then<T>, answer: Option<oneshot::Sender<Result<T, E>>>) -> Option<Owned> {
        self.work.detach(then, answer)
    }
}
