//! What can be changed: entries forgotten, layers switched, paths warmed. Each change is logged.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::HOST;
use http::{HeaderMap, StatusCode};
use larder_invalidation::{Cause, Source};
use larder_store::{Strength, Tag};
use serde::Deserialize;
use serde_json::json;

use crate::admin::Shared;
use crate::shown;
use crate::warm;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forget {
    kind: Kind,
    #[serde(default)]
    value: String,
    #[serde(default)]
    soft: bool,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Tag,
    Uri,
    Prefix,
    Identity,
    Layer,
    All,
}

pub(crate) async fn invalidate(State(shared): State<Shared>, Json(forget): Json<Forget>) -> Response {
    let Forget { kind, value, soft } = forget;
    if value.is_empty() && !matches!(kind, Kind::All) {
        return refused(StatusCode::UNPROCESSABLE_ENTITY, "`value` is empty");
    }
    if matches!(kind, Kind::Uri | Kind::Prefix) && !value.starts_with('/') {
        return refused(StatusCode::UNPROCESSABLE_ENTITY, "a path begins with `/`");
    }
    let strength = if soft { Strength::Soft } else { Strength::Hard };
    let mut cause = Cause::from(Source::Api);
    cause.action = Some("admin page".into());
    let tags = match kind {
        Kind::Tag => vec![Tag::new(value.as_str())],
        Kind::Uri => {
            let path = value.split('?').next().unwrap_or_default();
            vec![Tag::uri(value.as_str()), Tag::all_searches(path)]
        }
        Kind::Prefix => vec![Tag::path(&value)],
        Kind::Identity => vec![Tag::identity(value.as_str())],
        Kind::Layer => vec![Tag::layer(value.as_str())],
        Kind::All => Vec::new(),
    };
    let invalidator = &shared.parts.invalidator;
    let done = match kind {
        Kind::All => invalidator.forget_everything(strength, cause).await,
        _ => invalidator.forget(&tags, strength, cause).await,
    };
    tracing::warn!(
        ?kind,
        value = shown::text(&value),
        soft,
        ok = done.is_ok(),
        "admin: invalidate"
    );
    match done {
        Ok(done) => Json(json!({ "known": done.known })).into_response(),
        Err(error) => refused(StatusCode::BAD_GATEWAY, &shown::text(&error.to_string())),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Switching {
    /// Without one, all together.
    cache: Option<String>,
    on: bool,
}

pub(crate) async fn switch(State(shared): State<Shared>, Json(switching): Json<Switching>) -> Response {
    let Switching { cache, on } = switching;
    let engine = &shared.parts.engine;
    match &cache {
        None => engine.set_enabled(on),
        Some(name) => match engine.switch(name) {
            Some(switch) => switch.set(on),
            None => return refused(StatusCode::NOT_FOUND, "no layer has this name"),
        },
    }
    let cache = cache.as_deref().map(shown::text);
    tracing::warn!(cache, on, "admin: switch");
    Json(json!({ "cache": cache, "on": on })).into_response()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Warming {
    paths: Vec<String>,
}

pub(crate) async fn warm(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Json(Warming { paths }): Json<Warming>,
) -> Response {
    let Some(router) = &shared.warms else {
        return refused(
            StatusCode::NOT_FOUND,
            "nothing can be warmed: the admin router was given no application",
        );
    };
    if paths.is_empty() || paths.len() > warm::MOST {
        return refused(StatusCode::UNPROCESSABLE_ENTITY, "name 1 to 50 paths");
    }
    let Ok(_turn) = shared.warming.try_acquire() else {
        return refused(StatusCode::CONFLICT, "others are being warmed");
    };
    tracing::warn!(paths = paths.len(), "admin: warm");
    Json(json!({ "warmed": warm::warm(router, headers.get(HOST), paths).await })).into_response()
}

pub(crate) fn refused(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}
