//! The operators' side of Larder: health, explanations, and an admin page as an axum router.
//!
//! This crate is for those who put a cache together by hand. Those who use Larder find it in the crate
//! [`larder`](https://docs.rs/larder), with the feature `admin`, as `larder.health()`, `larder.health_routes()` and
//! `larder.admin(guard)`.
//!
//! - [`Health`] says how each dependency is, [`HealthRoutes`] answers for it: alive, and ready.
//! - [`Admin`] is a page with all that a cache does, and what it answers as JSON. There is none without a [`Guard`], which
//!   says who may see it.
//! - [`Token`] is a guard that asks for a secret.

mod access;
mod actions;
mod admin;
mod api;
mod change;
mod entries;
mod explain;
mod gate;
mod health;
mod parts;
mod routes;
mod samples;
mod shown;
mod site;
mod warm;

pub use access::{Access, Guard, Token};
pub use admin::Admin;
pub use health::{Dependency, Health};
pub use parts::Parts;
pub use routes::HealthRoutes;
