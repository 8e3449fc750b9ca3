//! Energy: profiles and ratings show it, points change it.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use rusqlite::OptionalExtension;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::problem::Problem;
use crate::user::User;
use crate::wait::Wait;

/// The user's own energy.
pub(crate) async fn profile(
    State(app): State<App>,
    Query(wait): Query<Wait>,
    user: User,
) -> Result<Json<Value>, Problem> {
    wait.over().await;
    let name = user.name().to_owned();
    let energy: Option<u64> = app
        .database
        .read(|rows| {
            let mut query = rows.prepare_cached("SELECT energy FROM users WHERE name = ?1")?;
            query.query_row([name], |row| row.get(0)).optional()
        })
        .await?;
    Ok(Json(
        json!({ "user": user.name(), "energy": energy.unwrap_or(0) }),
    ))
}

/// All users, those with the most energy first.
pub(crate) async fn ratings(
    State(app): State<App>,
    Query(wait): Query<Wait>,
) -> Result<Json<Vec<Value>>, Problem> {
    wait.over().await;
    let all = app
        .database
        .read(|rows| {
            let mut query =
                rows.prepare_cached("SELECT name, energy FROM users ORDER BY energy DESC, name")?;
            let users = query.query_map([], |row| {
                Ok(json!({ "user": row.get::<_, String>(0)?, "energy": row.get::<_, u64>(1)? }))
            })?;
            users.collect::<rusqlite::Result<Vec<_>>>()
        })
        .await?;
    Ok(Json(all))
}

#[derive(Debug, Deserialize)]
pub(crate) struct Points {
    points: u64,
}

/// The most points that one request may add.
const MOST_POINTS: u64 = 1_000_000;

/// Adds points, and answers the new total. Who was never here is a user from now on.
pub(crate) async fn add(
    State(app): State<App>,
    user: User,
    Json(Points { points }): Json<Points>,
) -> Result<Json<Value>, Problem> {
    if points > MOST_POINTS {
        let title = "At most 1000000 points at once";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, title));
    }
    let name = user.name().to_owned();
    let energy: u64 = app
        .database
        .write(move |rows| {
            let mut query = rows.prepare_cached(
                "INSERT INTO users VALUES (?1, ?2, 0) ON CONFLICT DO UPDATE SET energy = energy + ?2 RETURNING energy",
            )?;
            Ok(query.query_row((name, points), |row| row.get(0))?)
        })
        .await?;
    Ok(Json(json!({ "user": user.name(), "energy": energy })))
}
