#![allow(unused_imports, reason = "what is refused uses nothing")]

use larder::{Larder, cached, invalidates};

#[cached(tll = "5m")]
async fn unknown(larder: &Larder) -> u64 { 1 }

#[cached(ttl = "5m", ttl = "6m")]
async fn twice(larder: &Larder) -> u64 { 1 }

#[cached(ttl = "soon")]
async fn lifetime(larder: &Larder) -> u64 { 1 }

#[cached(cache_none = "soon")]
async fn negative_lifetime(larder: &Larder) -> Option<u64> { None }

#[cached(cache_err = "medium long")]
async fn error_lifetime(larder: &Larder) -> Result<u64, String> { Ok(1) }

#[cached(wait = "short")]
async fn length(larder: &Larder) -> u64 { 1 }

#[cached(wait = "0s")]
async fn zero(larder: &Larder) -> u64 { 1 }

#[cached(jitter = 1.5)]
async fn jitter(larder: &Larder) -> u64 { 1 }

#[cached(early_refresh = 0)]
async fn early(larder: &Larder) -> u64 { 1 }

#[cached(codec = "xml")]
async fn codec(larder: &Larder) -> u64 { 1 }

#[cached(codec = "in_process")]
async fn weightless(larder: &Larder) -> u64 { 1 }

#[cached(weigh = size)]
async fn weighed(larder: &Larder) -> u64 { 1 }

#[cached(name = "")]
async fn nameless(larder: &Larder) -> u64 { 1 }

#[cached(version = -1)]
async fn version(larder: &Larder) -> u64 { 1 }

#[cached(soft_timeout = "1s")]
async fn nothing_to_fall_back_on(larder: &Larder) -> u64 { 1 }

#[cached(background_timeout = "1s")]
async fn no_background(larder: &Larder) -> u64 { 1 }

#[cached(cache_err = "1s", stale_if_error = "1m")]
async fn both(larder: &Larder) -> Result<u64, String> { Ok(1) }

#[cached(one_fill = "yes")]
async fn one_fill(larder: &Larder) -> u64 { 1 }

#[cached(tags = [""])]
async fn nameless_tag(larder: &Larder) -> u64 { 1 }

#[cached(tags = "recruiters")]
async fn tags(larder: &Larder) -> u64 { 1 }

#[invalidates]
async fn forgets_nothing(larder: &Larder) {}

#[invalidates("recruiters", ttl = "5m")]
async fn forgets_with_options(larder: &Larder) {}

fn main() {}
