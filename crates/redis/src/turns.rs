//! Turns: one of all processes makes what is missing, and the others are told when it is there.
//!
//! Who makes an entry holds a short lease on the server, renewed while it works, and publishes how it ended, after the entry
//! has reached the server. Nothing rests on it: whoever hears nothing looks again when the lease is over at the latest, and
//! entries are judged by their stamps as ever. Two that hold one lease are one run too many, and no more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use larder_store::{Lease, StoreError, StoreErrorKind, Turn, TurnEnd};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::ear::{Ear, Heard};
use crate::link::Link;
use crate::metrics::{self, Operation};
use crate::server::random;

/// How long a lease lasts when nobody renews it: so long others wait for a process that died.
const LEASE: Duration = Duration::from_secs(2);

/// The least that is waited before a lease that was held is asked for again.
const LEAST: Duration = Duration::from_millis(10);

/// How often a process asks for a turn that hears nothing of it.
const DEAF: Duration = Duration::from_millis(100);

/// After which time the end of a turn is told again that was not told.
const RETRY: Duration = Duration::from_millis(50);

/// What is made, as the server and the messages call it: a hash of its key and of the stamps that it is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TurnId(pub(crate) u128);

/// The turns of others, as far as this process waits for them.
#[derive(Debug)]
pub(crate) struct Turns {
    waiters: Arc<Waiters>,
    ear: Arc<Ear>,
}

/// Those who wait for each turn, with a number for each of them.
type Table = HashMap<TurnId, Vec<(u64, oneshot::Sender<TurnEnd>)>>;

/// Who waits for which turn.
#[derive(Debug, Default)]
struct Waiters {
    waiting: Mutex<Table>,
    number: AtomicU64,
}

/// One who waits. It is no more when it is dropped.
struct Waiting {
    waiters: Arc<Waiters>,
    id: TurnId,
    number: u64,
    told: oneshot::Receiver<TurnEnd>,
}

impl Turns {
    pub(crate) fn new(link: &Link) -> Arc<Self> {
        let waiters = Arc::new(Waiters::default());
        let told = Arc::clone(&waiters);
        let ear = Ear::new(link.names.turns(), move |heard| match heard {
            Heard::Message(message) => {
                if let Some((id, end)) = read(message) {
                    told.ended(id, end);
                }
            }
            Heard::Lost => told.lost(),
        });
        Arc::new(Self { waiters, ear })
    }

    /// Takes the turn to make what is called `id`, or says that another has it.
    pub(crate) async fn take(
        self: Arc<Self>,
        link: Arc<Link>,
        id: TurnId,
    ) -> Result<(Turn, Weak<Held>), StoreError> {
        let live = link.live()?;
        // Before the turn is asked for: it may end at once.
        let server = live.server.run();
        let heard = self.ear.is_open_to(server).then(|| self.waiters.wait_for(id));
        let token = random()?;
        let asking = live.server.take_turn(&link.names, id.0, token, LEASE);
        let asked = Asked(Some((Arc::clone(&link), id, token)));
        let answer = link.within(&live, Operation::Turn, asking).await;
        if answer.as_ref().err().is_none_or(|error| is_answer(error.kind())) {
            asked.was_answered();
        }
        match answer? {
            None => {
                metrics::turn("own");
                let held = Held::new(link, id, token);
                let weak = Arc::downgrade(&held);
                let lease = Lease::new(move |end| held.ends(end));
                Ok((Turn::Own(Some(lease)), weak))
            }
            Some(left) => {
                metrics::turn("others");
                let left = left.clamp(LEAST, LEASE);
                let turns = Arc::clone(&self);
                Ok((
                    Turn::Others(Box::pin(turns.hear(link, heard, (server, left)))),
                    Weak::new(),
                ))
            }
        }
    }

