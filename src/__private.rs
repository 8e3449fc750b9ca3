//! What the attributes of `larder-macros` write calls of. No part of the API: it changes without notice.

use std::fmt::{self, Display, Write};
use std::future::Future;
use std::time::Duration;

use larder_cache_layer::{Missed, Values};
use larder_invalidation::{Action, ActionError};
use larder_store::{KeyBuffer, KeyPart, KeyWriter, Tag};

use crate::error::TimedOut;
use crate::invalidation::Invalidation;
use crate::larder::Larder;
use crate::scope::HasLarder;
use crate::waiting;

/// What a cached function may be told as its handle.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no `Larder`",
    label = "expected a `Larder`, an `Option` of one, or something that has one",
    note = "implement `larder::HasLarder` for it, or name the field that is one: `larder = self.larder`"
)]
pub trait Handle {
    /// The handle, if there is one.
    fn handle(&self) -> Option<&Larder>;
}

impl<T: HasLarder> Handle for T {
    fn handle(&self) -> Option<&Larder> {
        Some(self.larder())
    }
}

impl Handle for Option<Larder> {
    fn handle(&self) -> Option<&Larder> {
        self.as_ref()
    }
}

/// The path of a function, from that of an item within it.
#[must_use]
pub fn path_of<T>(_: &T) -> String {
    let path = std::any::type_name::<T>();
    let path = path.rsplit_once("::").map_or(path, |(function, _)| function);
    path.replace("::{{closure}}", "")
}

/// What is written with `Display`, as a part of a key.
#[derive(Debug)]
pub struct Text<'a, T: ?Sized>(pub &'a T);

impl<T: Display + ?Sized> KeyPart for Text<'_, T> {
    #[inline]
    fn write_to<W: KeyBuffer>(&self, key: &mut KeyWriter<'_, W>) {
        let mut text = Short::default();
        // `Short` takes all that is written; a `Display` that fails for reasons of its own has said less.
        let _ = write!(text, "{}", self.0);
        key.part(text.as_bytes());
    }
}

/// A text that is on the stack while it is short.
struct Short {
    bytes: [u8; 48],
    length: usize,
    long: String,
}

impl Default for Short {
    fn default() -> Self {
        Self {
            bytes: [0; 48],
            length: 0,
            long: String::new(),
        }
    }
}

impl Short {
    fn as_bytes(&self) -> &[u8] {
        if self.long.is_empty() {
            &self.bytes[..self.length]
        } else {
            self.long.as_bytes()
        }
    }
}

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        match self.bytes.get_mut(self.length..end) {
            Some(room) if self.long.is_empty() => {
                room.copy_from_slice(text.as_bytes());
                self.length = end;
            }
            _ => {
                if self.long.is_empty() {
                    // Whole texts were copied in, so what is there is one.
                    self.long
                        .push_str(str::from_utf8(&self.bytes[..self.length]).unwrap_or_default());
                }
                self.long.push_str(text);
            }
        }
        Ok(())
    }
}

/// The call of a cached function: answered by now, or to be answered by a cache or, where none is in scope, without one.
#[derive(Debug)]
#[must_use]
pub enum Call<'a, T> {
    /// A hit.
    Hit(T),
    /// No plain hit.
    Missed(Missed<'a, T>),
    /// There is no cache.
    Uncached,
}

