//! The guide.

pub mod presets;
