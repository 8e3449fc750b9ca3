//! The single flight: among concurrent requests with an equal key one leads and the others wait for it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, Hash};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::sync::{Arc, KeyHasher, Mutex, lock};

/// The flights under way, by key.
///
/// A leader works in its own future: nothing is spawned, and nothing waits here but [`Waiter`]s. A key is
/// in the table exactly as long as its flight has a [`Leader`], or a waiter to whom the lead is offered; so
/// the table is empty when no guard lives. Clones share one table.
///
/// `K` and `T` need only be `Send` for all of this to be `Send` and `Sync`. In return a `T` is cloned under
/// the lock of its own flight: make it cheap to clone, say an `Arc`.
///
/// ```
/// # use larder_store::{Flights, Landing, Role};
/// # async fn example(flights: Flights<String, u32>) -> u32 {
/// # async fn work() -> u32 { 1 }
/// match flights.join("key".to_owned()) {
///     Role::Leader(leader) => {
///         let value = work().await;
///         leader.land(value);
///         value
///     }
///     Role::Waiter(waiter) => match waiter.await {
///         Landing::Landed(value) => value,
///         Landing::Released => work().await,
///         Landing::Leads(leader) => {
///             let value = work().await;
///             leader.land(value);
///             value
///         }
///     },
/// }
/// # }
/// ```
pub struct Flights<K, T> {
    hasher: KeyHasher,
    shards: Arc<[Arc<Shard<K, T>>]>,
}

impl<K: Hash + Eq + Clone, T: Clone> Flights<K, T> {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self {
            hasher: KeyHasher::default(),
            shards: (0..SHARDS).map(|_| Arc::default()).collect(),
        }
    }

    /// Joins the flight of `key`: the first to come leads it, everyone after that waits.
    ///
    /// The place in the queue is taken here, not at the first poll. Returns at once: it awaits nothing and
    /// takes only locks that are held for a few instructions.
    pub fn join(&self, key: K) -> Role<K, T> {
        let shard = self.shard_of(&key);
        let mut table = lock(&shard.table);
        // Lookup and insertion are two steps because an entry would drop the key it was given under the
        // lock; like this `key` outlives the guard.
        if let Some(flight) = table.get(&key) {
            return Role::Waiter(Waiter::new(flight));
        }
        let flight = Arc::new(Flight::new(Arc::clone(shard)));
        table.insert(key.clone(), Arc::clone(&flight));
        Role::Leader(Leader {
            flight,
            key: Some(key),
        })
    }

    /// Joins the flight of `key` if there is one: as [`join`](Self::join) does, and never to lead.
    #[must_use]
    pub fn wait_for(&self, key: &K) -> Option<Waiter<K, T>> {
        let table = lock(&self.shard_of(key).table);
        table.get(key).map(Waiter::new)
    }

    /// How many keys have a flight under way. The shards are counted one after the other, so this is a
    /// figure to look at, not to decide by.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(&shard.table).len()).sum()
    }

    /// Whether no key has a flight under way; with the same reservation as [`len`](Self::len).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard_of(&self, key: &K) -> &Arc<Shard<K, T>> {
        // The remainder is below `SHARDS`, so that the narrowing loses nothing.
        &self.shards[(self.hasher.hash_one(key) % SHARDS as u64) as usize]
    }
}

impl<K: Hash + Eq + Clone, T: Clone> Default for Flights<K, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, T> Clone for Flights<K, T> {
    fn clone(&self) -> Self {
        // The same hasher as well: clones have to agree on the shard of a key.
        Self {
            hasher: self.hasher.clone(),
            shards: Arc::clone(&self.shards),
        }
    }
}

impl<K, T> fmt::Debug for Flights<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}

/// What [`Flights::join`] made of the caller.
#[derive(Debug)]
#[must_use = "to drop a role is to leave the flight"]
pub enum Role<K: Hash + Eq, T> {
    /// Nobody had a flight with this key: the caller does the work.
    Leader(Leader<K, T>),
    /// Someone leads already: the caller awaits the landing.
    Waiter(Waiter<K, T>),
}

