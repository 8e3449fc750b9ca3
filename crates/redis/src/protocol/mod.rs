//! The rules by which entries are forgotten on all instances at once: what lies on the server, what changes it, and what
//! it says of an entry.
//!
//! One counter, the *sequence*, numbers all invalidations of a namespace. A fill notes it before it begins (its *stamp*),
//! and its entry is valid while none of its tags was forgotten under a later number. There is no clock in it. Numbers are
//! of a *generation*, a random name that is made anew whenever a record is found lost, so that no number is ever taken for
//! one of another time.
//!
//! | Key | Holds |
//! |---|---|
//! | `{ns}:root` | the generation; the numbers under which everything was forgotten, hard and softly; the `run_id` of the server's process |
//! | `{ns}:seq` | the generation, and the last number |
//! | `{ns}:t:…` | of a tag: the generation; the numbers under which it was last forgotten, hard and softly; the changes that were announced and are not finished, each with its deadline |
//! | `ns:e1:…` | an entry: a [`Frame`](larder_store::Frame), with its stamp |
//!
//! Every change is one script, so that it happens at once; what a look-up needs is one `MGET`. Why nothing stale passes:
//!
//! - **A fill that is overtaken.** Its stamp was taken before, the invalidation's number is greater, and the tag's record
//!   holds it. Whoever looks after the invalidation sees the record, or none.
//! - **A record that is lost** (evicted, expired, deleted) is missing, and an entry with a missing record is dead. A capture
//!   makes a missing record under a new number, so that no entry of before comes back to life. Where a tag becomes known
//!   only with the response, its record is made under the last number: an invalidation since the fill's stamp, of whatever
//!   tag, is greater than the stamp, and the fill is born dead.
//! - **The root or the sequence is lost**: there is a new generation, and all entries are of another. An invalidation that
//!   finds the sequence lost deletes the root, for it has no number that would be greater than all before.
//! - **The server goes back in time** (a restart from a snapshot, the promotion of a replica): the root comes back with it,
//!   and names a process that is not the one that was connected to. Each connection asks its server for its `run_id`
//!   before first use, and a root with another one is no root.
//! - **The server is full** and refuses to write: an invalidation deletes the root.
//! - **Two writers on one tag**: each number is taken and written in one step, so that the lower never lands last.
//! - **A soft invalidation after a hard one** writes another field.
//! - **A writer that dies between its commit and its invalidation** had announced the change: an open announcement makes
//!   the tag's entries invalid; one past its deadline is removed by the next capture, under a new number.

mod names;
mod record;
mod scripts;
mod verdict;

#[cfg(test)]
mod differential;
#[cfg(test)]
mod model;
#[cfg(test)]
mod table;

pub(crate) use names::{Names, RecordId};
pub(crate) use record::{Generation, IntentId, Stamp, Tally};
pub(crate) use scripts::Scripts;
pub(crate) use verdict::{Verdict, fingerprint, judge};
