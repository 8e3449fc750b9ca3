//! The main job on the embedded store: ratings, a profile, products and a logo, cached, and made fresh by a POST.
//!
//! `cargo run --example quickstart [-- --listen 127.0.0.1:3000]`; the README has the `curl` lines to try.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use larder::{Identity, Larder, Tag, from_extractor};
use serde::Deserialize;
use serde_json::{Value, json};

/// What handlers share: the "database", and the cache.
#[derive(Clone)]
struct App {
    energy: Arc<Mutex<BTreeMap<String, u64>>>,
    larder: Larder,
}

/// The user of a request, verified. Here any name is one; a service checks a session or a token.
struct User(String);

impl FromRequestParts<App> for User {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Self::Rejection> {
        let token = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        match token
            .and_then(|token| token.strip_prefix("Bearer "))
            .filter(|name| !name.is_empty())
        {
            Some(name) => Ok(Self(name.to_owned())),
            None => Err((
                StatusCode::UNAUTHORIZED,
                "say who you are: Authorization: Bearer NAME\n",
            )),
        }
    }
}

fn router(app: App) -> Router {
    let larder = &app.larder;
    let user = from_extractor(app.clone(), |user: &User| Identity::new(user.0.clone()));
    Router::new()
        .route(
            "/api/v1/ratings",
            get(ratings).layer(larder.hot_cache("ratings").tag("ratings")),
        )
        .route(
            "/api/v1/profile",
            get(profile).layer(larder.user_cache("profile", user)),
        )
        .route(
            "/api/v1/products",
            get(products).layer(larder.public_cache("products")),
        )
        .route("/assets/logo.svg", get(logo).layer(larder.static_cache("assets")))
        .route("/api/v1/energy-points", post(add_energy))
        .with_state(app)
}

async fn ratings(State(app): State<App>) -> Json<Value> {
    let mut all: Vec<_> = app.energy().clone().into_iter().collect();
    all.sort_by_key(|(_, energy)| std::cmp::Reverse(*energy));
    Json(
        all.into_iter()
            .map(|(user, energy)| json!({ "user": user, "energy": energy }))
            .collect(),
    )
}

async fn profile(State(app): State<App>, User(user): User) -> Json<Value> {
    let energy = app.energy().get(&user).copied().unwrap_or(0);
    Json(json!({ "user": user, "energy": energy }))
}

#[derive(Deserialize)]
struct Points {
    points: u64,
}

/// Changes the data, and says which answers that makes stale. Both are fresh from the next request on.
async fn add_energy(
    State(app): State<App>,
    User(user): User,
    Json(Points { points }): Json<Points>,
) -> Result<Json<Value>, (StatusCode, String)> {
    let energy = {
        let mut all = app.energy();
        let energy = all.entry(user.clone()).or_default();
        *energy = energy.saturating_add(points);
        *energy
    };
    let stale = [Tag::new("ratings"), Tag::identity(user.as_str())];
    app.larder
        .invalidate_tags(stale)
        .await
        .map_err(|e| (StatusCode::SERVICE_UNAVAILABLE, e.to_string()))?;
    Ok(Json(json!({ "user": user, "energy": energy })))
}

async fn products() -> Json<Value> {
    Json(json!([{ "id": 1, "price": 250, "name": "jam" }, { "id": 2, "price": 90, "name": "bread" }]))
}

async fn logo() -> impl IntoResponse {
    let svg = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M1 1h6v6H1z" fill="#3a5"/></svg>"##;
    ([(header::CONTENT_TYPE, "image/svg+xml")], svg)
}

impl App {
    fn energy(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, u64>> {
        self.energy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => "127.0.0.1:3000".to_owned(),
        (Some("--listen"), Some(address)) => address,
        _ => return Err("usage: quickstart [--listen ADDRESS:PORT]".into()),
    };
    let larder = Larder::from_env()?;
    let energy = BTreeMap::from([("ada".to_owned(), 30), ("grace".to_owned(), 20)]);
    let app = App {
        energy: Arc::new(Mutex::new(energy)),
        larder: larder.clone(),
    };
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    axum::serve(listener, router(app))
        .with_graceful_shutdown(stop)
        .await?;
    larder.shutdown(std::time::Duration::from_secs(5)).await;
    Ok(())
}
