//! The replay-protection layer: configuration, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use larder_store::Clock;
use tower_layer::Layer;

use super::canonical::normal_host;
use super::service::ReplayProtection;
use super::signing_key::SigningKeys;
use super::verify::Verifier;
use crate::records::Records;

/// Lets requests pass that are signed with a known key, of this time, and there for the first time.
///
/// All others get an answer that says why ([`Problem`](crate::Problem)); the handler does not see them. A request that
/// passes has [`Verified`](super::Verified) in its extensions. The layer goes outside of what changes requests, and inside
/// of a limit on how many requests a client may make.
///
/// It checks in this order: the length that is announced, the headers, the time, the key, the length that came, the
/// signature, and only then the nonce: so nobody without a key fills the memory of nonces, or spends those of others.
#[derive(Debug, Clone)]
#[must_use = "a layer does nothing until it is laid around a service"]
pub struct ReplayProtectionLayer {
    verifier: Verifier,
}

impl ReplayProtectionLayer {
    /// Accepts requests that are signed with `keys`, and remembers their nonces in `records`, which all instances share.
    pub fn new(records: impl Records, keys: impl Into<SigningKeys>) -> Self {
        Self {
            verifier: Verifier {
                records: Arc::new(records),
                keys: keys.into(),
                clock: Clock::system(),
                window: Duration::from_secs(300),
                max_body: 1 << 20,
                store_timeout: Duration::from_secs(2),
                host: None,
            },
        }
    }

    /// How far the time of a signature may be from the server's, before or after. 300 s by default. A nonce is remembered for
    /// twice as long, and a minute for clocks of instances that differ.
    ///
    /// # Panics
    /// If it is below a second, or above a day.
    #[track_caller]
    pub fn window(mut self, window: Duration) -> Self {
        assert!(
            (Duration::from_secs(1)..=Duration::from_secs(24 * 3600)).contains(&window),
            "the window of signatures is from a second to a day, not {window:?}"
        );
        self.verifier.window = window;
        self
    }

    /// The largest body, in bytes; a larger one is refused (413). It is read before the handler runs. 1 MiB by default.
    pub const fn max_body(mut self, bytes: usize) -> Self {
        self.verifier.max_body = bytes;
        self
    }

    /// How long an answer of the records is waited for, after which the request is refused (503). 2 s by default.
    pub const fn store_timeout(mut self, limit: Duration) -> Self {
        self.verifier.store_timeout = limit;
        self
    }

    /// The host that clients sign, with its port if that is neither 80 nor 443: for servers behind a proxy that changes
    /// `Host`. By default the host of each request.
    pub fn host(mut self, host: &str) -> Self {
        self.verifier.host = Some(normal_host(host));
        self
    }

    /// Another clock, for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.verifier.clock = clock;
        self
    }
}

impl<S> Layer<S> for ReplayProtectionLayer {
    type Service = ReplayProtection<S>;

    fn layer(&self, inner: S) -> ReplayProtection<S> {
        ReplayProtection::new(inner, Arc::new(self.verifier.clone()))
    }
}
