//! The single flight under shuttle: `RUSTFLAGS="--cfg shuttle" cargo test -p larder-store --test flight_shuttle`
#![cfg(shuttle)]
// With `--cfg larder_mutant="..."` beside it, the test that has to find that mutant expects to fail: a run is
// green exactly when the mutant is found. The mutants are `flight_lost_handover`, `flight_no_wake` and
// `flight_torn_removal`. Debug builds do: a schedule takes well under a millisecond. The seed is fixed so
// that a run repeats itself; another one comes with `SHUTTLE_RANDOM_SEED`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use larder_store::{Flights, Landing, Leader, Role, Waiter};
use shuttle::future::{JoinHandle, block_on, spawn, yield_now};
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::{Config, Runner};

/// How many schedules each scheduler tries of each scenario.
const ITERATIONS: usize = 3_000;

/// How many preemptions, less one, a bug may need for the second scheduler to aim at it.
const PCT_DEPTH: usize = 3;

const SEED: u64 = 0x1a2d_e25e_ed00_0001;

/// One leads at a time, everyone gets a value, who joins anew gets a later one, and nothing is left in the
/// table.
#[test]
fn a_landing_reaches_everyone() {
    check(|| {
        let flights = Flights::new();
        let (leading, landings) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let everyone = (0..4).map(|_| {
            let (flights, leading, landings) = (flights.clone(), Arc::clone(&leading), Arc::clone(&landings));
            spawn(async move {
                let first = count_landings(&flights, &leading, &landings).await;
                let second = count_landings(&flights, &leading, &landings).await;
                assert!(first < second, "landing {first} came back as {second}");
            })
        });
        join_all(everyone);
        assert!(flights.is_empty());
    });
}

/// Leaders go away in the middle of their work and waiters at any moment, offered the lead or not; who stays
/// is served all the same.
#[test]
#[cfg_attr(larder_mutant = "flight_lost_handover", should_panic(expected = "deadlock"))]
#[cfg_attr(larder_mutant = "flight_no_wake", should_panic(expected = "deadlock"))]
#[cfg_attr(larder_mutant = "flight_torn_removal", should_panic(expected = "deadlock"))]
fn who_stays_is_served_whoever_leaves() {
    check(|| {
        let flights = Flights::new();
        let leading = Arc::new(AtomicUsize::new(0));
        let fickle: Vec<_> = (0..3)
            .map(|_| spawn(leave_at_random(flights.clone(), Arc::clone(&leading))))
            .collect();
        let patient: Vec<_> = (0..2)
            .map(|_| spawn(stay(flights.clone(), Arc::clone(&leading))))
            .collect();
        // From outside as well, where no code of the task has a say in the moment.
        for task in &fickle {
            if thread_rng().gen_bool(0.3) {
                task.abort();
            }
        }
        assert_eq!(join_all(patient), [VALUE; 2]);
        for task in fickle {
            if let Ok(Some(value)) = block_on(task) {
                assert_eq!(value, VALUE);
            }
        }
        assert!(flights.is_empty());
    });
}

/// A release lets everyone go side by side: here nobody goes on before all have been let go.
#[test]
fn a_release_frees_everyone_at_once() {
    check(|| {
        let flights = Flights::<u8, u8>::new();
        let Role::Leader(leader) = flights.join(KEY) else {
            panic!("nobody leads yet")
        };
        let free = Arc::new(AtomicUsize::new(0));
        let everyone: Vec<_> = (0..4)
            .map(|_| {
                let Role::Waiter(waiter) = flights.join(KEY) else {
                    panic!("one leads already")
                };
                let free = Arc::clone(&free);
                spawn(async move {
                    assert!(matches!(waiter.await, Landing::Released));
                    free.fetch_add(1, Ordering::SeqCst);
                    while free.load(Ordering::SeqCst) < 4 {
                        yield_now().await;
                    }
                })
            })
            .collect();
        let late = spawn(release_or_lead(flights.clone()));
        yield_at_random();
        leader.release();
        join_all(everyone);
        join_all([late]);
        assert!(flights.is_empty());
    });
}

/// The flight of one key neither waits for that of another nor lands with its value.
#[test]
fn keys_do_not_wait_for_each_other() {
    check(|| {
        let flights = Flights::<u8, u8>::new();
        let Role::Leader(slow) = flights.join(KEY) else {
            panic!("nobody leads yet")
        };
        let Role::Waiter(waiter) = flights.join(KEY) else {
            panic!("one leads already")
        };
        let waiter = spawn(async move { matches!(waiter.await, Landing::Landed(KEY)) });
        let leading = Arc::new(AtomicUsize::new(0));
        let others: Vec<_> = (0..3)
            .map(|_| spawn(stay_at(OTHER_KEY, flights.clone(), Arc::clone(&leading))))
            .collect();
        assert_eq!(join_all(others), [VALUE; 3]);
        assert_eq!(flights.len(), 1);
        slow.land(KEY);
        assert_eq!(join_all([waiter]), [true]);
        assert!(flights.is_empty());
    });
}

