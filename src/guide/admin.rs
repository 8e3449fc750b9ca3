//! See what it does: numbers for programs, health, and the page for operators.
//!
//! # Numbers
//!
//! [`Larder::stats`](crate::Larder::stats) has what each layer has counted since it was made, by
//! [outcome and reason](super::answers), with or without a recorder of [metrics](super::metrics): requests, misses, bypasses,
//! what was not kept, runs of handlers and how many were [slow](crate::Limits::slow_fill); and how much is kept in memory
//! ([`Size`](crate::Size)), and how the store is. Nothing is ever set back: a rate is the difference of two readings
//! ([`Counts::since`](crate::Counts::since)).
//!
//! A function's policy is counted by the handle that first used it.
