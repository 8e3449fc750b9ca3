#![allow(unused_imports, reason = "what is refused uses nothing")]

use larder::{Larder, cached};

#[cached]
fn blocks(larder: &Larder) -> u64 { 1 }

#[cached]
async fn pattern(larder: &Larder, (a, b): (u8, u8)) -> u8 { a + b }

struct Repository;

impl Repository {
    #[cached(skip(self))]
    async fn changes(&mut self) -> u64 { 1 }

    #[cached(skip(self))]
    async fn consumes(self) -> u64 { 1 }
}

#[cached]
struct NoFunction;

fn main() {}
