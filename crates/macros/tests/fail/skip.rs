#![allow(unused_imports, reason = "what is refused uses nothing")]

use larder::{Larder, cached};

#[cached(key = "{id}", skip(id))]
async fn said_and_skipped(larder: &Larder, id: u64) -> u64 { id }

#[cached(skip(pool))]
async fn unknown(larder: &Larder, id: u64) -> u64 { id }

struct Repository;

impl Repository {
    #[cached(larder = Larder::in_scope())]
    async fn with_self(&self, id: u64) -> u64 { id }
}

fn main() {}
