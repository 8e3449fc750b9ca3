//! Routes that are declared with their layers, whose placeholders are checked when the router is built.

use axum::Router;
use axum::routing::MethodRouter;
use larder_cache_layer::{CacheLayer, Scope};
use larder_invalidation::InvalidateLayer;

/// Routes that are declared with their layers.
///
/// A layer never learns the path of its route. Declared with it, its placeholders are checked when the router is built, and
/// [`Larder::coverage`](crate::Larder::coverage) can name the route.
///
/// ```
/// use axum::{Router, routing::{get, post}};
/// use larder::{ActionRule, Actions, Larder, RoutesWithLayers};
///
/// let actions = Actions::new().with(ActionRule::new("team.member.add").tag("team:{team_id}"));
/// let larder = Larder::in_memory(1 << 20).with_actions(actions);
/// let app: Router = Router::new()
///     .cached_route("/teams/{team_id}", get(|| async { "…" }), larder.hot_cache("teams").tag("team:{team_id}"))
///     .invalidating_route("/teams/{team_id}/members", post(|| async {}), larder.invalidates("team.member.add"));
/// # let _ = app;
/// ```
///
/// ```should_panic
/// # use axum::{Router, routing::get};
/// # use larder::{Larder, RoutesWithLayers};
/// # let larder = Larder::in_memory(1 << 20);
/// let layer = larder.hot_cache("teams").tag("team:{team_id}");
/// Router::<()>::new().cached_route("/teams/{id}", get(|| async { "…" }), layer); // `team_id` is no parameter
/// ```
///
/// In a router that is nested, only the parameters of its own path are known: use axum's `route` where a tag needs one of
/// the nest's.
pub trait RoutesWithLayers: sealed::Sealed + Sized {
    /// What the methods of the route share.
    type State;

    /// A route whose responses are cached.
    ///
    /// # Panics
    /// If a placeholder of the layer's tags has no value on this route, or where axum's `route` does.
    #[must_use]
    fn cached_route<Sc: Scope>(
        self,
        path: &str,
        methods: MethodRouter<Self::State>,
        layer: CacheLayer<Sc>,
    ) -> Self;

    /// A route whose requests change something.
    ///
    /// # Panics
    /// If a placeholder of the layer's actions has no value on this route, or where axum's `route` does.
    #[must_use]
    fn invalidating_route(
        self,
        path: &str,
        methods: MethodRouter<Self::State>,
        layer: InvalidateLayer,
    ) -> Self;
}

impl<S: Clone + Send + Sync + 'static> RoutesWithLayers for Router<S> {
    type State = S;

    #[track_caller]
    fn cached_route<Sc: Scope>(self, path: &str, methods: MethodRouter<S>, layer: CacheLayer<Sc>) -> Self {
        self.route(path, methods.layer(layer.on_route(path)))
    }

    #[track_caller]
    fn invalidating_route(self, path: &str, methods: MethodRouter<S>, layer: InvalidateLayer) -> Self {
        layer.check_placeholders(path);
        self.route(path, methods.layer(layer))
    }
}

mod sealed {
    pub trait Sealed {}
    impl<S> Sealed for super::Router<S> {}
}