/// The right, and the duty, to do the work of one flight.
///
/// Dropped without [`land`](Self::land) or [`release`](Self::release), as happens when the leading request
/// is cancelled, it passes the lead on to the waiter that has waited longest; without a waiter the flight
/// is over. Dropped by a panic that unwinds, it releases instead: were the lead passed on, a handler that
/// panics would do so once for every waiter, one after the other. Who catches a panic while the leader
/// stays alive, as a combinator with `catch_unwind` around an inner future does, has to call `release`.
#[must_use = "to drop a leader is to pass the lead on"]
pub struct Leader<K: Hash + Eq, T> {
    flight: Arc<Flight<K, T>>,
    /// There is one such key per flight and it is the lead: it is here, or in [`Phase::Offered`]. Taken
    /// only by what ends or passes on the flight.
    key: Option<K>,
}

impl<K: Hash + Eq, T> Leader<K, T> {
    /// Ends the flight with a value: every waiter gets a clone of it. Who joins from now on starts a new
    /// flight.
    pub fn land(mut self, value: T) {
        self.end(Phase::Landed(value));
    }

    /// Ends the flight without a value that can be shared: every waiter is let go at once, to do the work
    /// for itself beside the others.
    pub fn release(mut self) {
        self.end(Phase::Released);
    }

    fn end(&mut self, outcome: Phase<K, T>) {
        let Some(key) = self.key.take() else { return };
        // Out of the table first: who has seen the end of this flight must not meet it again on joining anew.
        let entry = self.flight.shard.remove(&key);
        let mut state = lock(&self.flight.state);
        state.phase = outcome;
        let queue = mem::take(&mut state.queue);
        drop(state);
        drop(entry);
        queue.into_values().flatten().for_each(Waker::wake);
    }
}

impl<K: Hash + Eq, T> Drop for Leader<K, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.end(Phase::Released);
        } else if let Some(key) = self.key.take() {
            pass_on(&self.flight, key);
        }
    }
}

impl<K: Hash + Eq, T> fmt::Debug for Leader<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leader").finish_non_exhaustive()
    }
}

/// A place in the queue of one flight; a future that ends when the flight does, or when this place is the
/// next to lead.
///
/// It knows no time limit: wrap it in one. It can be dropped at any moment; a lead that was offered to it
/// meanwhile goes to the next in the queue. As long as it is neither polled nor dropped such an offer stays
/// with it and everyone behind it waits, so do not put it aside.
#[must_use = "to drop a waiter is to leave the queue"]
pub struct Waiter<K: Hash + Eq, T> {
    /// None once the landing was handed out.
    flight: Option<Arc<Flight<K, T>>>,
    number: u64,
}

impl<K: Hash + Eq, T> Waiter<K, T> {
    /// A place at the end of the queue. The lock of the table is held meanwhile, so that the flight is not over.
    fn new(flight: &Arc<Flight<K, T>>) -> Self {
        let number = lock(&flight.state).enqueue();
        Self {
            flight: Some(Arc::clone(flight)),
            number,
        }
    }
}

impl<K: Hash + Eq, T: Clone> Future for Waiter<K, T> {
    type Output = Landing<K, T>;

    /// # Panics
    ///
    /// When polled again after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(flight) = &this.flight else {
            panic!("a waiter was polled after it was ready")
        };
        let mut state = lock(&flight.state);
        if let Some(key) = state.take_offer(this.number) {
            drop(state);
            let flight = Arc::clone(flight);
            this.flight = None;
            return Poll::Ready(Landing::Leads(Leader {
                flight,
                key: Some(key),
            }));
        }
        let landing = match &state.phase {
            Phase::Landed(value) => Landing::Landed(value.clone()),
            Phase::Released => Landing::Released,
            Phase::Led | Phase::Offered { .. } => {
                let stale = state.set_waker(this.number, cx.waker());
                drop(state);
                // A waker may hold the last reference to a task, so that dropping it can run anything.
                drop(stale);
                return Poll::Pending;
            }
        };
        drop(state);
        this.flight = None;
        Poll::Ready(landing)
    }
}

