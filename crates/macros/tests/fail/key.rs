#![allow(unused_imports, reason = "what is refused uses nothing")]

use larder::{Larder, cached, invalidates};

#[cached(key = "recruiter:{ident}")]
async fn unknown_argument(larder: &Larder, id: u64) -> u64 { id }

#[cached(key = "recruiter:{id}")]
async fn forgotten_argument(larder: &Larder, id: u64, include_deleted: bool) -> u64 { id }

#[cached(key = "recruiter:{id:?}")]
async fn format(larder: &Larder, id: u64) -> u64 { id }

#[cached(key = "recruiter:{id")]
async fn open(larder: &Larder, id: u64) -> u64 { id }

#[cached(key = "recruiter:id}")]
async fn close(larder: &Larder, id: u64) -> u64 { id }

#[cached(key = 7)]
async fn number(larder: &Larder, id: u64) -> u64 { id }

#[invalidates("recruiter:{id}")]
async fn nothing_of_that_name(larder: &Larder) {}

fn main() {}
