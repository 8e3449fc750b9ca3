//! What happens here, and what that makes stale: the one place that knows.

use larder::{Action, ActionRule, Actions};

/// An article was written or changed.
#[derive(Action)]
#[action("content.publish", forgets("content:{slug}"))]
pub(crate) struct ContentPublished {
    pub(crate) slug: &'static str,
}

/// The actions of routes by name, and those of code by type.
pub(crate) fn all() -> Actions {
    Actions::new()
        .with(
            ActionRule::new("energy_points.change")
                .tag("ratings")
                .identity("{user}"),
        )
        .with(ActionRule::new("team.member.add").tag("team:{id}"))
        .with(
            ActionRule::new("shop.purchase")
                .tag("ratings")
                .tag("products")
                .tag("product:{product}")
                .identity("{user}"),
        )
        .with_type::<ContentPublished>()
}
