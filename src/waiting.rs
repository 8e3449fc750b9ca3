//! Threads that wait for a future: how a cached function that is not async waits for the cache.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

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
    let runtime = runtime.or_else(|| larder?.engine().runtime().cloned());
    assert!(
        runtime.is_some() || larder.is_none(),
        "a cached function that is not async waits for the cache, and there is no tokio runtime: make its Larder within \
         one, or call it within `Handle::enter`"
    );
    let _within = runtime.as_ref().map(Handle::enter);
    let mut allowed = false;
    let waited = catch_unwind(AssertUnwindSafe(|| {
        block_in_place(|| {
            allowed = true;
            park_for(future)
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

fn park_for<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let parked = Arc::new(Parked {
        thread: thread::current(),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&parked));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        // The thread may be unparked for another reason; and what is polled may park it and be unparked in our place.
        while !parked.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

/// A thread that waits.
struct Parked {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[test]
    fn a_future_that_parks_its_thread_takes_no_wake_of_ours() {
        let mut polls = 0;
        let future = poll_fn(|cx| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(polls);
            }
            cx.waker().wake_by_ref();
            // It takes the token.
            thread::park();
            Poll::Pending
        });
        assert_eq!(park_for(future), 2);
    }
}
