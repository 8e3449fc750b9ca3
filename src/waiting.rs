//! Threads that wait for a future: how a cached function that is not async waits for the cache.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::larder::Larder;

/// Waits for `future` on this thread, in the runtime that the thread belongs to, or else in that in which `larder` was made.
///
/// A worker of a runtime with several threads hands its other tasks over first.
///
/// # Panics
/// On the only thread of a runtime: what it waits for could not go on. And where there is no runtime, and a `larder`.
pub(crate) fn wait<F: Future>(larder: Option<&Larder>, future: F) -> F::Output {
    let runtime = Handle::try_current().ok();
    let Some(runtime) = runtime.or_else(|| larder?.engine().runtime().cloned()) else {
        assert!(
            larder.is_none(),
            "a cached function that is not async waits for the cache, and there is no tokio runtime: make its Larder within \
             one, or call it within `Handle::enter`"
        );
        return uncached(future);
    };
    let mut allowed = false;
    let waited = catch_unwind(AssertUnwindSafe(|| {
        block_in_place(|| {
            allowed = true;
            runtime.block_on(future)
        })
    }));
    match waited {
        Ok(output) => output,
        Err(panic) if allowed => resume_unwind(panic),
        Err(_) => panic!(
            "a cached function that is not async was called on the only thread of its runtime, where all that it waits for \
             would wait for it: call it in `tokio::task::spawn_blocking`, or make it an `async fn`"
        ),
    }
}

/// The function alone, which awaits nothing.
fn uncached<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => {
            panic!("a cached function that is not async waits for something, and there is no tokio runtime")
        }
    }
}
