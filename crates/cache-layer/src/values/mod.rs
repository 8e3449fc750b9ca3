//! The results of functions, kept beside responses: in the same stores, by the same engine, under the same rules.

mod background;
mod codec;
mod fill;
mod many;
mod policy;
#[cfg(feature = "serde")]
mod shape;
mod slot;
mod typed;
mod work;

pub use codec::Codec;
pub use policy::FillPolicy;
pub use slot::{Missed, Slot};
pub use typed::Values;
pub use work::Work;
