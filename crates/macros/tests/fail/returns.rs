#![allow(unused_imports, reason = "what is refused uses nothing")]

use larder::{Larder, cached};

#[cached(cache_none = "30s")]
async fn no_option(larder: &Larder) -> Result<u64, String> { Ok(1) }

#[cached(cache_err = "30s")]
async fn no_result(larder: &Larder) -> Option<u64> { Some(1) }

#[cached(stale_if_error = "30s")]
async fn nothing_fails(larder: &Larder) -> u64 { 1 }

#[cached(timeout = "30s")]
async fn no_error(larder: &Larder) -> u64 { 1 }

#[cached]
async fn nameless(larder: &Larder) -> impl Clone { 1 }

fn main() {}