    /// Waits to be told of the end, for as long as the lease lasts.
    async fn hear(
        self: Arc<Self>,
        link: Arc<Link>,
        heard: Option<Waiting>,
        (server, left): (u64, Duration),
    ) -> TurnEnd {
        let Some(mut heard) = heard else {
            // What was told before this process listens it has not heard: then it asks again.
            self.ear.begin(&link);
            drop(link);
            let _ = timeout(left.min(DEAF), self.ear.opened_to(server)).await;
            return TurnEnd::Left;
        };
        drop(link);
        match timeout(left, &mut heard.told).await {
            Ok(Ok(end)) => end,
            Ok(Err(_)) | Err(_) => TurnEnd::Left,
        }
    }
}

impl Waiters {
    fn wait_for(self: &Arc<Self>, id: TurnId) -> Waiting {
        let (tell, told) = oneshot::channel();
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        self.waiting().entry(id).or_default().push((number, tell));
        Waiting {
            waiters: Arc::clone(self),
            id,
            number,
            told,
        }
    }

    /// A turn has ended: tells those who wait for it.
    fn ended(&self, id: TurnId, end: TurnEnd) {
        let told = self.waiting().remove(&id);
        for (_, tell) in told.into_iter().flatten() {
            // Who waits no longer need not know.
            let _ = tell.send(end);
        }
    }

    /// Nothing is heard any more: all ask again.
    fn lost(&self) {
        let lost = std::mem::take(&mut *self.waiting());
        for (_, tell) in lost.into_values().flatten() {
            let _ = tell.send(TurnEnd::Left);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Table> {
        // Consistent at every point at which a panic can come.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut waiting = self.waiters.waiting();
        if let Some(those) = waiting.get_mut(&self.id) {
            those.retain(|(number, _)| *number != self.number);
            if those.is_empty() {
                waiting.remove(&self.id);
            }
        }
    }
}

/// A turn that was asked for, until the answer is there. When it never comes, the server may have given the turn all the same,
/// and nobody is to wait for that.
struct Asked(Option<(Arc<Link>, TurnId, [u8; 16])>);

impl Asked {
    fn was_answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let (Some((link, id, token)), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            drop(runtime.spawn(timeout(
                LEASE,
                tell(link, id, token, write(id, byte(TurnEnd::Left))),
            )));
        }
    }
}

/// Whether what failed was answered, or never sent.
const fn is_answer(kind: StoreErrorKind) -> bool {
    !matches!(kind, StoreErrorKind::Timeout | StoreErrorKind::Io)
}

/// A turn that this process has. Whoever works at it holds it: the call, and the entry on its way to the server. When the
/// last of them lets go, the others are told.
#[derive(Debug)]
pub(crate) struct Held {
    link: Arc<Link>,
    id: TurnId,
    token: [u8; 16],
    /// A `TurnEnd`, as the messages have it.
    end: AtomicU8,
    over: AtomicBool,
    renewing: Mutex<Option<AbortHandle>>,
}

impl Held {
    fn new(link: Arc<Link>, id: TurnId, token: [u8; 16]) -> Arc<Self> {
        let held = Arc::new(Self {
            link,
            id,
            token,
            end: AtomicU8::new(byte(TurnEnd::Left)),
            over: AtomicBool::new(false),
            renewing: Mutex::default(),
        });
        if let Ok(runtime) = Handle::try_current() {
            let task = runtime.spawn(renew(Arc::downgrade(&held)));
            *held.renewing.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
        }
        held
    }

    /// The call has ended so.
    fn ends(&self, end: TurnEnd) {
        if !self.over.swap(true, Ordering::SeqCst) {
            self.end.store(byte(end), Ordering::SeqCst);
        }
    }

