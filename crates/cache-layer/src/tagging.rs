//! Under which names a layer's entries are forgotten: those of its settings that are about tags.

use std::fmt;

use larder_store::TagTemplate;

use crate::identity::Scope;
use crate::layer::CacheLayer;
use crate::tags;

/// Tags. All entries have those of their layer's name, their URI, each prefix of their path and their identity beside.
impl<Sc: Scope> CacheLayer<Sc> {
    /// One more name under which entries of this layer are forgotten: of all of them, `ratings`, or with placeholders,
    /// `team:{team_id}`.
    ///
    /// A placeholder is a parameter of the route's path (axum), `query.NAME` one of the query, and `identity` the layer's
    /// identity. A response whose request has no value for one is not kept, and says `unresolved_tag`. A [`Tag`](larder_store::Tag) is taken
    /// as it is, braces and all.
    ///
    /// # Panics
    /// If it is no template: [`TagTemplate::new`].
    #[track_caller]
    pub fn tag<T>(self, tag: T) -> Self
    where
        T: TryInto<TagTemplate>,
        T::Error: fmt::Display,
    {
        self.tags([tag])
    }

    /// More names under which entries of this layer are forgotten: as [`tag`](Self::tag).
    ///
    /// # Panics
    /// If one is no template: [`TagTemplate::new`].
    #[track_caller]
    pub fn tags<T>(self, tags: impl IntoIterator<Item = T>) -> Self
    where
        T: TryInto<TagTemplate>,
        T::Error: fmt::Display,
    {
        let mut templates = Vec::new();
        for tag in tags {
            match tag.try_into() {
                Ok(template) => templates.push(template),
                Err(error) => panic!("{error}"),
            }
        }
        self.with(|policy| policy.tags.extend(templates))
    }

    /// Says that the layer is for the route `path`, as the router has it: `/teams/{team_id}`. It is shown where actions
    /// are compared with layers, and the placeholders of its tags are checked. It does not limit the layer to that route.
    ///
    /// # Panics
    /// If a placeholder is no parameter of the path, no `query.NAME`, and not `identity` in a layer by identity.
    #[track_caller]
    pub fn on_route(self, path: &str) -> Self {
        let policy = self.policy();
        for tag in &policy.tags {
            let unknown = tags::unknown(tag, path, !policy.shared);
            assert!(
                unknown.is_empty(),
                "the tag `{tag}` of the layer `{}` has no value for `{}` on the route `{path}`: it is no parameter of the \
                 path; `{{query.NAME}}` is one of the query, and `{{identity}}` the identity of a user_cache",
                policy.name,
                unknown.join("`, `")
            );
        }
        self.with(|policy| policy.routes.push(path.to_owned()))
    }
}
