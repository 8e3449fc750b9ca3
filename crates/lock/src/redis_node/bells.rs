//! Who is to hear of which channel.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::node::{Bell, Subscription};

/// The channels that a connection has subscribed to, and who listens. A channel is kept for those who come next, and left
/// at the first message that nobody hears.
#[derive(Debug, Clone, Default)]
pub(super) struct Bells(Arc<Mutex<HashMap<String, Vec<Bell>>>>);

impl Bells {
    /// Rings for a message; false if nobody hears it.
    pub(super) fn ring(&self, channel: &str) -> bool {
        let mut channels = self.channels();
        let Some(bells) = channels.get_mut(channel) else {
            return true;
        };
        bells.retain(|bell| !bell.is_unheard());
        bells.iter().for_each(Bell::ring);
        !bells.is_empty()
    }

    /// A subscription to a channel that is subscribed to.
    pub(super) fn listen(&self, channel: &str) -> Option<Subscription> {
        let mut channels = self.channels();
        let bells = channels.get_mut(channel)?;
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
            .is_some_and(|bells| bells.iter().any(|bell| !bell.is_unheard()));
        if !heard {
            channels.remove(channel);
        }
        !heard
    }

    /// Rings for everybody, because the connection is gone and with it what it would have told.
    pub(super) fn ring_all(&self) {
        self.channels()
            .drain()
            .flat_map(|(_, bells)| bells)
            .for_each(|bell| bell.ring());
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<String, Vec<Bell>>> {
        // Consistent at every point at which a panic can come.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
