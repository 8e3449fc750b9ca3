#![allow(unused_imports, reason = "what is refused uses nothing")]

use larder::{cached, invalidates};

struct Repository;

impl Repository {
    #[cached(key = "{id}")]
    async fn load(&self, id: u64) -> u64 { id }

    #[invalidates("recruiters")]
    async fn forget(&self) {}
}

#[cached(larder = 7)]
async fn no_larder(id: u64) -> u64 { id }

fn main() {}
