//! The shop: products for energy.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use larder::Parameters;
use larder::lock::{Lease, Lock, LockOptions, Outcome};
use rusqlite::{OptionalExtension, Row, Transaction};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::problem::Problem;
use crate::shared::LONGEST_LOCK;
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

/// How long a purchase waits: for another of the same user, and for a server that gives no locks away yet.
const PATIENCE: Duration = Duration::from_secs(10);

/// Buys one product: the price from the user's energy, one from the stock, both or neither. One purchase of a user at a time;
/// what a holder of the lock writes after it was lost, the database refuses.
pub(crate) async fn purchase(
    State(app): State<App>,
    user: User,
    Json(Order { product }): Json<Order>,
) -> Result<impl IntoResponse, Problem> {
    let lock = Lock::new("purchase", user.name());
    let options = LockOptions::new(LONGEST_LOCK).wait(PATIENCE);
    let (database, name) = (app.database.clone(), user.name().to_owned());
    let outcome = app
        .larder
        .with_lock(lock, options, async move |lease: Lease| {
            let fence = lease.fencing_token().as_i64();
            database.write(move |rows| buy(rows, &name, product, fence)).await
        })
        .await;
    let bought = match outcome {
        // A transaction that was committed behind the fence is a purchase, also where the lock was lost meanwhile.
        Outcome::Ran(bought) | Outcome::RanUnlocked(bought) => bought?,
        Outcome::Lost { value, .. } => value.ok_or(UNAVAILABLE)??,
        Outcome::Busy { .. } => return Err(BUSY),
        Outcome::Unavailable(nodes) => {
            tracing::error!(%nodes, "no purchase is possible");
            return Err(UNAVAILABLE);
        }
    };
    Ok((
        StatusCode::CREATED,
        Parameters::new().with("product", product),
        Json(bought),
    ))
}

const BUSY: Problem = Problem::new(StatusCode::CONFLICT, "Another purchase of yours is under way");
const UNAVAILABLE: Problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Nothing can be bought now");

fn buy(rows: &Transaction<'_>, user: &str, product: u32, fence: i64) -> Result<Value, Problem> {
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
    let paid = "UPDATE users SET energy = ?2, fence = ?3 WHERE name = ?1 AND fence <= ?3";
    if rows.execute(paid, (user, energy, fence))? == 0 {
        return Err(BUSY);
    }
    rows.execute("UPDATE products SET stock = ?2 WHERE id = ?1", (product, stock))?;
    rows.execute(
        "INSERT INTO purchases (user, product, energy, stock) VALUES (?1, ?2, ?3, ?4)",
        (user, product, energy, stock),
    )?;
    Ok(receipt(rows.last_insert_rowid(), energy, stock))
}

fn receipt(id: i64, energy: u64, stock: u64) -> Value {
    json!({ "purchase_id": id, "energy": energy, "stock": stock })
}
