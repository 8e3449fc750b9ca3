//! What happens without a request: the article `leaders` is written anew from the ratings.

use std::convert::Infallible;
use std::time::Duration;

use larder::lock::{Lock, Outcome, Schedule};
use rusqlite::Transaction;

use crate::actions::ContentPublished;
use crate::app::App;
use crate::problem::Problem;
use crate::shared::LONGEST_LOCK;

const SLUG: &str = "leaders";

/// Runs until it is aborted; at each tick, every `period`, on one of all instances.
pub(crate) async fn run(app: App, period: Duration) -> Infallible {
    let schedule = Schedule::every(period, Lock::new("task", SLUG))
        .at_most_for(LONGEST_LOCK)
        .at_least_for((period / 2).min(LONGEST_LOCK));
    let locker = app.larder.locker();
    loop {
        let outcome = schedule.run(locker, async |_| work(&app).await).await;
        if let Outcome::Lost { .. } | Outcome::Unavailable(_) = outcome {
            tracing::error!(outcome = outcome.as_str(), "the leaders were not written");
        }
        schedule.tick(locker).await;
    }
}

async fn work(app: &App) {
    match app.database.write(publish).await {
        Ok(false) => {}
        Ok(true) => {
            // Committed: now nobody may see the old one.
            if let Err(error) = app.larder.invalidate_for(&ContentPublished { slug: SLUG }).await {
                tracing::error!(%error, "the old leaders may be shown until their time ends");
            }
        }
        Err(problem) => tracing::error!(?problem, "the leaders were not written"),
    }
}

/// Writes the article, and answers whether it is another than before.
fn publish(rows: &Transaction<'_>) -> Result<bool, Problem> {
    let mut query = rows.prepare_cached("SELECT name FROM users ORDER BY energy DESC, name LIMIT 3")?;
    let names = query.query_map([], |row| row.get::<_, String>(0))?;
    let names = names.collect::<rusqlite::Result<Vec<_>>>()?.join(", ");
    let run = "INSERT INTO tasks VALUES (?1, 1) ON CONFLICT DO UPDATE SET runs = runs + 1";
    rows.execute(run, [SLUG])?;
    let changed = rows.execute(
        "INSERT INTO content VALUES (?1, 'Leaders', ?2)
         ON CONFLICT DO UPDATE SET body = excluded.body WHERE body <> excluded.body",
        (SLUG, names),
    )?;
    Ok(changed > 0)
}
