//! Reading a body of known length.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::Frame;

use crate::body::{Body, Read, into_bytes};
use crate::status::UncacheableReason;

/// The length of the body, where it is known before the body is read; a body of another length than its head says
/// cannot be kept.
pub(crate) fn length<B: http_body::Body>(
    headers: &HeaderMap,
    body: &B,
) -> Result<Option<u64>, UncacheableReason> {
    let said = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    match (body.size_hint().exact(), said) {
        (Some(exact), Some(said)) if exact != said => Err(UncacheableReason::Incomplete),
        (exact, said) => Ok(exact.or(said)),
    }
}

/// Reads a body of known length. When it is not what it was said to be, the answer is what was read and the rest.
pub(crate) async fn read<B: http_body::Body>(
    body: B,
    length: u64,
) -> Result<Bytes, (UncacheableReason, Body<B>)> {
    // A boxed body can be moved on after it was read in part.
    let mut body = Box::pin(body);
    let mut read = Read::new();
    let mut total = 0;
    let reason = loop {
        match std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            None if total == length => return Ok(join(&read)),
            None => break UncacheableReason::Incomplete,
            Some(Err(error)) => {
                read.push_back(Err(error));
                break UncacheableReason::Incomplete;
            }
            Some(Ok(frame)) => {
                let frame = into_bytes(frame);
                total += frame.data_ref().map_or(0, |data| data.len() as u64);
                let is_data = frame.is_data();
                read.push_back(Ok(frame));
                if !is_data {
                    break UncacheableReason::Streaming;
                }
                if total > length {
                    break UncacheableReason::Incomplete;
                }
            }
        }
    };
    Err((reason, Body::resumed(read, body)))
}

/// One piece of memory of its own: a chunk may be a slice of a larger buffer, which must not live as long as the entry.
fn join<E>(read: &Read<E>) -> Bytes {
    let data = || read.iter().flatten().filter_map(Frame::data_ref);
    let mut joined = BytesMut::with_capacity(data().map(Bytes::len).sum());
    data().for_each(|data| joined.extend_from_slice(data));
    joined.freeze()
}
