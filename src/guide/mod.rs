//! The guide: what the layers do, by subject, with examples that are tested.
//!
//! | Page | Answers |
//! |---|---|
//! | [`presets`] | what does each preset do with requests and responses, and what can be set? |
//! | [`keys`] | which requests share an entry? |
//! | [`identity`] | how are one user's answers kept from another? |
//! | [`invalidation`] | how are entries forgotten, and what is promised then? |
//! | [`actions`] | how does an application say what happened, and leave it to the library what that makes stale? |
//! | [`guarantees`] | what is promised with several instances, whatever fails, and which test holds it? |
//! | [`freshness`] | how long is an entry of use, and what happens at its end? |
//! | [`answers`] | what do the headers say? |
//! | [`functions`] | how are the results of functions kept, and look-ups gathered? |
//! | [`layers`] | where does the cache go among sessions, CORS, compression, tracing and timeouts? |
//! | [`locks`] | how does one process at a time do what must not be done twice? |
//! | [`testing`] | how is a cached service tested without sleeping? |
//! | [`gateway`] | how is Larder a shared cache in front of any origin, by RFC 9111? |
//! | [`idempotency`] | how does an operation run once, however often it is asked for? (feature `idempotency`) |
//! | [`configuration`] | which variables of the environment count? |
//! | [`metrics`] | which metrics are there, and what do they mean? |
//! | [`logs`] | what do logs and spans say, and with which fields? |
//! | [`runbook`] | what does each alert mean, and what is to be done? |
//! | [`reasons`] | why was it a miss, why had the cache no part, why was it not kept, and how is each brought about? |

pub mod actions;
pub mod answers;
pub mod configuration;
pub mod freshness;
pub mod functions;
pub mod gateway;
pub mod guarantees;
#[cfg(feature = "idempotency")]
pub mod idempotency;
pub mod identity;
pub mod invalidation;
pub mod keys;
pub mod layers;
pub mod locks;
pub mod logs;
pub mod metrics;
pub mod presets;
pub mod reasons;
pub mod runbook;
pub mod testing;
