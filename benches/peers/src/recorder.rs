//! The metrics recorder a contender runs under: none, or the Prometheus exporter's, as applications have it.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// Runs what it is given with or without a recorder in place.
pub struct Recording(Option<PrometheusRecorder>);

impl Recording {
    /// With the Prometheus recorder, or with none.
    #[must_use]
    pub fn new(on: bool) -> Self {
        Self(on.then(|| PrometheusBuilder::new().build_recorder()))
    }

    /// Runs `work` with this recorder as the thread's; everything measured here runs on one thread.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(recorder) => metrics::with_local_recorder(recorder, work),
            None => work(),
        }
    }

    /// Empties the histograms' buckets, as the exporter does every few seconds; call it outside of what is timed.
    pub fn upkeep(&self) {
        if let Some(handle) = self.handle() {
            handle.run_upkeep();
        }
    }

    /// The recorder's handle, for upkeep from another thread.
    #[must_use]
    pub fn handle(&self) -> Option<PrometheusHandle> {
        self.0.as_ref().map(PrometheusRecorder::handle)
    }
}
