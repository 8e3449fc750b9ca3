//! The tables, and what is in them at the beginning.

use rusqlite::{Connection, TransactionBehavior};

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, energy INTEGER NOT NULL, fence INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS users_by_energy ON users (energy DESC, name);
CREATE TABLE IF NOT EXISTS teams (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS members (
    team INTEGER NOT NULL, user TEXT NOT NULL, PRIMARY KEY (team, user)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS products (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL, stock INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS purchases (
    id INTEGER PRIMARY KEY, user TEXT NOT NULL, product INTEGER NOT NULL, energy INTEGER NOT NULL, stock INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS tasks (name TEXT PRIMARY KEY, runs INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS content (slug TEXT PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
";

const TEAMS: [&str; 3] = ["Bakers", "Gardeners", "Readers"];
const PRODUCTS: [(&str, u64, u64); 4] = [
    ("Jam", 25, 1000),
    ("Bread", 9, 1000),
    ("Honey", 40, 500),
    ("A cake for all", 300, 20),
];
const CONTENT: [(&str, &str, &str); 2] = [
    ("welcome", "Welcome", "Collect energy, join a team, buy jam."),
    ("rules", "Rules", "Be kind. One account each."),
];

/// Makes what is not there yet. Several processes may do so at the same time.
pub(crate) fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(TABLES)?;
    for (id, name) in (1..).zip(TEAMS) {
        transaction.execute("INSERT OR IGNORE INTO teams VALUES (?1, ?2)", (id, name))?;
    }
    for (id, (name, price, stock)) in (1..).zip(PRODUCTS) {
        let values = (id, name, price, stock);
        transaction.execute("INSERT OR IGNORE INTO products VALUES (?1, ?2, ?3, ?4)", values)?;
    }
    for article in CONTENT {
        transaction.execute("INSERT OR IGNORE INTO content VALUES (?1, ?2, ?3)", article)?;
    }
    transaction.commit()
}
