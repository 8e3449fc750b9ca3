//! Replay protection: requests that are signed, timely, and seen for the first time.
//!
//! A client signs each request with a secret that it shares with the server, together with the time and a nonce
//! ([`Signer`], [`SignLayer`]). The server ([`ReplayProtectionLayer`]) refuses what is not signed, not of this time, or was
//! there before. What somebody copied on the way is then of no use to him, not even a second time to the same endpoint.
//!
//! A **retry** is another thing than a replay: the client signs it again, with a new nonce and the same `Idempotency-Key`,
//! which is part of what is signed. Lay the idempotency layer inside of this one.
//!
//! # What is signed
//!
//! The signature is HMAC-SHA256 over this text. Each line is a part: its length in bytes, a colon, and the part as it is,
//! or a minus sign for a part that is not there. All lines end with one line feed (0x0A), the last one too.
//!
//! | Line | Part |
//! |---|---|
//! | 1 | `larder-v1` |
//! | 2 | the key's id, as in `Larder-Key-Id` |
//! | 3 | the method |
//! | 4 | the host: `Host`, in lower case, without `:80` and `:443` |
//! | 5 | path and query as they are sent |
//! | 6 | `Content-Type`, or a minus sign |
//! | 7 | SHA-256 of the body, 64 hexadecimal digits in lower case |
//! | 8 | the time, as in `Larder-Timestamp`: seconds since 1970 |
//! | 9 | the nonce, as in `Larder-Nonce` |
//! | 10 | `Idempotency-Key`, as it is sent, or a minus sign |
//!
//! `Larder-Signature` is `v1=` and the signature, 64 hexadecimal digits in lower case. A nonce is 16 to 128 of `A-Z a-z
//! 0-9 - _` with at least 128 random bits, new for each request. No signed header may be there twice.
//!
//! # A vector
//!
//! With the key `k1` and the 32 bytes `0123456789abcdef0123456789abcdef` as its secret, this request
//!
//! ```http
//! POST /payments?draft=1 HTTP/1.1
//! Host: API.example.com:443
//! Content-Type: application/json
//! Idempotency-Key: "order-7"
//! Larder-Key-Id: k1
//! Larder-Timestamp: 1700000000
//! Larder-Nonce: 000102030405060708090a0b0c0d0e0f
//! Larder-Signature: v1=f8a6007b11a828f8d08ee431a9c02868adf84adcc255c026ea2f469f4d3d15e9
//!
//! {"amount":5}
//! ```
//!
//! is signed over
//!
//! ```text
//! 9:larder-v1
//! 2:k1
//! 4:POST
//! 15:api.example.com
//! 17:/payments?draft=1
//! 16:application/json
//! 64:7e84cbf0f7a7c92c037058665d66152f8eb8580ab2534e52c877bccceb9cc7bf
//! 10:1700000000
//! 32:000102030405060708090a0b0c0d0e0f
//! 9:"order-7"
//! ```

mod canonical;
mod layer;
mod service;
mod sign_layer;
mod signature;
mod signer;
mod signing_key;
mod verify;

pub use layer::ReplayProtectionLayer;
pub use service::{ReplayProtection, Verified};
pub use sign_layer::{Sign, SignFuture, SignLayer};
pub use signer::{SignError, Signer};
pub use signing_key::{SigningKey, SigningKeyError, SigningKeys};

#[cfg(any(test, fuzzing))]
pub(crate) use signature::check as check_signature;
