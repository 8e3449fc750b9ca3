//! The parts both programs of this member share: the origin, the contenders and the hit they are measured by.

pub mod app;
pub mod args;
pub mod contenders;
pub mod larder;
pub mod origin;
pub mod recorder;
pub mod request;
pub mod stats;

/// What every command returns: a reason in one line, or nothing.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;
