//! A lock node as a process sees it: a server at the other end of a network that loses, delays and doubles.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_lock::{
    Acquire, Extend, Extension, LockMode, LockNode, NodeError, NodeErrorKind, NodeFuture, Release, Removal,
    Ring, Subscription, Vote,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};

use crate::process::State;
use crate::world::{Server, World, lock};

/// How long a call hangs at most.
const HANG: Duration = Duration::from_secs(4);

#[derive(Clone)]
pub(crate) struct SimNode {
    world: Arc<World>,
    process: usize,
    state: Arc<Mutex<State>>,
    server: usize,
    name: Arc<str>,
}

impl SimNode {
    pub(crate) fn new(world: &Arc<World>, state: &Arc<Mutex<State>>, process: usize, server: usize) -> Self {
        Self {
            world: Arc::clone(world),
            process,
            state: Arc::clone(state),
            server,
            name: format!("n{server}").into(),
        }
    }

    /// One call: a message there, a step of the server, a message back.
    fn call<T: Send + 'static>(
        &self,
        mut step: impl FnMut(&Self, &mut Server, Duration) -> T + Send + 'static,
    ) -> NodeFuture<'_, T> {
        let node = self.clone();
        Box::pin(async move {
            let hangs_until = Instant::now() + HANG;
            let (sender, receiver) = oneshot::channel();
            // A message that has been sent is on its way whatever becomes of the caller.
            drop(tokio::spawn(async move {
                let Some(answer) = node.deliver(&mut step).await else {
                    return;
                };
                if node.world.chance.strikes(node.world.network.doubled) {
                    node.world.count("doubled");
                    let again = node.clone();
                    drop(tokio::spawn(
                        async move { again.deliver(&mut step).await.map(drop) },
                    ));
                }
                if node.come_back().await {
                    let _ = sender.send(answer);
                }
            }));
            if let Ok(answer) = receiver.await {
                return answer;
            }
            sleep_until(hangs_until).await;
            Err(NodeError::new(NodeErrorKind::Timeout, "lost"))
        })
    }

    /// Brings a request to the server; `None` if it gets lost.
    async fn deliver<T>(
        &self,
        step: &mut impl FnMut(&Self, &mut Server, Duration) -> T,
    ) -> Option<Result<T, NodeError>> {
        self.while_paused().await;
        let world = &self.world;
        let now = Instant::now();
        let lost = world.link(self.process, self.server, |link| {
            let to_lose = link.lose.0 > 0;
            link.lose.0 = link.lose.0.saturating_sub(1);
            to_lose || now < link.requests_cut_until
        });
        if lost || lock(&self.state).dead || world.chance.strikes(world.network.loss) {
            world.count("lost");
            return None;
        }
        sleep_until(self.arrival()).await;
        loop {
            let until = world.server(self.server).stopped_until;
            if Instant::now() >= until {
                break;
            }
            sleep_until(until).await;
        }
        let mut server = world.server(self.server);
        if Instant::now() < server.down_until {
            return Some(Err(NodeError::new(NodeErrorKind::Io, "refused")));
        }
        let now = world.time_at(server.rate);
        Some(Ok(step(self, &mut server, now)))
    }

    /// Brings an answer back; false if it gets lost.
    async fn come_back(&self) -> bool {
        sleep(self.way()).await;
        self.while_paused().await;
        let now = Instant::now();
        let world = &self.world;
        let lost = world.link(self.process, self.server, |link| {
            let to_lose = link.lose.1 > 0;
            link.lose.1 = link.lose.1.saturating_sub(1);
            to_lose || now < link.answers_cut_until
        });
        let lost = lost || world.chance.strikes(world.network.loss);
        if lost {
            world.count("lost");
        }
        !lost
    }

    /// How long one message takes.
    fn way(&self) -> Duration {
        let (world, network) = (&self.world, self.world.network);
        if world.chance.strikes(network.late.1) {
            world.count("late");
            return world.chance.between(network.delay, network.late.0);
        }
        world.chance.between(Duration::ZERO, network.delay)
    }

    /// When a request that is sent now comes to the server.
    fn arrival(&self) -> Instant {
        let (arrival, ordered) = (Instant::now() + self.way(), self.world.network.ordered);
        self.world.link(self.process, self.server, |link| {
            if ordered {
                link.last_arrival = link.last_arrival.max(arrival);
                return link.last_arrival;
            }
            arrival
        })
    }

    async fn while_paused(&self) {
        loop {
            let until = lock(&self.state).paused_until;
            if Instant::now() >= until {
                return;
            }
            sleep_until(until).await;
        }
    }

    /// Tells those who wait for the lock at this server, unless the news gets lost.
    fn ring(&self, server: &mut Server, key: &Arc<str>, ring: Ring) {
        server.bells.retain(|(_, _, bell)| !bell.is_unheard());
        for (_, process, bell) in server.bells.iter().filter(|(name, ..)| name == key) {
            let (node, bell) = (self.clone(), bell.clone());
            let listener = SimNode {
                process: *process,
                ..node
            };
            drop(tokio::spawn(async move {
                if listener.come_back().await {
                    bell.tell(ring);
                }
            }));
        }
    }
}

impl LockNode for SimNode {
    fn name(&self) -> &str {
        &self.name
    }

    fn acquire<'a>(&'a self, request: &'a Acquire) -> NodeFuture<'a, Vote> {
        let request = request.clone();
        self.call(move |node, server, now| {
            let together = |mode| mode == LockMode::Shared && request.mode == LockMode::Shared;
            let mut before = server.table.votes(&request.key, now);
            let others = before.any(|(holder, mode, _)| holder != request.owner && !together(mode));
            drop(before);
            let vote = server.table.acquire(&request, now);
            if vote == Vote::Granted && others {
                node.world
                    .checker
                    .violation(format!("taken away: the vote of {}", node.name));
            }
            vote
        })
    }

    fn extend<'a>(&'a self, request: &'a Extend) -> NodeFuture<'a, Extension> {
        let request = request.clone();
        self.call(move |node, server, now| {
            let mut before = server.table.votes(&request.key, now);
            let holds = before.any(|(holder, ..)| holder == request.owner);
            drop(before);
            let extension = server.table.extend(&request, now);
            if extension == Extension::Extended && !holds {
                let what = format!("extended for another: the vote of {}", node.name);
                node.world.checker.violation(what);
            }
            extension
        })
    }

    fn release<'a>(&'a self, request: &'a Release) -> NodeFuture<'a, Removal> {
        let request = request.clone();
        self.call(move |node, server, now| {
            let removal = server.table.release(&request, now);
            let is_free = server.table.holder(&request.key, now).is_none();
            if let Some(ring) = Ring::after(&request, removal).filter(|_| is_free) {
                node.ring(server, &request.key, ring);
            }
            removal
        })
    }

    fn subscribe<'a>(&'a self, key: &'a str) -> NodeFuture<'a, Subscription> {
        let key: Arc<str> = key.into();
        self.call(move |node, server, _| {
            let (bell, subscription) = Subscription::channel();
            server.bells.push((Arc::clone(&key), node.process, bell));
            subscription
        })
    }
}
