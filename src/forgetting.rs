//! Forgetting through the handle: by tag, path, URI, identity or all, and by what happened.

use larder_invalidation::{Action, Coverage, InvalidateLayer, Parameters};
use larder_store::Tag;

use crate::invalidation::Invalidation;
use crate::larder::Larder;

/// Forgetting. Each of these does nothing until it is awaited; `.soft()` before that lets stale answers be served meanwhile.
/// Each costs the same for one entry as for a million.
impl Larder {
    /// Forgets all entries that carry `tag`. Complete when it returns: no request that arrives later, here, is answered
    /// with what was made before.
    ///
    /// The cost is the same for one entry as for a million, and nothing is left behind where there was none.
    ///
    /// # Errors
    /// When the store failed: it is unknown whether the entries were forgotten.
    pub fn invalidate_tag(&self, tag: impl Into<Tag>) -> Invalidation {
        self.forgetting(vec![tag.into()])
    }

    /// Forgets all entries that carry one of `tags`: as [`invalidate_tag`](Self::invalidate_tag).
    ///
    /// # Errors
    /// When the store failed: it is unknown which entries were forgotten.
    pub fn invalidate_tags<T: Into<Tag>>(&self, tags: impl IntoIterator<Item = T>) -> Invalidation {
        self.forgetting(tags.into_iter().map(Into::into).collect())
    }

    /// Forgets all entries whose path is `prefix` or lies below it, by whole segments: `/teams` reaches `/teams/7`, not
    /// `/teamsters`. A prefix of more than eight segments is widened to eight.
    ///
    /// # Errors
    /// When the store failed: it is unknown whether the entries were forgotten.
    pub fn invalidate_prefix(&self, prefix: &str) -> Invalidation {
        self.forgetting(vec![Tag::path(prefix)])
    }

    /// Forgets all entries of this path and query, of every host, header and identity. The order of the parameters does
    /// not matter. Those that a [layer ignores](crate::CacheLayer::ignore_query) are left out here too, or the entry is not found.
    ///
    /// ```
    /// use axum::{Router, body::Body, routing::get};
    /// use http::Request;
    /// use larder::Larder;
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), larder::Error> {
    /// let larder = Larder::in_memory(1 << 20);
    /// let layer = larder.public_cache("products").ignore_query(["utm_source"]);
    /// let app: Router = Router::new().route("/products", get(|| async { "jam" }).layer(layer));
    /// let ask = |uri: &'static str| {
    ///     let asked = app.clone().oneshot(Request::get(uri).body(Body::empty()).unwrap());
    ///     async { asked.await.unwrap().headers()["x-cache"].clone() }
    /// };
    ///
    /// assert_eq!(ask("/products?utm_source=mail&b=2&a=1").await, "MISS");
    /// assert_eq!(ask("/products?a=1&b=2").await, "HIT");
    /// larder.invalidate_uri("/products?a=1&b=2").await?;
    /// assert_eq!(ask("/products?a=1&b=2").await, "MISS");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the store failed: it is unknown whether the entries were forgotten.
    pub fn invalidate_uri(&self, path_and_query: &str) -> Invalidation {
        // What answers it may have been made for another query of its path (`No-Vary-Search`).
        let path = path_and_query.split('?').next().unwrap_or_default();
        self.forgetting(vec![Tag::uri(path_and_query), Tag::all_searches(path)])
    }

    /// Forgets all entries of one identity: after a logout, or a change of role.
    ///
    /// # Errors
    /// When the store failed: it is unknown whether the entries were forgotten.
    pub fn invalidate_identity(&self, id: &str) -> Invalidation {
        self.forgetting(vec![Tag::identity(id)])
    }

    /// Forgets all entries.
    ///
    /// # Errors
    /// When the store failed: it is unknown whether the entries were forgotten.
    pub fn invalidate_all(&self) -> Invalidation {
        Invalidation::of_everything(self.invalidator())
    }

    /// Forgets what the action called `name` makes stale, with these parameters. See [actions](crate::guide::actions).
    ///
    /// ```
    /// use larder::{ActionRule, Actions, Larder};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), larder::Error> {
    /// let actions = Actions::new().with(ActionRule::new("energy_points.change").tag("ratings").identity("{user_id}"));
    /// let larder = Larder::in_memory(1 << 20).with_actions(actions);
    /// larder.invalidate_for_action("energy_points.change", [("user_id", 123)]).await?;
    ///
    /// let error = larder.invalidate_for_action("energy_points.change", [("user", 123)]).await.unwrap_err();
    /// assert_eq!(error.kind(), larder::ErrorKind::Action);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When there is no such action, a placeholder has no value or one that would make a path mean another: then nothing was
    /// forgotten. When the store failed: then it is unknown whether the entries were forgotten.
    pub fn invalidate_for_action(&self, name: &str, parameters: impl Into<Parameters>) -> Invalidation {
        let tags = self.invalidator().actions().tags(name, &parameters.into());
        Invalidation::of_action(self.invalidator(), Some(name), tags)
    }

    /// Forgets what an action makes stale that is a type: it need not be among the handle's actions.
    ///
    /// # Errors
    /// When a value is empty or would make a path mean another: then nothing was forgotten. When the store failed: then it
    /// is unknown whether the entries were forgotten.
    pub fn invalidate_for<A: Action>(&self, action: &A) -> Invalidation {
        Invalidation::of_action(self.invalidator(), Some(A::rule().name()), action.tags())
    }

    /// A layer for routes where the action called `name` happens. See [actions](crate::guide::actions).
    ///
    /// # Panics
    /// If there is no such action.
    #[track_caller]
    pub fn invalidates(&self, name: &str) -> InvalidateLayer {
        self.invalidate_layer().action(name)
    }

    /// A layer for routes that change something, which forgets their own URI; to be told more.
    pub fn invalidate_layer(&self) -> InvalidateLayer {
        InvalidateLayer::new(self.invalidator())
    }

    /// Which actions make which layers and routes stale, and what no action reaches: as a table, a graph, and warnings. It
    /// knows the layers that are laid around a service by now.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        let described = self.engine().described().into_iter();
        let cached = described.map(|layer| larder_invalidation::Cached {
            layer: layer.name.to_string(),
            routes: layer.routes,
            tags: layer.tags,
            per_identity: layer.per_identity,
        });
        Coverage::new(self.invalidator().actions(), cached.collect())
    }

    fn forgetting(&self, tags: Vec<Tag>) -> Invalidation {
        Invalidation::of_tags(self.invalidator(), tags)
    }
}
