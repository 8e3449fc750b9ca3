//! The body of an answer: kept bytes, or the handler's body passed through, with or without a copy taken on the way.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::status::UncacheableReason;

pin_project! {
    /// The body of a response that passed a cache layer, around a handler's body of type `B`.
    ///
    /// A hit holds the stored bytes, which all hits share. A body that is passed through gives its chunks on as they
    /// come; errors are the handler's own.
    pub struct Body<B>
    where
        B: http_body::Body,
    {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B>
    where
        B: http_body::Body,
    {
        /// Bytes, given out at once. `None`: given out already, or there were none.
        Full { bytes: Option<Bytes> },
        /// The handler's body, untouched.
        Passed { #[pin] body: B },
        /// The handler's body, of which a copy is taken. Boxed, as the next: a hit should not be as large as they are.
        Copied { body: Pin<Box<B>>, copy: Box<Copy> },
        /// What was read of a body before it turned out that it cannot be kept, then the rest of it.
        Resumed { read: Box<Read<B::Error>>, rest: Pin<Box<B>> },
    }
}

/// What was read of a body: its chunks, and the error that ended them, if one did.
pub(crate) type Read<E> = VecDeque<Result<Frame<Bytes>, E>>;

impl<B: http_body::Body> Body<B> {
    pub(crate) fn full(bytes: Bytes) -> Self {
        let bytes = if bytes.is_empty() { None } else { Some(bytes) };
        Self {
            kind: Kind::Full { bytes },
        }
    }

    pub(crate) const fn empty() -> Self {
        Self {
            kind: Kind::Full { bytes: None },
        }
    }

    pub(crate) const fn passed(body: B) -> Self {
        Self {
            kind: Kind::Passed { body },
        }
    }

    pub(crate) fn copied(body: B, copy: Copy) -> Self {
        Self {
            kind: Kind::Copied {
                body: Box::pin(body),
                copy: Box::new(copy),
            },
        }
    }

    pub(crate) fn resumed(read: Read<B::Error>, rest: Pin<Box<B>>) -> Self {
        Self {
            kind: Kind::Resumed {
                read: Box::new(read),
                rest,
            },
        }
    }
}

impl<B> http_body::Body for Body<B>
where
    B: http_body::Body,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProjection::Full { bytes } => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            KindProjection::Passed { body } => body.poll_frame(cx).map_ok(into_bytes),
            KindProjection::Copied { body, copy } => {
                let frame = std::task::ready!(body.as_mut().poll_frame(cx));
                let frame = frame.map(|frame| frame.map(into_bytes));
                match &frame {
                    None => copy.finish(),
                    Some(Err(_)) => copy.give_up(UncacheableReason::Incomplete),
                    Some(Ok(frame)) => {
                        copy.take(frame);
                        // A server stops asking here, so that the end must be seen here.
                        if body.is_end_stream() {
                            copy.finish();
                        }
                    }
                }
                Poll::Ready(frame)
            }
            KindProjection::Resumed { read, rest } => match read.pop_front() {
                Some(frame) => Poll::Ready(Some(frame)),
                None => rest.as_mut().poll_frame(cx).map_ok(into_bytes),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full { bytes } => bytes.is_none(),
            Kind::Passed { body } => body.is_end_stream(),
            Kind::Copied { body, .. } => body.is_end_stream(),
            Kind::Resumed { read, rest } => read.is_empty() && rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full { bytes } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Passed { body } => body.size_hint(),
            Kind::Copied { body, .. } => body.size_hint(),
            Kind::Resumed { read, rest } => {
                let read = read
                    .iter()
                    .flatten()
                    .filter_map(Frame::data_ref)
                    .map(|data| data.len() as u64)
                    .sum::<u64>();
                let rest = rest.size_hint();
                let mut hint = SizeHint::new();
                hint.set_lower(rest.lower().saturating_add(read));
                if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(read)) {
                    hint.set_upper(upper);
                }
                hint
            }
        }
    }
}

impl<B: http_body::Body> fmt::Debug for Body<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Full { .. } => "Full",
            Kind::Passed { .. } => "Passed",
            Kind::Copied { .. } => "Copied",
            Kind::Resumed { .. } => "Resumed",
        };
        f.debug_tuple("Body").field(&kind).finish()
    }
}

/// The empty body, as routers answer what they have no route for.
impl<B: http_body::Body> Default for Body<B> {
    fn default() -> Self {
        Self::empty()
    }
}

/// A frame with its data as `Bytes`: no copy where they are `Bytes` already.
pub(crate) fn into_bytes<D: Buf>(frame: Frame<D>) -> Frame<Bytes> {
    frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
}

/// What becomes of a copy once the body ended or failed.
pub(crate) type Finish = Box<dyn FnOnce(Result<Bytes, UncacheableReason>) + Send>;

/// The copy of a body that is taken while it is passed on.
///
/// When it is dropped before the body ended, `finish` is dropped uncalled: whoever waits for the copy learns it from
/// the guard inside.
pub(crate) struct Copy {
    taken: BytesMut,
    limit: u64,
    finish: Option<Finish>,
}

impl Copy {
    /// A copy of at most `limit` bytes.
    pub(crate) fn new(limit: u64, finish: Finish) -> Self {
        Self {
            taken: BytesMut::new(),
            limit,
            finish: Some(finish),
        }
    }

    fn take(&mut self, frame: &Frame<Bytes>) {
        if self.finish.is_none() {
            return;
        }
        match frame.data_ref() {
            None => self.give_up(UncacheableReason::Streaming),
            Some(data) if (self.taken.len() + data.len()) as u64 > self.limit => {
                self.give_up(UncacheableReason::TooLarge);
            }
            Some(data) => self.taken.extend_from_slice(data),
        }
    }

    fn finish(&mut self) {
        if let Some(finish) = self.finish.take() {
            finish(Ok(Bytes::copy_from_slice(&std::mem::take(&mut self.taken))));
        }
    }

    fn give_up(&mut self, reason: UncacheableReason) {
        self.taken = BytesMut::new();
        if let Some(finish) = self.finish.take() {
            finish(Err(reason));
        }
    }
}
