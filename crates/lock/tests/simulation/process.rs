//! A simulated process: a locker of its own, a wall clock of its own, and pauses in which it does nothing.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use larder_lock::{Locker, LockerBuilder};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::node::SimNode;
use crate::world::{World, lock};

/// Where wall clocks stand when a run begins.
const WALL: Duration = Duration::from_secs(1_700_000_000);

pub(crate) struct Process {
    pub(crate) number: usize,
    pub(crate) locker: Locker,
    state: Arc<Mutex<State>>,
    death: Notify,
}

/// What befalls a process.
pub(crate) struct State {
    pub(crate) paused_until: Instant,
    pub(crate) dead: bool,
    /// How much its wall clock is ahead, or behind.
    pub(crate) wall_ahead: Duration,
    pub(crate) wall_behind: Duration,
}

impl Process {
    pub(crate) fn new(world: &Arc<World>, number: usize) -> Arc<Self> {
        let state = Arc::new(Mutex::new(State {
            paused_until: Instant::now(),
            dead: false,
            wall_ahead: Duration::ZERO,
            wall_behind: Duration::ZERO,
        }));
        let clock = {
            let (state, epoch) = (Arc::clone(&state), world.epoch);
            move || {
                let state = lock(&state);
                WALL + epoch.elapsed() + state.wall_ahead - state.wall_behind
            }
        };
        let nodes = (0..world.servers()).map(|server| SimNode::new(world, &state, number, server));
        let locker = nodes
            .fold(Locker::builder(), LockerBuilder::node)
            .seed(world.chance.number())
            .wall_clock(clock)
            .build();
        Arc::new(Self {
            number,
            locker,
            state,
            death: Notify::new(),
        })
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut lock(&self.state))
    }

    pub(crate) fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        self.change(|state| state.paused_until = state.paused_until.max(until));
    }

    /// From now on nothing it sends arrives.
    pub(crate) fn kill(&self) {
        self.change(|state| state.dead = true);
        self.death.notify_one();
    }

    pub(crate) async fn killed(&self) {
        self.death.notified().await;
    }

    /// Runs `work` as the code of this process: not while it is paused.
    ///
    /// What the locker does in tasks of its own is not in `work`. It acts through its nodes, and those hold back what is
    /// sent and answered during a pause; timers that fire late are left to the pauses of all
    /// processes at once, which move the clock.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut pause = None;
        poll_fn(|cx| {
            let until = self.change(|state| state.paused_until);
            if Instant::now() < until {
                let pause = pause.insert(Box::pin(sleep_until(until)));
                if pause.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
            work.as_mut().poll(cx)
        })
        .await
    }
}