const KEY: u8 = 1;
const OTHER_KEY: u8 = 2;
const VALUE: u8 = 42;

/// Runs a scenario under a scheduler that picks at random, and under one that preempts seldom and on
/// purpose.
fn check(scenario: fn()) {
    run(RandomScheduler::new_from_seed(SEED, ITERATIONS), scenario);
    run(PctScheduler::new_from_seed(SEED, PCT_DEPTH, ITERATIONS), scenario);
}

fn run(scheduler: impl Scheduler + 'static, scenario: fn()) {
    Runner::new(scheduler, Config::new()).run(scenario);
}

fn join_all<V>(tasks: impl IntoIterator<Item = JoinHandle<V>>) -> Vec<V> {
    // All of them are to run before the first is waited for.
    let tasks: Vec<_> = tasks.into_iter().collect();
    let values = tasks.into_iter().map(|task| match block_on(task) {
        Ok(value) => value,
        Err(error) => panic!("only the fickle are aborted: {error}"),
    });
    values.collect()
}

/// Joins, in one of the two ways.
fn join<T: Clone>(flights: &Flights<u8, T>, key: u8) -> Role<u8, T> {
    let waiter = thread_rng().gen_bool(0.5).then(|| flights.wait_for(&key));
    waiter.flatten().map_or_else(|| flights.join(key), Role::Waiter)
}

/// Joins a flight whose value is its own number.
async fn count_landings(
    flights: &Flights<u8, usize>,
    leading: &AtomicUsize,
    landings: &AtomicUsize,
) -> usize {
    match join(flights, KEY) {
        Role::Leader(leader) => {
            work(leading).await;
            let value = landings.fetch_add(1, Ordering::SeqCst);
            leader.land(value);
            value
        }
        Role::Waiter(waiter) => match waiter.await {
            Landing::Landed(value) => value,
            other => panic!("every leader lands: {other:?}"),
        },
    }
}

/// Joins and sees it through.
async fn stay(flights: Flights<u8, u8>, leading: Arc<AtomicUsize>) -> u8 {
    stay_at(KEY, flights, leading).await
}

async fn stay_at(key: u8, flights: Flights<u8, u8>, leading: Arc<AtomicUsize>) -> u8 {
    let leader = match join(&flights, key) {
        Role::Leader(leader) => leader,
        Role::Waiter(waiter) => match waiter.await {
            Landing::Landed(value) => return value,
            Landing::Leads(leader) => leader,
            Landing::Released => panic!("nobody releases"),
        },
    };
    work(&leading).await;
    leader.land(VALUE);
    VALUE
}

/// Joins, and leaves at some moment or other unless the flight lands before.
async fn leave_at_random(flights: Flights<u8, u8>, leading: Arc<AtomicUsize>) -> Option<u8> {
    let leader = match join(&flights, KEY) {
        Role::Leader(leader) => leader,
        Role::Waiter(waiter) => match Fickle(waiter).await? {
            Landing::Landed(value) => return Some(value),
            Landing::Leads(leader) => leader,
            Landing::Released => panic!("nobody releases"),
        },
    };
    work(&leading).await;
    // Some of those who lead so far leave with the work done, as if it had failed.
    finish_at_random(leader)
}

fn finish_at_random(leader: Leader<u8, u8>) -> Option<u8> {
    thread_rng().gen_bool(0.3).then(|| {
        leader.land(VALUE);
        VALUE
    })
}

/// Joins while a release is on its way: is let go by it, or leads a flight of its own.
async fn release_or_lead(flights: Flights<u8, u8>) {
    match join(&flights, KEY) {
        Role::Leader(leader) => leader.release(),
        Role::Waiter(waiter) => assert!(matches!(waiter.await, Landing::Released)),
    }
}

/// The work of a leader: a few awaits, during which nobody else may lead.
async fn work(leading: &AtomicUsize) {
    struct Leading<'a>(&'a AtomicUsize);

    impl Drop for Leading<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    assert_eq!(
        leading.fetch_add(1, Ordering::SeqCst),
        0,
        "two lead at the same time"
    );
    let _leading = Leading(leading);
    for _ in 0..thread_rng().gen_range(0..3) {
        yield_now().await;
    }
}

fn yield_at_random() {
    for _ in 0..thread_rng().gen_range(0..4) {
        shuttle::thread::yield_now();
    }
}

/// A waiter that may give up whenever it is woken, before it has looked what woke it.
struct Fickle(Waiter<u8, u8>);

impl Future for Fickle {
    type Output = Option<Landing<u8, u8>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if thread_rng().gen_bool(0.25) {
            return Poll::Ready(None);
        }
        let landing = Pin::new(&mut self.0).poll(cx);
        if landing.is_pending() && thread_rng().gen_bool(0.5) {
            cx.waker().wake_by_ref();
        }
        landing.map(Some)
    }
}
