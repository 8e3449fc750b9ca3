#![allow(unused_imports, reason = "what is refused uses nothing")]

use larder::{Larder, cached};

struct Plain;

#[derive(Clone)]
struct OnlyClone;

#[cached]
async fn not_clone(larder: &Larder) -> Result<Plain, String> { Ok(Plain) }

#[cached]
async fn not_serde(larder: &Larder) -> OnlyClone { OnlyClone }

fn main() {}