impl<K: Hash + Eq, T> Drop for Waiter<K, T> {
    fn drop(&mut self) {
        let Some(flight) = self.flight.take() else { return };
        let mut state = lock(&flight.state);
        let waker = state.queue.remove(&self.number);
        let offer = state.take_offer(self.number);
        drop(state);
        drop(waker);
        if cfg!(larder_mutant = "flight_lost_handover") {
            return;
        }
        // Also while panicking: this waiter has not done the work, so its panic says nothing about it.
        if let Some(key) = offer {
            pass_on(&flight, key);
        }
    }
}

impl<K: Hash + Eq, T> fmt::Debug for Waiter<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// How the wait of a [`Waiter`] ended.
#[derive(Debug)]
#[must_use = "a landing may carry the lead"]
pub enum Landing<K: Hash + Eq, T> {
    /// The leader landed with this value.
    Landed(T),
    /// There is no value to share: do the work without waiting for anyone.
    Released,
    /// The leader went away and this waiter takes its place.
    Leads(Leader<K, T>),
}

/// How many locks the table is spread over.
const SHARDS: usize = 16;

/// Up to this many keys a shard keeps the memory of its table.
const KEPT_CAPACITY: usize = 64;

type Table<K, T> = HashMap<K, Arc<Flight<K, T>>, KeyHasher>;

/// One part of the table.
///
/// Where two locks are held, that of the table was taken before that of the flight. Under either nothing
/// of the caller's runs but `Hash`, `Eq` and `Clone`: no waker is called, no key, value or waker dropped.
struct Shard<K, T> {
    table: Mutex<Table<K, T>>,
}

impl<K, T> Default for Shard<K, T> {
    fn default() -> Self {
        Self {
            table: Mutex::new(HashMap::default()),
        }
    }
}

impl<K: Hash + Eq, T> Shard<K, T> {
    /// Takes a key out; what is returned is to be dropped without a lock.
    fn remove(&self, key: &K) -> Option<(K, Arc<Flight<K, T>>)> {
        remove_from(&mut lock(&self.table), key)
    }
}

/// One flight: what its leader and its waiters share.
struct Flight<K, T> {
    /// Where it is in the table.
    shard: Arc<Shard<K, T>>,
    state: Mutex<State<K, T>>,
}

impl<K, T> Flight<K, T> {
    fn new(shard: Arc<Shard<K, T>>) -> Self {
        Self {
            shard,
            state: Mutex::new(State {
                phase: Phase::Led,
                queue: BTreeMap::new(),
                joined: 0,
            }),
        }
    }
}

struct State<K, T> {
    phase: Phase<K, T>,
    /// Who waits, by number in the order of joining; with a waker from the first poll on. Who is offered
    /// the lead is no longer in it.
    queue: BTreeMap<u64, Option<Waker>>,
    joined: u64,
}

enum Phase<K, T> {
    /// A [`Leader`] lives.
    Led,
    /// The lead is here for the waiter with this number to take.
    Offered {
        to: u64,
        key: K,
    },
    Landed(T),
    Released,
}

impl<K, T> State<K, T> {
    fn enqueue(&mut self) -> u64 {
        let number = self.joined;
        self.joined += 1;
        self.queue.insert(number, None);
        number
    }

    /// Sets the waker of a waiter in the queue and returns the one it replaces, to be dropped without a
    /// lock.
    fn set_waker(&mut self, number: u64, waker: &Waker) -> Option<Waker> {
        let place = self.queue.get_mut(&number)?;
        if place.as_ref().is_some_and(|old| old.will_wake(waker)) {
            return None;
        }
        place.replace(waker.clone())
    }