impl<'a, T: Clone + Send + Sync + 'static> Call<'a, T> {
    /// The call with this key.
    #[inline]
    pub fn new(larder: Option<&'a Larder>, key: &impl KeyPart, values: &'a Values<T>) -> Self {
        let Some(larder) = larder else {
            tracing::warn!(
                cache = values.name(),
                "no Larder is in scope, and the function runs uncached: lay `Larder::scope_layer` around the service, run \
                 it within `Larder::scope`, or give the function an argument `larder: &Larder`"
            );
            return Self::Uncached;
        };
        match larder.engine().slot(key, values).look() {
            Ok(value) => Self::Hit(value),
            Err(missed) => Self::Missed(missed),
        }
    }

    /// [`Missed::fill_from`].
    ///
    /// # Errors
    /// What `fill` answered.
    #[inline]
    pub async fn fill<A, E, F>(
        self,
        args: A,
        tags: impl FnOnce(&A) -> Vec<Tag>,
        fill: impl FnOnce(A) -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        match self {
            Self::Hit(value) => Ok(value),
            Self::Missed(missed) => missed.fill_from(args, tags, fill).await,
            Self::Uncached => fill(args).await,
        }
    }

    /// [`Missed::refresh_from`].
    ///
    /// # Errors
    /// What `fill` answered.
    #[inline]
    pub async fn refresh<A, E, F>(
        self,
        args: A,
        tags: impl FnOnce(&A) -> Vec<Tag>,
        fill: impl FnOnce(A) -> F,
    ) -> Result<T, E>
    where
        E: Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        match self {
            Self::Hit(value) => Ok(value),
            Self::Missed(missed) => missed.refresh_from(args, tags, fill).await,
            Self::Uncached => fill(args).await,
        }
    }

    /// [`Missed::outlive_from`].
    ///
    /// # Errors
    /// What `fill` answered.
    #[inline]
    pub async fn outlive<A, E, F>(
        self,
        args: A,
        tags: impl FnOnce(&A) -> Vec<Tag>,
        fill: impl FnOnce(A) -> F,
    ) -> Result<T, E>
    where
        E: Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        match self {
            Self::Hit(value) => Ok(value),
            Self::Missed(missed) => missed.outlive_from(args, tags, fill).await,
            Self::Uncached => fill(args).await,
        }
    }
}

/// The tags of an action that `#[invalidates]` names, as its arguments are before its function begins.
///
/// # Errors
/// When a value is empty, or would make a path mean another.
pub fn tags_of<A: Action>(action: &A) -> Result<Vec<Tag>, ActionError> {
    action.tags()
}

/// What `work` makes, on a thread that may block.
///
/// # Panics
/// When `work` does, with what it panicked with; and when the runtime ends before it ran. It needs a tokio runtime.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let span = tracing::Span::current();
    match tokio::task::spawn_blocking(move || span.in_scope(work)).await {
        Ok(made) => made,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => panic!("a cached function that blocks did not run: {error}"),
        },
    }
}

/// What `work` makes, on this thread.
pub fn here<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// The answer of a function that is not async: a hit at once, and else what `rest` comes to, for which the thread waits.
///
/// # Errors
/// What the function answered.
///
/// # Panics
/// Where its thread must not block; and where it would have to wait for the cache and there is no runtime.
pub fn answer<'a, T, E, F: Future<Output = Result<T, E>>>(
    larder: Option<&Larder>,
    call: Call<'a, T>,
    rest: impl FnOnce(Call<'a, T>) -> F,
) -> Result<T, E> {
    match call {
        Call::Hit(value) => Ok(value),
        call => waiting::wait(larder, rest(call)),
    }
}

/// Forgets what `#[invalidates]` names, after its function succeeded.
pub async fn forget(larder: Option<&Larder>, tags: Vec<Tag>) {
    if let Some(larder) = in_scope(larder) {
        // The engine has logged and counted a failure; the function has done its work all the same.
        let _ = larder.invalidate_tags(tags).await;
    }
}

/// Forgets what an action makes stale, after a function in which it happens succeeded.
pub async fn forget_action(larder: Option<&Larder>, tags: Result<Vec<Tag>, ActionError>) {
    let Some(larder) = in_scope(larder) else { return };
    let tags = match tags {
        Ok(tags) => tags,
        Err(error) => {
            tracing::error!(%error, "an action happened, and what it makes stale was not forgotten");
            return;
        }
    };
    // As above.
    let _ = Invalidation::of_action(larder.invalidator(), None, Ok(tags)).await;
}

fn in_scope(larder: Option<&Larder>) -> Option<&Larder> {
    if larder.is_none() {
        tracing::warn!("no Larder is in scope, and nothing was forgotten: see `Larder::scope_layer`");
    }
    larder
}

/// The value of a function that has no errors.
#[must_use]
pub fn infallible<T>(result: Result<T, std::convert::Infallible>) -> T {
    match result {
        Ok(value) => value,
        Err(never) => match never {},
    }
}

/// `work`, or after `limit` the error that says so.
///
/// # Errors
/// That of `work`, or [`TimedOut`].
pub async fn within<T, E: From<TimedOut>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(TimedOut::new(limit).into()),
    }
}
