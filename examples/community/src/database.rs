//! The database: SQLite in a file that several processes share, behind a few connections.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use tokio::sync::Semaphore;

use crate::problem::Problem;
use crate::schema;

/// Connections to the database; cheap to clone. A call that blocks runs on a thread for that.
#[derive(Clone)]
pub(crate) struct Database(Arc<Pool>);

struct Pool {
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
    reads: AtomicU64,
}

/// How many calls may be under way.
const CONNECTIONS: usize = 8;

/// How long a call waits for the writer of another connection or process.
const BUSY: Duration = Duration::from_secs(10);

impl Database {
    /// Opens `file`, and makes what is not in it.
    pub(crate) fn open(file: &Path) -> Result<Self, String> {
        let began = Instant::now();
        // Whoever turns the write-ahead log on needs the file for itself for a moment, and does not wait for it.
        let connection = loop {
            match connect(file).and_then(|mut connection| {
                connection.pragma_update(None, "journal_mode", "WAL")?;
                schema::prepare(&mut connection)?;
                Ok(connection)
            }) {
                Ok(connection) => break connection,
                Err(error)
                    if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                        && began.elapsed() < BUSY =>
                {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(error) => return Err(format!("cannot open the database {}: {error}", file.display())),
            }
        };
        Ok(Self(Arc::new(Pool {
            file: file.to_owned(),
            idle: Mutex::new(vec![connection]),
            permits: Semaphore::new(CONNECTIONS),
            reads: AtomicU64::new(0),
        })))
    }

    /// Reads: what a cache spares.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Problem> {
        self.0.reads.fetch_add(1, Ordering::Relaxed);
        self.run(move |connection| Ok(work(connection)?)).await
    }

    /// Writes: all of `work`, committed, or nothing where it fails.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.run(move |connection| {
            // Immediate: one that reads first and then writes would fail where another wrote meanwhile.
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        })
        .await
    }

    /// How often [`read`](Self::read) was called.
    pub(crate) fn reads(&self) -> u64 {
        self.0.reads.load(Ordering::Relaxed)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let unavailable = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Too much is under way");
        let permit = tokio::time::timeout(BUSY, self.0.permits.acquire()).await;
        let _permit = permit.map_err(|_| unavailable())?.map_err(|_| unavailable())?;
        let pool = Arc::clone(&self.0);
        let called = tokio::task::spawn_blocking(move || {
            let mut connection = match pool.idle().pop() {
                Some(connection) => connection,
                None => connect(&pool.file)?,
            };
            let done = work(&mut connection);
            pool.idle().push(connection);
            done
        });
        called.await.unwrap_or_else(|_| {
            Err(Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The handler failed",
            ))
        })
    }
}

impl Pool {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn connect(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(BUSY)?;
    // Safe against the end of a process; only that of the machine may take the last commits.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("file", &self.0.file)
            .finish_non_exhaustive()
    }
}
