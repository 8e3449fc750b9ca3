//! Handlers that are as slow as a client wants, to see what caching buys.

use std::time::Duration;

use serde::Deserialize;

/// `?delay_ms=120`: how slow the handler is to be; 10 s at most.
#[derive(Debug, Deserialize)]
pub(crate) struct Wait {
    #[serde(default)]
    delay_ms: u64,
}

impl Wait {
    pub(crate) async fn over(&self) {
        if self.delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(self.delay_ms.min(10_000))).await;
        }
    }
}
