//! Teams and their members.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use rusqlite::{Connection, OptionalExtension};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::problem::Problem;
use crate::user::User;
use crate::wait::Wait;

/// A team and its members, by name.
pub(crate) async fn team(
    State(app): State<App>,
    Path(id): Path<u32>,
    Query(wait): Query<Wait>,
) -> Result<Json<Value>, Problem> {
    wait.over().await;
    let team = app.database.read(move |rows| find(rows, id)).await?;
    team.map(Json).ok_or_else(Problem::not_found)
}

#[derive(Debug, Deserialize)]
pub(crate) struct Member {
    user: String,
}

/// Adds a member, and answers the team. Who is one already stays one.
pub(crate) async fn add_member(
    State(app): State<App>,
    Path(id): Path<u32>,
    Json(Member { user }): Json<Member>,
) -> Result<Json<Value>, Problem> {
    if !User::is_name(&user) {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "That is no user's name",
        ));
    }
    let team = app
        .database
        .write(move |rows| {
            if find(rows, id)?.is_none() {
                return Err(Problem::not_found());
            }
            rows.execute("INSERT OR IGNORE INTO members VALUES (?1, ?2)", (id, user))?;
            find(rows, id)?.ok_or_else(Problem::not_found)
        })
        .await?;
    Ok(Json(team))
}

fn find(rows: &Connection, id: u32) -> rusqlite::Result<Option<Value>> {
    let mut query = rows.prepare_cached("SELECT name FROM teams WHERE id = ?1")?;
    let Some(name) = query.query_row([id], |row| row.get::<_, String>(0)).optional()? else {
        return Ok(None);
    };
    let mut query = rows.prepare_cached("SELECT user FROM members WHERE team = ?1 ORDER BY user")?;
    let members = query.query_map([id], |row| row.get::<_, String>(0))?;
    let members = members.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(Some(json!({ "id": id, "name": name, "members": members })))
}
