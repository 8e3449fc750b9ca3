//! The body of an answer: bytes, the handler's body passed through, or what was read of that and then the rest.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::result::NotKeptReason;

pin_project! {
    /// The body of a response that passed a layer of this crate, around a handler's body of type `B`.
    ///
    /// Errors are the handler's own.
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
        /// What was read of a body before it turned out that it cannot be kept, then the rest of it.
        Resumed { read: VecDeque<Chunk<B::Error>>, rest: Pin<Box<B>> },
    }
}

/// A part of a body, or the error that ended it.
type Chunk<E> = Result<Frame<Bytes>, E>;

/// What was made of a body by reading it.
pub(crate) enum Read<B: http_body::Body> {
    Whole(Bytes),
    Not(Cut<B>),
}

/// A body that was not read to its end, and why not.
pub(crate) struct Cut<B: http_body::Body> {
    pub(crate) reason: NotKeptReason,
    read: VecDeque<Chunk<B::Error>>,
    rest: Pin<Box<B>>,
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn read<B: http_body::Body>(body: B, limit: usize) -> Read<B> {
    let mut rest = Box::pin(body);
    let mut read = VecDeque::new();
    let mut length = 0;
    let reason = loop {
        // What says of itself that it will be too much is not waited for.
        let to_come = usize::try_from(rest.size_hint().lower()).unwrap_or(usize::MAX);
        if to_come > limit - length {
            break NotKeptReason::TooLarge;
        }
        let chunk = std::future::poll_fn(|cx| rest.as_mut().poll_frame(cx)).await;
        let reason = match chunk {
            None => return Read::Whole(joined(read, length)),
            Some(Err(error)) => {
                read.push_back(Err(error));
                Some(NotKeptReason::Incomplete)
            }
            Some(Ok(frame)) => {
                let frame = into_bytes(frame);
                let reason = match frame.data_ref() {
                    None => Some(NotKeptReason::Streaming),
                    Some(data) if data.len() > limit - length => Some(NotKeptReason::TooLarge),
                    Some(data) => {
                        length += data.len();
                        None
                    }
                };
                // Empty ones cost memory and count for nothing.
                if frame.data_ref().is_none_or(|data| !data.is_empty()) {
                    read.push_back(Ok(frame));
                }
                reason
            }
        };
        if let Some(reason) = reason {
            break reason;
        }
    };
    Read::Not(Cut { reason, read, rest })
}

/// The bytes of `read`, which are data alone: no copy where they came as one.
fn joined<E>(mut read: VecDeque<Chunk<E>>, length: usize) -> Bytes {
    let mut data = read
        .drain(..)
        .flatten()
        .filter_map(|frame| frame.into_data().ok());
    let first = data.next().unwrap_or_default();
    if first.len() == length {
        return first;
    }
    let mut all = BytesMut::with_capacity(length);
    all.extend_from_slice(&first);
    data.for_each(|data| all.extend_from_slice(&data));
    all.freeze()
}

impl<B: http_body::Body> Body<B> {
    pub(crate) fn full(bytes: Bytes) -> Self {
        let bytes = if bytes.is_empty() { None } else { Some(bytes) };
        Self {
            kind: Kind::Full { bytes },
        }
    }

    pub(crate) const fn passed(body: B) -> Self {
        Self {
            kind: Kind::Passed { body },
        }
    }

    pub(crate) fn resumed(cut: Cut<B>) -> Self {
        Self {
            kind: Kind::Resumed {
                read: cut.read,
                rest: cut.rest,
            },
        }
    }
}

impl<B: http_body::Body> http_body::Body for Body<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Chunk<B::Error>>> {
        match self.project().kind.project() {
            KindProjection::Full { bytes } => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            KindProjection::Passed { body } => body.poll_frame(cx).map_ok(into_bytes),
            KindProjection::Resumed { read, rest } => match read.pop_front() {
                Some(chunk) => Poll::Ready(Some(chunk)),
                None => rest.as_mut().poll_frame(cx).map_ok(into_bytes),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full { bytes } => bytes.is_none(),
            Kind::Passed { body } => body.is_end_stream(),
            Kind::Resumed { read, rest } => read.is_empty() && rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full { bytes } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Passed { body } => body.size_hint(),
            Kind::Resumed { read, rest } => {
                let data = read.iter().flatten().filter_map(Frame::data_ref);
                let read = data.map(|data| data.len() as u64).sum::<u64>();
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
            Kind::Resumed { .. } => "Resumed",
        };
        f.debug_tuple("Body").field(&kind).finish()
    }
}

/// The empty body, as routers answer what they have no route for.
impl<B: http_body::Body> Default for Body<B> {
    fn default() -> Self {
        Self::full(Bytes::new())
    }
}

/// A frame with its data as `Bytes`: no copy where they are `Bytes` already.
fn into_bytes<D: Buf>(frame: Frame<D>) -> Frame<Bytes> {
    frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Full};

    type Chunks = Vec<Result<Frame<Bytes>, &'static str>>;

    /// A body that comes in chunks, and says nothing of its length.
    struct Chunked(VecDeque<Result<Frame<Bytes>, &'static str>>);

    impl http_body::Body for Chunked {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
            Poll::Ready(self.0.pop_front())
        }
    }

    fn data(text: &'static str) -> Result<Frame<Bytes>, &'static str> {
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }

    fn chunked(chunks: Chunks) -> Chunked {
        Chunked(chunks.into())
    }

    async fn cut(chunks: Chunks, limit: usize) -> Cut<Chunked> {
        match read(chunked(chunks), limit).await {
            Read::Not(cut) => cut,
            Read::Whole(bytes) => panic!("{bytes:?}"),
        }
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        for limit in [6, 7] {
            let chunks = vec![data("abc"), data(""), data("def")];
            let Read::Whole(bytes) = read(chunked(chunks), limit).await else {
                panic!("it fits")
            };
            assert_eq!(bytes, "abcdef");
        }
        let cut = cut(vec![data("abc"), data("def"), data("g")], 5).await;
        assert_eq!(cut.reason, NotKeptReason::TooLarge);
        let body = Body::resumed(cut);
        assert_eq!(body.size_hint().lower(), 6);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abcdefg");
    }

    #[tokio::test]
    async fn what_says_that_it_is_too_large_is_not_read() {
        let Read::Not(cut) = read(Full::new(Bytes::from_static(b"abcdef")), 5).await else {
            panic!("too large")
        };
        assert!(cut.read.is_empty());
    }

    #[tokio::test]
    async fn errors_and_trailers_are_passed_on() {
        let cut_short = cut(vec![data("abc"), Err("gone")], 5).await;
        assert_eq!(cut_short.reason, NotKeptReason::Incomplete);
        assert_eq!(Body::resumed(cut_short).collect().await.unwrap_err(), "gone");
        let trailers = Frame::trailers(http::HeaderMap::from_iter([(
            http::header::ETAG,
            http::HeaderValue::from_static("1"),
        )]));
        let cut = cut(vec![data("abc"), Ok(trailers)], 5).await;
        assert_eq!(cut.reason, NotKeptReason::Streaming);
        let whole = Body::resumed(cut).collect().await.unwrap();
        assert_eq!(whole.trailers().unwrap()["etag"], "1");
        assert_eq!(whole.to_bytes(), "abc");
    }
}
