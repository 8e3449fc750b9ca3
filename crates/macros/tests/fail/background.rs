#![allow(unused_imports, reason = "what is refused uses nothing")]

use larder::{Larder, cached};

struct Pool;

#[cached(key = "{id}", skip(pool), stale_while_revalidate = "1m")]
async fn borrows(larder: &Larder, pool: &Pool, id: u64) -> u64 { id }

fn main() {}
