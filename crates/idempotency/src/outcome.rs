//! What became of a request in the idempotency layer.

use crate::problem::Problem;

/// What became of a request in the idempotency layer: in the extensions of its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The handler ran, as the first with this key.
    First,
    /// The handler ran again, since it is not known how far the first run came ([`OnLost::Rerun`](crate::OnLost::Rerun)).
    Rerun,
    /// It was answered with the response of the first.
    Replayed,
    /// It was refused.
    Refused(Problem),
    /// What is remembered could not be asked, and the handler ran all the same
    /// ([`OnUnavailable::RunUnprotected`](crate::OnUnavailable::RunUnprotected)).
    Unprotected,
    /// The layer had no part: another method, or no key where none is needed.
    Passed,
}

impl Outcome {
    /// The word for it in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Rerun => "rerun",
            Self::Replayed => "replayed",
            Self::Refused(problem) => problem.as_str(),
            Self::Unprotected => "unprotected",
            Self::Passed => "passed",
        }
    }
}
