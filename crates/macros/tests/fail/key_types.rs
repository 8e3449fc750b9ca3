#![allow(unused_imports, reason = "what is refused uses nothing")]

use larder::{Larder, cached};

#[derive(Clone)]
struct Id(u64);

#[cached(key = "{id.0}:{id}")]
async fn no_display(larder: &Larder, id: Id) -> u64 { id.0 }

#[cached(key = "{id.name}")]
async fn no_field(larder: &Larder, id: Id) -> u64 { id.0 }

#[cached]
async fn no_key_part(larder: &Larder, id: Id) -> u64 { id.0 }

fn main() {}