    /// Takes the lead if it is offered to this waiter.
    fn take_offer(&mut self, number: u64) -> Option<K> {
        match mem::replace(&mut self.phase, Phase::Led) {
            Phase::Offered { to, key } if to == number => Some(key),
            other => {
                self.phase = other;
                None
            }
        }
    }
}

/// Offers the lead, which is `key`, to the waiter that has waited longest; without one the flight is over.
fn pass_on<K: Hash + Eq, T>(flight: &Flight<K, T>, key: K) {
    let shard = &flight.shard;
    // Both locks: that nobody waits and that nobody can join any more have to be one step, or who joins
    // in between waits for ever.
    #[allow(unused_mut, reason = "only a mutant takes the lock a second time")]
    let mut table = lock(&shard.table);
    let mut state = lock(&flight.state);
    if let Some((to, waker)) = state.queue.pop_first() {
        state.phase = Phase::Offered { to, key };
        drop(state);
        drop(table);
        if let Some(waker) = waker.filter(|_| !cfg!(larder_mutant = "flight_no_wake")) {
            waker.wake();
        }
        return;
    }
    drop(state);
    #[cfg(larder_mutant = "flight_torn_removal")]
    {
        drop(table);
        table = lock(&shard.table);
    }
    let entry = remove_from(&mut table, &key);
    drop(table);
    drop(entry);
}

