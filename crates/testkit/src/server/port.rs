//! A TCP port for a server that cannot be told to choose its own.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

/// Below the ports that systems hand out to outgoing connections (32768 and up, or 49152 and up). So nothing
/// but another server can take the port between the look and the start, nor while the server is down for a
/// restart: a client that keeps reconnecting to a free port of *that* range may end up connected to itself.
const RANGE: Range<u16> = 12_000..32_000;

/// A port of 127.0.0.1 that was free a moment ago, chosen at random so that test processes seldom meet. When
/// two do, one of the servers fails to bind and is started again on another port.
pub(super) fn free() -> u16 {
    let width = u64::from(RANGE.end - RANGE.start);
    loop {
        let offset = RandomState::new().hash_one(RANGE.start) % width;
        let port = RANGE.start + u16::try_from(offset).unwrap_or(0);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
