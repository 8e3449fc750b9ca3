//! Forgetting by meaning: an application says what happened, and this crate knows what that makes stale.
//!
//! This crate is for those who build on it. Those who use Larder find all of it in the crate
//! [`larder`](https://docs.rs/larder), with the handle and the guide.
//!
//! - [`Actions`] is the register of an application's actions: each [`ActionRule`] has a name and the tags it forgets.
//! - [`Action`] is an action as a type, for which `#[derive(Action)]` of the crate `larder` checks the placeholders.
//! - [`Parameters`] are the values of placeholders.
//! - [`InvalidateLayer`] runs actions for routes that change something; [`ParameterSource`] says where it finds values.
//! - [`Invalidator`] runs actions, and owns the [journal](JournalLimits) of what failed. It forgets through [`Forget`].
//! - [`Coverage`] compares what actions forget with what layers keep, as a table, as a graph and as warnings.
//!
//! ```
//! use larder_invalidation::{ActionRule, Actions};
//! use larder_store::Tag;
//!
//! let actions = Actions::new().with(ActionRule::new("team.member.add").tag("team:{team_id}").tag("ratings"));
//! let tags = actions.tags("team.member.add", &[("team_id", 7)].into()).unwrap();
//! assert_eq!(tags, [Tag::new("team:7"), Tag::new("ratings")]);
//!
//! let error = actions.tags("team.member.ad", &[("team_id", 7)].into()).unwrap_err();
//! assert_eq!(error.to_string(), "no action is called `team.member.ad`: did you mean `team.member.add`?");
//! ```

mod action;
mod actions;
mod coverage;
mod error;
#[cfg(any(feature = "json", feature = "toml"))]
mod file;
mod forget;
mod future;
mod invalidator;
mod journal;
mod layer;
mod metrics;
mod named;
mod parameters;
mod path;
mod pending;
mod rule;
mod service;
mod settings;
mod source;

pub use action::Action;
pub use actions::Actions;
pub use coverage::{Cached, Coverage};
pub use error::{ActionError, ActionErrorKind};
pub use forget::{Cause, Forget, Forgetting, Source};
pub use future::ResponseFuture;
pub use invalidator::Invalidator;
pub use journal::JournalLimits;
pub use layer::InvalidateLayer;
pub use parameters::Parameters;
pub use rule::ActionRule;
pub use service::Invalidate;
pub use source::{ParameterSource, query};