/// Takes a key out of a table and gives back memory that a burst of keys has left behind.
fn remove_from<K: Hash + Eq, T>(table: &mut Table<K, T>, key: &K) -> Option<(K, Arc<Flight<K, T>>)> {
    let entry = table.remove_entry(key);
    // To a half when three quarters are idle: what moves is paid for by the removals before it.
    if table.capacity() > KEPT_CAPACITY && table.len() < table.capacity() / 4 {
        table.shrink_to((table.capacity() / 2).max(KEPT_CAPACITY));
    }
    entry
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::pin;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    /// A waker that counts its calls.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Count {
        fn get(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn lead<T: Clone>(flights: &Flights<u8, T>, key: u8) -> Leader<u8, T> {
        match flights.join(key) {
            Role::Leader(leader) => leader,
            Role::Waiter(_) => panic!("key {key} has a leader already"),
        }
    }

    fn wait<T: Clone>(flights: &Flights<u8, T>, key: u8) -> Waiter<u8, T> {
        match flights.join(key) {
            Role::Waiter(waiter) => waiter,
            Role::Leader(_) => panic!("key {key} has no leader"),
        }
    }

    fn poll_with<T: Clone>(waiter: &mut Waiter<u8, T>, waker: &Waker) -> Poll<Landing<u8, T>> {
        pin!(waiter).poll(&mut Context::from_waker(waker))
    }

    fn poll<T: Clone>(waiter: &mut Waiter<u8, T>) -> Poll<Landing<u8, T>> {
        poll_with(waiter, Waker::noop())
    }

    /// Polls a waiter that is not ready and returns the counter of its wake-ups.
    fn park<T: Clone>(waiter: &mut Waiter<u8, T>) -> Arc<Count> {
        let count = Arc::new(Count::default());
        assert!(poll_with(waiter, &Arc::clone(&count).into()).is_pending());
        count
    }

    fn take_lead<T: Clone>(waiter: &mut Waiter<u8, T>) -> Leader<u8, T> {
        match poll(waiter) {
            Poll::Ready(Landing::Leads(leader)) => leader,
            _ => panic!("the waiter does not lead"),
        }
    }

    #[test]
    fn a_landing_reaches_every_waiter() {
        let flights = Flights::new();
        let leader = lead(&flights, 1);
        let (mut parked, mut fresh) = (wait(&flights, 1), wait(&flights, 1));
        let woken = park(&mut parked);
        assert_eq!(flights.len(), 1);
        leader.land("value");
        assert_eq!(woken.get(), 1);
        assert!(
            flights.is_empty(),
            "the key leaves the table with the landing, not with the last waiter"
        );
        assert!(matches!(poll(&mut parked), Poll::Ready(Landing::Landed("value"))));
        assert!(matches!(poll(&mut fresh), Poll::Ready(Landing::Landed("value"))));
    }

    #[test]
    fn a_join_after_the_landing_starts_a_new_flight() {
        let flights = Flights::new();
        let first = lead(&flights, 1);
        let mut early = wait(&flights, 1);
        first.land(1);
        let second = lead(&flights, 1);
        let mut late = wait(&flights, 1);
        assert!(matches!(poll(&mut early), Poll::Ready(Landing::Landed(1))));
        assert!(poll(&mut late).is_pending());
        second.land(2);
        assert!(matches!(poll(&mut late), Poll::Ready(Landing::Landed(2))));
    }

    #[test]
    fn a_release_frees_every_waiter_at_once() {
        let flights = Flights::<u8, ()>::new();
        let leader = lead(&flights, 1);
        let (mut parked, mut fresh) = (wait(&flights, 1), wait(&flights, 1));
        let woken = park(&mut parked);
        leader.release();
        assert_eq!(woken.get(), 1);
        assert!(flights.is_empty());
        assert!(matches!(poll(&mut parked), Poll::Ready(Landing::Released)));
        assert!(matches!(poll(&mut fresh), Poll::Ready(Landing::Released)));
    }

    #[test]
    fn a_dropped_leader_without_waiters_empties_the_table() {
        let flights = Flights::<u8, ()>::new();
        drop(lead(&flights, 1));
        assert!(flights.is_empty());
    }

    #[test]
    fn the_lead_passes_on_in_the_order_of_joining() {
        let flights = Flights::new();
        let leader = lead(&flights, 1);
        let (mut first, mut second, mut third) = (wait(&flights, 1), wait(&flights, 1), wait(&flights, 1));
        // Polled in another order than joined, and the first not at all.
        let (third_woken, second_woken) = (park(&mut third), park(&mut second));
        drop(leader);
        assert_eq!(
            (second_woken.get(), third_woken.get()),
            (0, 0),
            "one is asked, not all"
        );
        assert!(poll(&mut second).is_pending());
        let leader = take_lead(&mut first);
        let mut fourth = wait(&flights, 1);
        let second_woken = park(&mut second);
        drop(leader);
        assert_eq!((second_woken.get(), third_woken.get()), (1, 0));
        take_lead(&mut second).land(7);
        assert_eq!(third_woken.get(), 1);
        assert!(matches!(poll(&mut third), Poll::Ready(Landing::Landed(7))));
        assert!(matches!(poll(&mut fourth), Poll::Ready(Landing::Landed(7))));
        assert!(flights.is_empty());
    }

    #[test]
    fn a_leader_dropped_by_a_panic_releases() {
        let flights = Flights::<u8, ()>::new();
        let leader = lead(&flights, 1);
        let mut waiter = wait(&flights, 1);
        let woken = park(&mut waiter);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let _leader = leader;
            panic!("the handler");
        }));
        assert!(outcome.is_err());
        assert_eq!(woken.get(), 1);
        assert!(flights.is_empty());
        assert!(matches!(poll(&mut waiter), Poll::Ready(Landing::Released)));
    }

    #[test]
    fn a_waiter_dropped_by_a_panic_passes_its_offer_on() {
        let flights = Flights::<u8, ()>::new();
        let leader = lead(&flights, 1);
        let (offered, mut next) = (wait(&flights, 1), wait(&flights, 1));
        drop(leader);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let _offered = offered;
            panic!("beside the waiter");
        }));
        assert!(outcome.is_err());
        drop(take_lead(&mut next));
        assert!(flights.is_empty());
    }

    #[test]
    fn a_waiter_that_leaves_is_passed_over() {
        let flights = Flights::<u8, ()>::new();
        let leader = lead(&flights, 1);
        let (unpolled, mut parked, mut last) = (wait(&flights, 1), wait(&flights, 1), wait(&flights, 1));
        let (parked_woken, last_woken) = (park(&mut parked), park(&mut last));
        drop(unpolled);
        drop(parked);
        drop(leader);
        assert_eq!((parked_woken.get(), last_woken.get()), (0, 1));
        drop(take_lead(&mut last));
        assert!(flights.is_empty());
    }

    #[test]
    fn an_offer_that_is_dropped_goes_to_the_next() {
        let flights = Flights::<u8, ()>::new();
        let leader = lead(&flights, 1);
        let (mut woken, unpolled, mut last) = (wait(&flights, 1), wait(&flights, 1), wait(&flights, 1));
        let (woken_count, last_count) = (park(&mut woken), park(&mut last));
        drop(leader);
        assert_eq!((woken_count.get(), last_count.get()), (1, 0));
        drop(woken);
        assert_eq!(last_count.get(), 0, "the offer went to the one in between");
        drop(unpolled);
        assert_eq!(last_count.get(), 1);
        drop(take_lead(&mut last));
        assert!(flights.is_empty());
    }

    #[test]
    fn an_offer_that_is_dropped_by_the_last_empties_the_table() {
        let flights = Flights::<u8, ()>::new();
        let leader = lead(&flights, 1);
        let waiter = wait(&flights, 1);
        drop(leader);
        assert_eq!(flights.len(), 1, "the offer keeps the flight up");
        drop(waiter);
        assert!(flights.is_empty());
    }

    #[test]
    fn a_waiter_joins_behind_an_open_offer() {
        let flights = Flights::new();
        let leader = lead(&flights, 1);
        let mut offered = wait(&flights, 1);
        drop(leader);
        let mut late = wait(&flights, 1);
        assert!(poll(&mut late).is_pending());
        take_lead(&mut offered).land(3);
        assert!(matches!(poll(&mut late), Poll::Ready(Landing::Landed(3))));
    }

    #[test]
    fn a_waiter_dropped_after_the_end_changes_nothing() {
        let flights = Flights::new();
        let leader = lead(&flights, 1);
        let (unpolled, mut landed) = (wait(&flights, 1), wait(&flights, 1));
        leader.land(1);
        assert!(poll(&mut landed).is_ready());
        let next = lead(&flights, 1);
        drop((unpolled, landed));
        assert_eq!(flights.len(), 1, "the next flight is another one");
        drop(next);
        assert!(flights.is_empty());
    }

    #[test]
    #[should_panic(expected = "polled after it was ready")]
    fn a_waiter_is_ready_once() {
        let flights = Flights::new();
        let leader = lead(&flights, 1);
        let mut waiter = wait(&flights, 1);
        leader.land(1);
        assert!(poll(&mut waiter).is_ready());
        let _ = poll(&mut waiter);
    }

    #[test]
    fn the_last_waker_is_the_one_that_is_called() {
        let flights = Flights::new();
        let leader = lead(&flights, 1);
        let mut waiter = wait(&flights, 1);
        let old = park(&mut waiter);
        assert_eq!(Arc::strong_count(&old), 2);
        let new = park(&mut waiter);
        assert_eq!(Arc::strong_count(&old), 1, "the replaced waker is dropped");
        assert!(poll_with(&mut waiter, &Arc::clone(&new).into()).is_pending());
        assert_eq!(Arc::strong_count(&new), 2, "the same waker is kept once");
        leader.land(1);
        assert_eq!((old.get(), new.get()), (0, 1));
        assert_eq!(Arc::strong_count(&new), 1);
    }

    #[test]
    fn keys_do_not_wait_for_each_other() {
        let flights = Flights::new();
        let leaders: Vec<_> = (0..100).map(|key| lead(&flights, key)).collect();
        let mut waiters: Vec<_> = (0..100).map(|key| wait(&flights.clone(), key)).collect();
        assert_eq!(flights.len(), 100);
        for (value, leader) in leaders.into_iter().enumerate().rev() {
            assert!(poll(&mut waiters[value]).is_pending());
            leader.land(value);
            assert!(
                matches!(poll(&mut waiters[value]), Poll::Ready(Landing::Landed(landed)) if landed == value)
            );
        }
        assert!(flights.is_empty());
    }

    /// Needs the lock of every shard, whenever it is cloned into, called as a waker, or dropped.
    struct Probe(Flights<u8, Arc<Probe>>, AtomicBool);

    impl Probe {
        fn new(flights: &Flights<u8, Arc<Self>>) -> Arc<Self> {
            Arc::new(Self(flights.clone(), AtomicBool::new(false)))
        }

        /// Joins and leaves the key under test, which takes the locks of its table and of its flight.
        fn touch(&self) {
            drop(self.0.join(1));
            self.1.store(true, Ordering::SeqCst);
        }
    }

    impl Wake for Probe {
        fn wake(self: Arc<Self>) {
            self.touch();
        }
    }

    impl Drop for Probe {
        fn drop(&mut self) {
            self.touch();
        }
    }

    // A failure of this one is a deadlock, or a panic of the mutex that is locked twice.
    #[test]
    fn wakers_and_values_meet_no_lock() {
        let flights = Flights::new();
        for end in [|leader| drop(leader), |leader: Leader<_, _>| leader.release()] {
            let leader = lead(&flights, 1);
            let (mut waiter, mut cancelled) = (wait(&flights, 1), wait(&flights, 1));
            let probe = Probe::new(&flights);
            assert!(poll_with(&mut waiter, &Probe::new(&flights).into()).is_pending());
            assert!(poll_with(&mut cancelled, &Probe::new(&flights).into()).is_pending());
            // Each time the reference in the flight is the last one to the waker before.
            assert!(poll_with(&mut waiter, &Arc::clone(&probe).into()).is_pending());
            drop(cancelled);
            end(leader);
            assert!(probe.1.load(Ordering::SeqCst), "the waker was called");
        }
        let leader = lead(&flights, 1);
        let waiter = wait(&flights, 1);
        leader.land(Probe::new(&flights));
        drop(waiter);
        lead(&flights, 1).land(Probe::new(&flights));
        assert!(flights.is_empty());
    }

    /// Panics when cloned for the first time.
    struct Brittle(Arc<AtomicBool>);

    impl Clone for Brittle {
        fn clone(&self) -> Self {
            assert!(self.0.swap(true, Ordering::SeqCst), "the first clone");
            Self(Arc::clone(&self.0))
        }
    }

    #[test]
    fn a_clone_that_panics_harms_one_waiter() {
        let flights = Flights::new();
        let leader = lead(&flights, 1);
        let (mut unlucky, mut next) = (wait(&flights, 1), wait(&flights, 1));
        leader.land(Brittle(Arc::default()));
        assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut unlucky))).is_err());
        drop(unlucky);
        assert!(matches!(poll(&mut next), Poll::Ready(Landing::Landed(_))));
    }

    #[test]
    fn a_burst_of_keys_leaves_no_memory_behind() {
        let flights = Flights::<u32, ()>::new();
        let burst: Vec<_> = (0..20_000).map(|key| flights.join(key)).collect();
        assert_eq!(flights.len(), 20_000);
        drop(burst);
        for shard in &*flights.shards {
            assert!(lock(&shard.table).capacity() <= 4 * KEPT_CAPACITY);
        }
    }

    #[test]
    fn send_is_all_that_is_asked_of_keys_and_values() {
        fn sendable<G: Send + 'static>() {}
        fn shareable<G: Send + Sync + 'static>() {}
        // `Cell` is `Send` and not `Sync`.
        shareable::<Flights<String, Cell<u8>>>();
        sendable::<Leader<String, Cell<u8>>>();
        sendable::<Waiter<String, Cell<u8>>>();
        sendable::<Role<String, Cell<u8>>>();
        sendable::<Landing<String, Cell<u8>>>();
    }
}
