//! Actions as types.

use larder_store::Tag;

use crate::error::ActionError;
use crate::parameters::Parameters;
use crate::rule::ActionRule;

/// Something that happens in an application, as a type whose fields are its parameters.
///
/// `#[derive(Action)]` of the crate `larder` implements it, and does not compile where a placeholder is no field.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no action",
    note = "derive it: `#[derive(larder::Action)]` with `#[action(\"what.happened\", forgets(\"a:{{field}}\"))]`; or give \
            the action's name and parameters to `invalidate_for_action`"
)]
pub trait Action {
    /// Its name and what it forgets.
    fn rule() -> ActionRule
    where
        Self: Sized;

    /// The values of its placeholders.
    fn parameters(&self) -> Parameters;

    /// The tags that it forgets.
    ///
    /// # Errors
    /// When a value is empty, or would make a path mean another.
    fn tags(&self) -> Result<Vec<Tag>, ActionError>
    where
        Self: Sized,
    {
        Self::rule().tags(&self.parameters())
    }
}
