//! The ground of Larder: what is kept, under which names it is found and forgotten, and the contract of what keeps it.
//!
//! - [`Key`] is the full name of an entry; [`KeyWriter`] encodes its parts so that different parts never make equal keys.
//! - [`Tag`] is a name under which entries are forgotten; [`TagTemplate`] is one with placeholders.
//! - [`Entry`] is what is kept: a response or a value, with its [`Lifetime`] and its tags.
//! - [`Store`] is the contract of what keeps entries; [`MemoryStore`] keeps them in this process.
//! - [`Shelf`] has entries in memory within a bound, for stores with stamps of their own.
//! - [`Frame`] is an entry as bytes, for stores outside this process.
//! - [`Flights`] lets one of many concurrent callers work and the others wait; a [`Turn`] does so among processes.
//! - [`ReadToken`] lets a client see its own change at once.
//! - [`Clock`] tells the time, and [`FakeClock`] tells the time that a test wants.
//!
//! This crate is for those who write a store or a layer. Those who use Larder find all of it in the crate `larder`.

mod clock;
mod contract;
mod entry;
mod error;
mod finding;
mod flight;
mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod key;
mod key_part;
mod ledger;
mod memory;
mod placeholder;
mod read_token;
mod search;
#[cfg(not(shuttle))]
mod seeded;
mod shelf;
mod sync;
mod tag;
mod template;
mod turn;
mod value;

pub use clock::{Clock, FakeClock, Timestamp};
pub use contract::{
    Announcement, Answer, Breaker, Capture, Condition, Forgotten, Kept, Lookup, Put, Size, Store, Survey,
    Useless, Wanted,
};
pub use entry::{Content, Entry, Lifetime, SharedEntry, StoredResponse, VaryNames};
pub use error::{StoreError, StoreErrorKind};
pub use finding::{Finding, Severity};
pub use flight::{Flights, Landing, Leader, Role, Waiter};
pub use frame::{Frame, FrameError};
pub use key::{Key, KeyBuffer, KeyReader, KeyWriter};
pub use key_part::KeyPart;
pub use ledger::{Sequence, Strength, Validity};
pub use memory::MemoryStore;
pub use placeholder::{TemplateError, TemplateErrorKind, Unfilled, UnfilledPlaceholder};
pub use read_token::ReadToken;
pub use search::{IgnoredParameters, SearchVariance};
pub use shelf::{NoRoom, Shelf};
pub use tag::{Tag, TagId, TagKind};
pub use template::TagTemplate;
pub use turn::{Lease, Turn, TurnEnd};
pub use value::{AnyValue, Encode, StoredValue, Unread};
