//! The lead of a fill: in this process, and among those that share the store.

use larder_store::{Capture, Kept, Key, Leader, Lease, Turn, TurnEnd};
use tokio::time::{Instant, timeout_at};

use crate::engine::{Core, Flight, FlightKey};
use crate::metrics::rare;

/// The right to fill. Those who wait, here and elsewhere, are free when it ends, however it ends.
pub(crate) struct Lead {
    flight: Leader<FlightKey, Flight>,
    lease: Option<Lease>,
}

/// What became of the wish to lead among processes.
pub(crate) enum Taken {
    /// Nobody else fills, as far as is known.
    Own(Lead),
    /// Another has filled: the entry is in the store, if it was not forgotten since.
    There(Lead),
    /// What another made is not for others, so that each makes its own.
    Unshared(Lead),
}

impl Lead {
    pub(crate) const fn new(flight: Leader<FlightKey, Flight>) -> Self {
        Self { flight, lease: None }
    }

    /// Ends the fill here and elsewhere: those who wait here get `flight`.
    pub(crate) fn land(self, flight: Flight, end: TurnEnd) {
        self.flight.land(flight);
        if let Some(lease) = self.lease {
            lease.end(end);
        }
    }

    /// Ends it without anything that could be shared: everyone makes their own.
    pub(crate) fn release(self) {
        self.flight.release();
        if let Some(lease) = self.lease {
            lease.end(TurnEnd::Unshared);
        }
    }

    /// Takes the turn among processes, or waits up to `until` for the one who has it. Where the store does not say, or says
    /// nothing in time, the turn is this process's own.
    pub(crate) async fn take(
        mut self,
        core: &Core,
        cache: &str,
        key: &Key,
        capture: &Capture,
        until: Instant,
    ) -> Taken {
        let began = Instant::now();
        loop {
            let waiting = match core.ask(core.store.turn(key.as_bytes(), capture)).await {
                Ok(Turn::Others(waiting)) => waiting,
                Ok(Turn::Own(lease)) => {
                    self.lease = lease;
                    return Taken::Own(self);
                }
                Ok(_) | Err(_) => return Taken::Own(self),
            };
            let (word, taken) = match timeout_at(until, waiting).await {
                Ok(TurnEnd::Made) => ("value", Taken::There as fn(_) -> _),
                Ok(TurnEnd::Unshared) => ("released", Taken::Unshared as fn(_) -> _),
                // Left to others, or nothing is heard of it: one of them takes it.
                Ok(_) => continue,
                Err(_) => ("timeout", Taken::Own as fn(_) -> _),
            };
            rare::waited_elsewhere(cache, word, began.elapsed());
            return taken(self);
        }
    }

    /// The same without waiting: `None` where another has the turn.
    pub(crate) async fn take_at_once(mut self, core: &Core, key: &Key, capture: &Capture) -> Option<Self> {
        match core.ask(core.store.turn(key.as_bytes(), capture)).await {
            Ok(Turn::Others(_)) => {
                self.land(Flight::Kept, TurnEnd::Left);
                None
            }
            Ok(Turn::Own(lease)) => {
                self.lease = lease;
                Some(self)
            }
            Ok(_) | Err(_) => Some(self),
        }
    }
}

/// What others are told of an entry that was handed to the store.
pub(crate) const fn end_of(kept: Kept) -> TurnEnd {
    match kept {
        Kept::Stored => TurnEnd::Made,
        // It was overtaken by an invalidation, and so is what others would make with the same stamps: they look again.
        Kept::RejectedStamp => TurnEnd::Left,
        _ => TurnEnd::Unshared,
    }
}