    /// The entry did not reach the server, and nobody need look for it.
    pub(crate) fn fails(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.end.store(byte(TurnEnd::Unshared), Ordering::SeqCst);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let renewing = self
            .renewing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = renewing {
            task.abort();
        }
        let Ok(runtime) = Handle::try_current() else {
            return; // The lease ends by itself.
        };
        let (link, id, token) = (Arc::clone(&self.link), self.id, self.token);
        let message = write(id, self.end.load(Ordering::SeqCst));
        // Later than that the lease is over by itself.
        drop(runtime.spawn(timeout(LEASE, tell(link, id, token, message))));
    }
}

/// Gives a turn back and tells the others of its end, also where the connection is lost meanwhile.
async fn tell(link: Arc<Link>, id: TurnId, token: [u8; 16], message: [u8; 17]) {
    loop {
        let live = link.wait().await;
        let ending = live.server.end_turn(&link.names, id.0, token, message);
        match link.within(&live, Operation::Turn, ending).await {
            Ok(_) => return,
            Err(error) => {
                tracing::debug!(server = link.address, %error, "the end of a turn was not told");
                if is_answer(error.kind()) {
                    return;
                }
            }
        }
        sleep(RETRY).await;
    }
}

/// Renews the lease for as long as it is held. A renewal that fails is one too few: then another may take the turn too.
async fn renew(held: Weak<Held>) {
    loop {
        sleep(LEASE / 4).await;
        let Some(held) = held.upgrade() else { return };
        let (link, id, token) = (Arc::clone(&held.link), held.id, held.token);
        drop(held);
        if let Ok(live) = link.live() {
            let renewing = live.server.renew_turn(&link.names, id.0, token, LEASE);
            let _ = link.within(&live, Operation::Turn, renewing).await;
        }
    }
}

const fn byte(end: TurnEnd) -> u8 {
    match end {
        TurnEnd::Made => b'm',
        TurnEnd::Unshared => b'u',
        _ => b'l',
    }
}

/// What a message says: the id, and how its turn ended. Anything else is not understood.
fn read(message: &[u8]) -> Option<(TurnId, TurnEnd)> {
    let (id, end) = message.split_at_checked(16)?;
    let id = TurnId(u128::from_be_bytes(id.try_into().ok()?));
    let end = match end {
        b"m" => TurnEnd::Made,
        b"u" => TurnEnd::Unshared,
        b"l" => TurnEnd::Left,
        _ => return None,
    };
    Some((id, end))
}

/// The message that a turn has ended.
fn write(id: TurnId, end: u8) -> [u8; 17] {
    let mut message = [end; 17];
    message[..16].copy_from_slice(&id.0.to_be_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written_and_no_other_is() {
        for end in [TurnEnd::Made, TurnEnd::Unshared, TurnEnd::Left] {
            let message = write(TurnId(7 << 100), byte(end));
            assert_eq!(read(&message), Some((TurnId(7 << 100), end)));
            assert_eq!(read(&message[..16]), None);
            assert_eq!(read(&[&message[..], b"m"].concat()), None);
        }
        assert_eq!(read(b""), None);
        assert_eq!(read(&[b'x'; 17]), None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_hears_nothing_asks_again_soon() {
        let link = crate::RedisStore::builder("redis://127.0.0.1:1/").link().unwrap();
        let link = Arc::new(link);
        let turns = Turns::new(&link);
        let began = tokio::time::Instant::now();
        assert_eq!(turns.hear(link, None, (0, LEASE)).await, TurnEnd::Left);
        assert_eq!(began.elapsed(), DEAF);
    }

    #[test]
    fn who_waits_no_longer_is_not_remembered() {
        let turns = Arc::new(Waiters::default());
        let (mut one, two) = (turns.wait_for(TurnId(1)), turns.wait_for(TurnId(1)));
        let other = turns.wait_for(TurnId(2));
        drop(two);
        assert_eq!(turns.waiting().len(), 2);
        turns.ended(TurnId(1), TurnEnd::Made);
        assert_eq!(one.told.try_recv(), Ok(TurnEnd::Made));
        drop((one, other));
        assert!(turns.waiting().is_empty());
        let mut lost = turns.wait_for(TurnId(3));
        turns.lost();
        assert_eq!(lost.told.try_recv(), Ok(TurnEnd::Left));
    }
}
