//! The routes, each beside its layer.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use larder::idempotency::IdempotencyLayer;
use larder::{Identity, Larder, RoutesWithLayers, from_extractor, identified_by};
use serde_json::json;

use crate::database::Database;
use crate::user::User;
use crate::{content, energy, shop, teams};

/// What handlers share.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) database: Database,
    pub(crate) larder: Larder,
}

impl App {
    pub(crate) const fn new(database: Database, larder: Larder) -> Self {
        Self { database, larder }
    }
}

/// For how long a client reads what it wrote: longer than any bound that makes sense here.
const READ_OWN: Duration = Duration::from_secs(10);

/// All routes; `idempotent` lets each purchase run once.
pub(crate) fn router(app: App, idempotent: IdempotencyLayer) -> Router {
    let larder = app.larder.clone();
    let user = from_extractor((), |user: &User| Identity::new(user.name()));
    // Who changes something sees it at once, also where `--coherence` lets others be behind.
    let change = |action| larder.invalidates(action).read_your_writes(READ_OWN);
    let energy_change = change("energy_points.change").parameter("user", identified_by(user.clone()));
    let purchase = change("shop.purchase")
        .parameter("user", identified_by(user.clone()))
        // Only the body says which product; where nobody knows how it ended, all of them.
        .from_handler(["product"])
        .otherwise(["shop"]);
    let product = larder.public_cache("product").tags(["product:{id}", "shop"]);
    let products = larder.public_cache("products").tags(["products", "shop"]);
    Router::new()
        .cached_route(
            "/api/v1/profile",
            get(energy::profile),
            larder.user_cache("profile", user),
        )
        .cached_route(
            "/api/v1/ratings",
            get(energy::ratings),
            larder.hot_cache("ratings").tag("ratings"),
        )
        .cached_route(
            "/api/v1/teams/{id}",
            get(teams::team),
            larder.hot_cache("teams").tag("team:{id}"),
        )
        .cached_route("/api/v1/products", get(shop::products), products)
        .cached_route("/api/v1/products/{id}", get(shop::product), product)
        .cached_route(
            "/api/v1/content/{slug}",
            get(content::article),
            larder.public_cache("content").tag("content:{slug}"),
        )
        .cached_route(
            "/assets/{*path}",
            get(content::asset),
            larder.static_cache("assets"),
        )
        .invalidating_route("/api/v1/energy-points", post(energy::add), energy_change)
        .invalidating_route(
            "/api/v1/teams/{id}/members",
            post(teams::add_member),
            change("team.member.add"),
        )
        // The handler goes on when its client is gone: what it forgets, it forgets when it has ended.
        .route(
            "/api/v1/shop/purchase",
            post(shop::purchase)
                .layer::<_, Infallible>(purchase)
                .layer(idempotent),
        )
        .route("/api/v1/db-reads", get(reads))
        .with_state(app)
}

/// How often handlers of this process have read the database.
async fn reads(State(app): State<App>) -> impl IntoResponse {
    let reads = app.database.reads();
    ([(CACHE_CONTROL, "no-store")], Json(json!({ "reads": reads })))
}
