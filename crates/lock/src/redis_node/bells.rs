//! Who is to hear of which channel.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::node::{Bell, Ring, Subscription};

/// How many messages in a row may come that nobody hears, before their channel is left: between two who wait one after the
/// other there is nobody for a moment.
const UNHEARD: u32 = 16;

/// The channels that a connection has subscribed to, and who listens. A channel is kept for those who come next.
#[derive(Debug, Clone, Default)]
pub(super) struct Bells(Arc<Mutex<HashMap<String, Channel>>>);

#[derive(Debug, Default)]
struct Channel {
    bells: Vec<Bell>,
    /// How many messages nobody has heard since the last one that somebody did.
    unheard: u32,
}

impl Bells {
    /// Rings for a message; false if nobody has heard it or those before it.
    pub(super) fn ring(&self, channel: &str, ring: Ring) -> bool {
        let mut channels = self.channels();
        let Some(Channel { bells, unheard }) = channels.get_mut(channel) else {
            return true;
        };
        bells.retain(|bell| !bell.is_unheard());
        bells.iter().for_each(|bell| bell.tell(ring));
        *unheard = if bells.is_empty() { *unheard + 1 } else { 0 };
        *unheard < UNHEARD
    }

    /// A subscription to a channel that is subscribed to.
    pub(super) fn listen(&self, channel: &str) -> Option<Subscription> {
        let mut channels = self.channels();
        let bells = &mut channels.get_mut(channel)?.bells;
        bells.retain(|bell| !bell.is_unheard());
        let (bell, subscription) = Subscription::channel();
        bells.push(bell);
        Some(subscription)
    }

    /// Notes that the connection has subscribed to a channel.
    pub(super) fn open(&self, channel: String) {
        self.channels().entry(channel).or_default();
    }

    /// Forgets a channel, unless somebody has come to listen; false in that case.
    pub(super) fn close(&self, channel: &str) -> bool {
        let mut channels = self.channels();
        let heard = channels
            .get(channel)
            .is_some_and(|channel| channel.bells.iter().any(|bell| !bell.is_unheard()));
        if !heard {
            channels.remove(channel);
        }
        !heard
    }

    /// Rings for everybody, because the connection is gone and with it what it would have told.
    pub(super) fn ring_all(&self) {
        self.channels()
            .drain()
            .flat_map(|(_, channel)| channel.bells)
            .for_each(|bell| bell.ring());
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<String, Channel>> {
        // Consistent at every point at which a panic can come.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
