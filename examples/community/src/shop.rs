//! The shop: products for energy, each purchase at most once.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use larder::Parameters;
use rusqlite::{OptionalExtension, Row, Transaction};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::problem::Problem;
use crate::user::User;
use crate::wait::Wait;

pub(crate) async fn products(
    State(app): State<App>,
    Query(wait): Query<Wait>,
) -> Result<Json<Vec<Value>>, Problem> {
    wait.over().await;
    let all = app
        .database
        .read(|rows| {
            let mut query = rows.prepare_cached("SELECT id, name, price, stock FROM products ORDER BY id")?;
            query.query_map([], shown)?.collect::<rusqlite::Result<Vec<_>>>()
        })
        .await?;
    Ok(Json(all))
}

pub(crate) async fn product(
    State(app): State<App>,
    Path(id): Path<u32>,
    Query(wait): Query<Wait>,
) -> Result<Json<Value>, Problem> {
    wait.over().await;
    let found = app
        .database
        .read(move |rows| {
            let mut query =
                rows.prepare_cached("SELECT id, name, price, stock FROM products WHERE id = ?1")?;
            query.query_row([id], shown).optional()
        })
        .await?;
    found.map(Json).ok_or_else(Problem::not_found)
}

fn shown(row: &Row<'_>) -> rusqlite::Result<Value> {
    Ok(json!({
        "id": row.get::<_, u32>(0)?,
        "name": row.get::<_, String>(1)?,
        "price": row.get::<_, u64>(2)?,
        "stock": row.get::<_, u64>(3)?,
    }))
}

#[derive(Debug, Deserialize)]
pub(crate) struct Order {
    product: u32,
}

/// Buys one product: the price from the user's energy, one from the stock, both or neither. The same `Idempotency-Key` is
/// the same purchase, however often it is sent.
pub(crate) async fn purchase(
    State(app): State<App>,
    user: User,
    headers: HeaderMap,
    Json(Order { product }): Json<Order>,
) -> Result<impl IntoResponse, Problem> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let key = key
        .filter(|key| (1..=255).contains(&key.len()))
        .ok_or(Problem::new(
            StatusCode::BAD_REQUEST,
            "A purchase needs an Idempotency-Key of 1 to 255 characters",
        ))?;
    let (key, user) = (key.to_owned(), user.name().to_owned());
    let bought = app
        .database
        .write(move |rows| match earlier(rows, &user, &key)? {
            Some((earlier, bought)) if earlier == product => Ok(bought),
            Some(_) => Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "This Idempotency-Key was another purchase's",
            )),
            None => buy(rows, &user, &key, product),
        })
        .await?;
    Ok((
        StatusCode::CREATED,
        Parameters::new().with("product", product),
        Json(bought),
    ))
}

/// The purchase that was made with this key, and its product.
fn earlier(rows: &Transaction<'_>, user: &str, key: &str) -> rusqlite::Result<Option<(u32, Value)>> {
    let text = "SELECT product, id, energy, stock FROM purchases WHERE user = ?1 AND key = ?2";
    let mut query = rows.prepare_cached(text)?;
    let found = query.query_row((user, key), |row| {
        Ok((row.get(0)?, receipt(row.get(1)?, row.get(2)?, row.get(3)?)))
    });
    found.optional()
}

fn buy(rows: &Transaction<'_>, user: &str, key: &str, product: u32) -> Result<Value, Problem> {
    let mut query = rows.prepare_cached("SELECT price, stock FROM products WHERE id = ?1")?;
    let found = query.query_row([product], |row| {
        Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?))
    });
    let (price, stock) = found.optional()?.ok_or_else(Problem::not_found)?;
    let mut query = rows.prepare_cached("SELECT energy FROM users WHERE name = ?1")?;
    let energy = query.query_row([user], |row| row.get::<_, u64>(0)).optional()?;
    let energy = energy.unwrap_or(0).checked_sub(price).ok_or(Problem::new(
        StatusCode::PAYMENT_REQUIRED,
        "There is not enough energy for that",
    ))?;
    let stock = stock
        .checked_sub(1)
        .ok_or(Problem::new(StatusCode::CONFLICT, "There is none left"))?;
    rows.execute("UPDATE users SET energy = ?2 WHERE name = ?1", (user, energy))?;
    rows.execute("UPDATE products SET stock = ?2 WHERE id = ?1", (product, stock))?;
    rows.execute(
        "INSERT INTO purchases (user, key, product, energy, stock) VALUES (?1, ?2, ?3, ?4, ?5)",
        (user, key, product, energy, stock),
    )?;
    Ok(receipt(rows.last_insert_rowid(), energy, stock))
}

fn receipt(id: i64, energy: u64, stock: u64) -> Value {
    json!({ "purchase_id": id, "energy": energy, "stock": stock })
}
