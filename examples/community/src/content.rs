//! Articles from the database, and the files of the site.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use rusqlite::OptionalExtension;
use serde_json::{Value, json};

use crate::app::App;
use crate::problem::Problem;
use crate::wait::Wait;

pub(crate) async fn article(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(wait): Query<Wait>,
) -> Result<Json<Value>, Problem> {
    wait.over().await;
    let found = app
        .database
        .read(move |rows| {
            let mut query = rows.prepare_cached("SELECT slug, title, body FROM content WHERE slug = ?1")?;
            let found = query.query_row([slug], |row| {
                Ok(json!({
                    "slug": row.get::<_, String>(0)?,
                    "title": row.get::<_, String>(1)?,
                    "body": row.get::<_, String>(2)?,
                }))
            });
            found.optional()
        })
        .await?;
    found.map(Json).ok_or_else(Problem::not_found)
}

const LOGO: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M1 1h6v6H1z" fill="#3a5"/></svg>"##;
const STYLE: &str = "body { font: 16px/1.5 sans-serif; max-width: 40rem; margin: 2rem auto; }\n";

/// The files, which are part of the program.
pub(crate) async fn asset(Path(path): Path<String>) -> Result<impl IntoResponse, Problem> {
    match path.as_str() {
        "logo.svg" => Ok(([(CONTENT_TYPE, "image/svg+xml")], LOGO)),
        "style.css" => Ok(([(CONTENT_TYPE, "text/css")], STYLE)),
        _ => Err(Problem::not_found()),
    }
}
