//! What an instance of the fleet and the test that watches it have in common.

mod options;
mod page;
mod truth;

pub use options::{Backend, Options};
pub use page::Page;
pub use truth::{ROWS, Truth};
