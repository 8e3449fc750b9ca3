//! A TCP port for a server that cannot be told to choose its own.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;

/// Below the ports that systems hand out to outgoing connections (32768 and up, or 49152 and up): a client that keeps
/// reconnecting to a free port of *that* range may end up connected to itself.
const RANGE: Range<u16> = 12_000..32_000;

/// A port of 127.0.0.1 that no other server of this kit takes, here or in another process, also while the server that
/// it is for is down.
///
/// What says so is a UDP socket of the same number, which none of these servers uses: the system gives it to one
/// process, and takes it back however that process ends.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _claim: UdpSocket,
}

impl Port {
    /// Claims a port, chosen at random, on which nothing listens.
    pub(crate) fn claim() -> Self {
        loop {
            if let Some(port) = Self::of(random()) {
                return port;
            }
        }
    }

    fn of(number: u16) -> Option<Self> {
        let claim = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        Some(Self {
            number,
            _claim: claim,
        })
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

fn random() -> u16 {
    let width = u64::from(RANGE.end - RANGE.start);
    let offset = RandomState::new().hash_one(RANGE.start) % width;
    RANGE.start + u16::try_from(offset).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_claimed_once_until_it_is_let_go() {
        let port = Port::claim();
        let number = port.number();
        assert!(Port::of(number).is_none());
        drop(port);
        assert!(Port::of(number).is_some());
    }

    #[test]
    fn a_port_that_something_listens_on_is_passed_over() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(Port::of(taken.local_addr().unwrap().port()).is_none());
    }
}
