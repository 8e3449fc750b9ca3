//! The breaker, as the metrics show it.

use metrics::{counter, gauge};

/// What the breaker is, as the metric counts it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Breaker {
    Closed,
    HalfOpen,
    Open,
}

impl Breaker {
    pub(crate) fn enter(self) {
        let (number, word) = match self {
            Self::Closed => (0.0, "closed"),
            Self::HalfOpen => (1.0, "half_open"),
            Self::Open => (2.0, "open"),
        };
        gauge!("larder_backend_breaker_state", "backend" => "redis").set(number);
        counter!("larder_backend_breaker_transitions_total", "backend" => "redis", "to" => word).increment(1);
    }
}
