//! What a gateway is told: its origin, its profile and its limits.

use std::fmt;
use std::time::Duration;

use http::Uri;
use larder::Profile;

/// What a [`Gateway`](crate::Gateway) does.
#[derive(Debug, Clone)]
#[must_use]
pub struct Config {
    /// Where requests go: `http://host` or `http://host:port`.
    pub origin: Uri,
    /// How far reuse goes; by default [`Profile::Safe`].
    pub profile: Profile,
    /// How long the gateway waits for what.
    pub timeouts: Timeouts,
    /// The largest body that is kept, in bytes; by default 16 MiB.
    pub max_body: u64,
    /// For how long a stale response stands in for an origin that cannot be reached; by default not at all.
    pub stale_if_unreachable: Duration,
    /// Whether cookies mean nothing on a cacheable request, and do not reach the origin; by default they count.
    pub ignore_cookies: bool,
}

impl Config {
    /// A gateway in front of `origin`, with everything else by its default.
    ///
    /// # Errors
    /// When `origin` is not `http://host` or `http://host:port`.
    pub fn new(origin: Uri) -> Result<Self, ConfigError> {
        let error = |problem| {
            Err(ConfigError {
                origin: origin.clone(),
                problem,
            })
        };
        match origin.scheme_str() {
            Some("http") => {}
            Some("https") => return error("TLS to the origin is not supported"),
            _ => return error("it does not begin with http://"),
        }
        let Some(authority) = origin.authority() else {
            return error("it names no host");
        };
        if authority.host().is_empty() || authority.as_str().contains('@') {
            return error("a host, or a host and a port, must follow http://");
        }
        // `host:` and `host:99999` have a colon and no port.
        if authority.port_u16().is_none() && authority.as_str() != authority.host() {
            return error("its port is not a number from 0 to 65535");
        }
        if !matches!(origin.path(), "" | "/") || origin.query().is_some() {
            return error("it has a path: targets go on as clients send them");
        }
        Ok(Self {
            origin,
            profile: Profile::default(),
            timeouts: Timeouts::default(),
            max_body: 16 << 20,
            stale_if_unreachable: Duration::ZERO,
            ignore_cookies: false,
        })
    }

    /// How far reuse goes; by default [`Profile::Safe`].
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// How long the gateway waits for what; see [`Timeouts`] for the defaults.
    pub const fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// The largest body that is kept, in bytes; a larger one passes untouched. By default 16 MiB.
    pub const fn max_body(mut self, bytes: u64) -> Self {
        self.max_body = bytes;
        self
    }

    /// For how long after its lifetime a response stands in for an origin that cannot be reached, where the response
    /// does not forbid it. By default not at all.
    pub const fn stale_if_unreachable(mut self, window: Duration) -> Self {
        self.stale_if_unreachable = window;
        self
    }

    /// Takes cookies for no part of a cacheable request: they neither keep it from the cache nor reach the origin. By
    /// default a request with cookies passes uncached in [`Profile::Safe`], and reaches the origin with them in either.
    pub const fn ignore_cookies(mut self, ignore: bool) -> Self {
        self.ignore_cookies = ignore;
        self
    }
}

/// How long a gateway waits for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection to the origin, with the look-up of its name; by default 3 s.
    pub connect: Duration,
    /// For the head of a response, from when the request, with its body, was sent; by default 30 s.
    pub response_head: Duration,
    /// Between two parts of a body, of either direction; also for a client that does not read. By default 30 s.
    pub body_idle: Duration,
    /// For what is under way when the gateway is told to stop; by default 10 s.
    pub drain: Duration,
    /// For a client's request, from its first byte to the end of its head; by default 10 s. It ends at the latest after
    /// twice that.
    pub request_head: Duration,
    /// For a client's next request on its connection; by default 60 s.
    pub keep_alive: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            response_head: Duration::from_secs(30),
            body_idle: Duration::from_secs(30),
            drain: Duration::from_secs(10),
            request_head: Duration::from_secs(10),
            keep_alive: Duration::from_secs(60),
        }
    }
}

/// An origin that a gateway cannot have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    origin: Uri,
    problem: &'static str,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, problem } = self;
        write!(
            f,
            "the origin is \"{origin}\", and {problem}; allowed is http://HOST or http://HOST:PORT"
        )
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_a_host_and_perhaps_a_port() {
        for allowed in [
            "http://localhost",
            "http://127.0.0.1:9000",
            "http://[::1]:80/",
            "HTTP://a:0",
        ] {
            assert!(Config::new(allowed.parse().unwrap()).is_ok(), "{allowed}");
        }
        for (refused, why) in [
            ("localhost:9000", "http://"),
            ("/", "http://"),
            ("ftp://a", "http://"),
            ("https://a", "TLS"),
            ("http://a/b", "path"),
            ("http://a?b", "path"),
            ("http://user@a", "a host"),
            ("http://a:99999", "port"),
            ("http://a:", "port"),
        ] {
            let error = Config::new(refused.parse().unwrap()).unwrap_err().to_string();
            assert!(
                error.contains(why) && error.contains("allowed is"),
                "{refused}: {error}"
            );
        }
    }
}
