#![allow(unused_imports, reason = "what is refused uses nothing")]

use larder::{Larder, cached};

#[cached(blocking)]
fn awaits_and_is_not_async(larder: &Larder) -> u64 { std::future::ready(1).await }

#[cached(blocking)]
async fn awaits(larder: &Larder) -> u64 { std::future::ready(1).await }

#[cached(blocking = true)]
async fn with_a_value(larder: &Larder) -> u64 { 1 }

#[cached(blocking, skip(pool))]
async fn stays_on_its_thread(larder: &Larder, pool: std::rc::Rc<u8>) -> u64 { u64::from(*pool) }

struct Pool;

#[cached(blocking, skip(pool))]
async fn borrows(larder: &Larder, pool: &Pool) -> u64 {
    let _ = pool;
    1
}

fn main() {}
