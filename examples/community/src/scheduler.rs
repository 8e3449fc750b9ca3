//! What happens without a request: the article `leaders` is written anew from the ratings.

use std::convert::Infallible;
use std::time::Duration;

use rusqlite::Transaction;

use crate::actions::ContentPublished;
use crate::app::App;
use crate::problem::Problem;

/// How often it is looked whether there are other leaders.
const EVERY: Duration = Duration::from_secs(60);

const SLUG: &str = "leaders";

/// Runs until it is aborted.
pub(crate) async fn run(app: App) -> Infallible {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
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
}

/// Writes the article, and answers whether it is another than before.
fn publish(rows: &Transaction<'_>) -> Result<bool, Problem> {
    let mut query = rows.prepare_cached("SELECT name FROM users ORDER BY energy DESC, name LIMIT 3")?;
    let names = query.query_map([], |row| row.get::<_, String>(0))?;
    let names = names.collect::<rusqlite::Result<Vec<_>>>()?.join(", ");
    let changed = rows.execute(
        "INSERT INTO content VALUES (?1, 'Leaders', ?2)
         ON CONFLICT DO UPDATE SET body = excluded.body WHERE body <> excluded.body",
        (SLUG, names),
    )?;
    Ok(changed > 0)
}
