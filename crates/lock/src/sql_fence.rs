//! A fence in front of rows of an SQL database: the statements that let only the latest holder of a lock write.

/// A fence in front of the rows of a table: statements that pass with the highest token that a row has seen, and change no row
/// with another. For any driver: it writes SQL and runs none.
///
/// The fence is a column beside the data, `BIGINT NOT NULL DEFAULT 0`. A new holder [registers](Self::register) **before it
/// reads**. Otherwise a late write of the one before it could come between its reading and its writing. Where a statement
/// changed no row, somebody holds a later lock, or there is no such row.
///
/// ```
/// use larder_lock::{FencingToken, SqlFence};
/// use rusqlite::{Connection, Result};
///
/// fn deposit(db: &Connection, token: FencingToken) -> Result<bool> {
///     let (fence, token) = (SqlFence::new("account", "id", "fence"), token.as_i64());
///     if db.execute(&fence.register(), (token, 7))? == 0 {
///         return Ok(false); // somebody holds a later lock
///     }
///     let balance: i64 = db.query_row("SELECT balance FROM account WHERE id = 7", (), |row| row.get(0))?;
///     Ok(db.execute(&fence.write(&["balance"]), (balance + 1, 7, token))? == 1)
/// }
///
/// # fn main() -> Result<()> {
/// let db = Connection::open_in_memory()?;
/// db.execute_batch(
///     "CREATE TABLE account (id INTEGER PRIMARY KEY, balance BIGINT NOT NULL, fence BIGINT NOT NULL DEFAULT 0);
///      INSERT INTO account (id, balance) VALUES (7, 100);",
/// )?;
/// assert!(deposit(&db, FencingToken::from_u64(2))?);
/// assert!(!deposit(&db, FencingToken::from_u64(1))?, "it comes too late");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlFence {
    table: String,
    id: String,
    fence: String,
    positional: bool,
}

impl SqlFence {
    /// The fence in the column `fence` of the rows of `table`, which are told apart by the column `id`.
    ///
    /// Values are `$1`, `$2` and so on, as `PostgreSQL` and `SQLite` understand them.
    ///
    /// # Panics
    ///
    /// If a name has anything but ASCII letters, digits, `_` and `.` in it: it stands in the statements as it is.
    #[must_use]
    pub fn new(table: &str, id: &str, fence: &str) -> Self {
        Self {
            table: checked(table).to_owned(),
            id: checked(id).to_owned(),
            fence: checked(fence).to_owned(),
            positional: false,
        }
    }

    /// Values are `?`, in the order in which they stand, as `MySQL` and `MariaDB` understand them.
    #[must_use]
    pub fn positional(mut self) -> Self {
        self.positional = true;
        self
    }

    /// Makes a token the lowest that passes from now on.
    ///
    /// The values are the token and the id; by [position](Self::positional) the token, the id and the token again.
    #[must_use]
    pub fn register(&self) -> String {
        let Self { table, id, fence, .. } = self;
        if self.positional {
            format!("UPDATE {table} SET {fence} = ? WHERE {id} = ? AND {fence} <= ?")
        } else {
            format!("UPDATE {table} SET {fence} = $1 WHERE {id} = $2 AND {fence} <= $1")
        }
    }

    /// Writes `columns` of the row, if the token that was registered is the highest yet.
    ///
    /// The values are one for each column, the id and the token.
    ///
    /// # Panics
    ///
    /// If there is no column, or as [`new`](Self::new).
    #[must_use]
    pub fn write(&self, columns: &[&str]) -> String {
        assert!(!columns.is_empty(), "a write behind a fence needs a column");
        let value = |place: usize| {
            if self.positional {
                "?".to_owned()
            } else {
                // In the order in which they stand: SQLite counts them so.
                format!("${}", place + 1)
            }
        };
        let set: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(place, column)| format!("{} = {}", checked(column), value(place)))
            .collect();
        let Self { table, id, fence, .. } = self;
        let (key, token) = (value(columns.len()), value(columns.len() + 1));
        let set = set.join(", ");
        format!("UPDATE {table} SET {set} WHERE {id} = {key} AND {fence} = {token}")
    }
}

fn checked(name: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
    assert!(
        !name.is_empty() && name.bytes().all(plain),
        "{name:?} is no name of a table or column: letters, digits, `_` and `.` only"
    );
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_name_each_value_by_number_or_by_place() {
        let fence = SqlFence::new("bank.account", "id", "fence");
        assert_eq!(
            fence.register(),
            "UPDATE bank.account SET fence = $1 WHERE id = $2 AND fence <= $1"
        );
        assert_eq!(
            fence.write(&["balance", "note"]),
            "UPDATE bank.account SET balance = $1, note = $2 WHERE id = $3 AND fence = $4"
        );
        let fence = fence.positional();
        assert_eq!(
            fence.register(),
            "UPDATE bank.account SET fence = ? WHERE id = ? AND fence <= ?"
        );
        assert_eq!(
            fence.write(&["balance", "note"]),
            "UPDATE bank.account SET balance = ?, note = ? WHERE id = ? AND fence = ?"
        );
    }

    #[test]
    #[should_panic(expected = "is no name of a table or column")]
    fn a_name_that_would_be_more_than_a_name_is_refused() {
        let _ = SqlFence::new("account", "id", "fence").write(&["balance = 0, owner"]);
    }
}
