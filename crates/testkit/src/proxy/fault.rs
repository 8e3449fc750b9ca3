//! What a proxy does to its connections.

use std::time::Duration;

use bytes::Bytes;

/// What a [`FaultProxy`](super::FaultProxy) does to its connections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing: everything is passed on.
    #[default]
    None,
    /// Each answer arrives this much later; requests do not. The delay is one of distance: answers do not wait for each
    /// other.
    Delay(Duration),
    /// Nothing passes in either direction, and nothing is lost: what was sent meanwhile arrives when the fault is lifted,
    /// as after a cut that TCP outlived.
    Stall,
    /// Requests reach the server, which acts on them; its answers are lost.
    LoseAnswers,
    /// What either side sends is lost, and neither is told. New connections are accepted, and are no different.
    HalfOpen,
    /// The connection is closed in the middle of the next answer.
    CutShort,
    /// Each answer is replaced by as many bytes that are no Redis reply.
    Garbage,
    /// The server is not asked. Whatever a client sends, once for each piece of it that arrives, is answered by these
    /// bytes.
    Answer(Bytes),
    /// Open connections are closed and new ones refused, as by a machine on which no server runs.
    Refuse,
}

impl Fault {
    /// Whether a connection that is made now gets no server.
    pub(super) fn is_deaf(&self) -> bool {
        matches!(self, Self::HalfOpen | Self::Answer(_))
    }
}

/// Bytes of which the first is none that a Redis reply begins with.
pub(super) fn noise(length: usize) -> Bytes {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    std::iter::once(0xff)
        .chain(std::iter::repeat_with(&mut next))
        .take(length)
        .collect()
}
