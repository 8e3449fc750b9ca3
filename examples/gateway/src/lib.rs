//! A caching reverse proxy: Larder in front of any origin, by RFC 9111.
//!
//! All that is about caching is in the layer that [`Gateway::new`] makes with
//! [`gateway_cache`](larder::Larder::gateway_cache). What is here takes requests from clients, hands them to the layer,
//! and forwards to the origin what the layer lets through. A request's road:
//!
//! `gateway` accepts and drains → `connection` watches over one client (`activity`) → `front` refuses what is no request to forward
//! (`target`) and takes off what is for the next hop only (`forward`) → the layer → `origin` sends, on a connection of
//! `pool` (the client's body in `upload`, the origin's in `download`) → `front` answers in the place of an origin that failed (`answer`)
//! and writes the log (`log`).
//!
//! # What is forwarded
//!
//! - The target goes on byte for byte: `//`, `/../`, `%2f`, `;`, `[`, `|` and UTF-8 are as the client sent them. What the
//!   `http` crate takes for no URI hyper answers with 400: control bytes, blanks, bytes that are no UTF-8, `<` and `>`, a
//!   backtick in the path and `"` in the query. A fragment, which no request may have, is left out. A target of more
//!   than 65,534 bytes is answered 414.
//! - `Host` goes on as the client sent it. The absolute form of a target wins over it (RFC 9112 §3.2.2), and goes
//!   on in the origin form, with its authority as the `Host`. A request of HTTP/1.0 without `Host` gets the origin's.
//! - Methods and status codes go on whether they are known or not, but `CONNECT`, which is answered 501.
//! - All header lines go on but those of one hop ([RFC 9110 §7.6.1]): those that `Connection` names, and `Connection`,
//!   `Keep-Alive`, `Proxy-Connection`, `Proxy-Authenticate`, `Proxy-Authorization`, `TE`, `Trailer`, `Transfer-Encoding` and
//!   `Upgrade`. They are taken off before the cache sees them, so that cache and origin see one request. `Connection` cannot
//!   name a field that decides what a message means or who may see it, such as `Host`, `Cache-Control` or `Cookie`.
//! - `Via` is added both ways; nothing else is.
//! - Trailer fields are left out (§6.5.1 allows it). A protocol upgrade is not passed on: the request is answered
//!   as one without it (§7.8).
//! - `100 (Continue)` is said by the gateway as soon as the body is asked for, which is when the request is on its way to the
//!   origin; interim responses of the origin are left out.
//! - A request is sent once. When an idle connection to the origin turns out to be closed before a byte of the request was
//!   written, it goes out on another; after that, never again, whatever its method.
//!
//! [RFC 9110 §7.6.1]: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1

mod activity;
mod answer;
mod config;
mod connection;
mod download;
mod error;
mod forward;
mod front;
mod gateway;
mod idle;
mod log;
mod origin;
mod pool;
mod target;
mod upload;

pub use config::{Config, ConfigError, Timeouts};
pub use gateway::Gateway;
