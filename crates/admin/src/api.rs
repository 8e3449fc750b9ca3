//! What the page asks for, as JSON.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use serde_json::{Value, json};

use crate::actions;
use crate::admin::Shared;
use crate::change::refused;
use crate::entries::{self, Wanted};
use crate::explain::Question;
use crate::health::Health;
use crate::shown;

/// How many locks and past invalidations are shown.
const LOCKS: usize = 100;
const PAST: usize = 50;

/// The parameters of a query, by name.
fn pairs(uri: &Uri) -> Vec<(String, String)> {
    form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .into_owned()
        .collect()
}

fn value<'p>(pairs: &'p [(String, String)], name: &str) -> Option<&'p str> {
    let pair = pairs.iter().find(|(other, _)| other == name)?;
    Some(&pair.1)
}

/// The numbers of now, and the readings from number `after` on.
pub(crate) async fn overview(State(shared): State<Shared>, uri: Uri) -> Json<Value> {
    let parts = &shared.parts;
    shared.samples.begin(&parts.engine);
    let after = value(&pairs(&uri), "after").and_then(|number| number.parse().ok());
    let past = parts.engine.past_invalidations();
    let locks = parts.locker.queued(LOCKS);
    let mut overview = shown::stats(&parts.engine.stats());
    let more = json!({
        "now_ms": parts.engine.now().as_millis(),
        "pending": parts.invalidator.pending(),
        "series": shared.samples.since(after.unwrap_or(0)),
        "invalidations": past.iter().take(PAST).map(shown::invalidation).collect::<Vec<_>>(),
        "locks": locks.iter().map(shown::lock).collect::<Vec<_>>(),
        "warms": shared.warms.is_some(),
    });
    if let (Value::Object(overview), Value::Object(more)) = (&mut overview, more) {
        overview.extend(more);
    }
    Json(overview)
}

/// Entries by `path`, `tag` or `key`: a part of the text `q`.
pub(crate) async fn entries(State(shared): State<Shared>, uri: Uri) -> Response {
    let pairs = pairs(&uri);
    let wanted = value(&pairs, "q").unwrap_or_default().to_owned();
    let wanted = match value(&pairs, "by").unwrap_or("path") {
        "path" => Wanted::Path(wanted),
        "tag" => Wanted::Tag(wanted),
        "key" => Wanted::Key(wanted.into_bytes()),
        _ => return refused(StatusCode::UNPROCESSABLE_ENTITY, "`by` is path, tag or key"),
    };
    let most = value(&pairs, "limit").and_then(|most| most.parse().ok());
    let Ok(_turn) = shared.searching.try_acquire() else {
        return refused(StatusCode::TOO_MANY_REQUESTS, "others are searching: try again");
    };
    let engine = &shared.parts.engine;
    let found = entries::search(engine, wanted, most.unwrap_or(entries::MOST)).await;
    Json(found.shown(engine.now())).into_response()
}

/// Why a request hits or misses.
pub(crate) async fn explain(State(shared): State<Shared>, uri: Uri) -> Response {
    let pairs = pairs(&uri);
    let question = Question::read(pairs.iter().map(|(name, value)| (&**name, &**value)));
    let question = match question {
        Ok(question) => question,
        Err(why) => return refused(StatusCode::UNPROCESSABLE_ENTITY, why),
    };
    let Ok(_turn) = shared.searching.try_acquire() else {
        return refused(StatusCode::TOO_MANY_REQUESTS, "others are searching: try again");
    };
    Json(question.answer(&shared.parts).await).into_response()
}

/// Actions, and what each makes stale.
pub(crate) async fn actions(State(shared): State<Shared>) -> Json<Value> {
    Json(actions::shown(&shared.parts))
}

/// How each dependency is, with its name.
pub(crate) async fn health(State(shared): State<Shared>) -> Response {
    let Ok(_turn) = shared.asking.try_acquire() else {
        return refused(StatusCode::TOO_MANY_REQUESTS, "others are asking: try again");
    };
    let health = Health::of(&shared.parts, std::time::Duration::from_secs(1)).await;
    Json(health.json_in_full()).into_response()
}
