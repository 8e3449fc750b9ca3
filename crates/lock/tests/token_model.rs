//! The scheme of the tokens, searched exhaustively: every order of messages, losses and expiries, without any clock.
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]
// Two clients ask three nodes. A request may come at any time, also after its sender has decided or given up; its answer may
// be lost; a vote may run out at any moment. What is wanted of tokens: who holds alone has a token that nobody else has, and
// whoever begins to ask after another was granted the lock, one of the two alone, has a greater one.
//
// The rules of the modelled node are held to those of `LockTable`, step by step, for everything the search comes across.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use larder_lock::{Acquire, FencingToken, LockMode, LockTable, Owner, Vote};

const NODES: usize = 3;
const CLIENTS: usize = 2;
const QUORUM: usize = 2;

/// Which scheme, and what may happen.
#[derive(Debug, Clone, Copy)]
struct Rules {
    scheme: Scheme,
    /// How often each client asks.
    attempts: [u8; CLIENTS],
    /// Whether clients may want the lock shared.
    shared: bool,
    /// How often a node forgets everything.
    forgets: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// The client proposes, and a node grants what is above all that it has granted.
    Ballot,
    /// Each node counts its grants, and the token is the highest count among the votes.
    MaximumOnly,
}

/// Who asks: an attempt of a client, as a bit.
type Asker = u8;

/// Nobody asks a node twice in one attempt, so that it does not matter who has its vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
struct Node {
    alone: bool,
    readers: bool,
    token: u8,
    shared_token: u8,
    /// Whose requests are on their way to it.
    coming: Asker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Client {
    /// How often it has begun to ask.
    begun: u8,
    /// The highest token that it has heard of.
    known: u8,
    asking: bool,
    is_shared: bool,
    votes: u8,
    /// The highest count among the votes, where nodes count.
    count: u8,
    /// The highest tokens that had been granted when it began: alone, and shared.
    floors: (u8, u8),
}

/// What is asked for in an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Request {
    token: u8,
    shared: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct State {
    /// In order, for it does not matter which is which.
    nodes: [Node; NODES],
    clients: [Client; CLIENTS],
    requests: [Request; 2 * CLIENTS],
    /// All tokens with which the lock was held alone, as bits, and the highest with which it was shared.
    granted: u32,
    shared: u8,
    forgotten: u8,
}

/// What a node answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Granted(u8),
    Taken,
    Outdated(u8),
}

impl Node {
    fn acquire(&mut self, scheme: Scheme, Request { token, shared }: Request) -> Answer {
        if self.alone {
            return Answer::Taken;
        }
        if scheme == Scheme::MaximumOnly {
            (self.alone, self.token) = (true, self.token + 1);
            return Answer::Granted(self.token);
        }
        if shared {
            if token <= self.token {
                return Answer::Outdated(self.token);
            }
            (self.readers, self.shared_token) = (true, self.shared_token.max(token));
            return Answer::Granted(token);
        }
        if self.readers {
            return Answer::Taken;
        }
        let stored = self.token.max(self.shared_token);
        if token <= stored {
            return Answer::Outdated(stored);
        }
        (self.alone, self.token, self.shared_token) = (true, token, 0);
        Answer::Granted(token)
    }
}

/// One search, from the beginning to all that can come of it.
struct Search {
    rules: Rules,
    seen: HashSet<State>,
    open: VecDeque<(State, usize)>,
    /// What the real table was asked already.
    compared: HashSet<(Node, Request)>,
}

/// What went wrong, and after how many steps.
type Violation = (String, usize);

impl Search {
    /// How many states there are, or the nearest violation.
    fn run(rules: Rules) -> Result<usize, Violation> {
        let mut search = Self {
            rules,
            seen: HashSet::new(),
            open: VecDeque::from([(State::default(), 0)]),
            compared: HashSet::new(),
        };
        while let Some((state, steps)) = search.open.pop_front() {
            search.step(state, steps + 1).map_err(|what| (what, steps + 1))?;
        }
        Ok(search.seen.len())
    }

    fn step(&mut self, state: State, steps: usize) -> Result<(), String> {
        for client in 0..CLIENTS {
            if state.clients[client].asking {
                self.decide(state, client, steps)?;
            } else if state.clients[client].begun < self.rules.attempts[client] {
                self.begin(state, client, steps);
            }
        }
        for node in 0..NODES {
            // What two nodes alike do next is alike.
            if node > 0 && state.nodes[node] == state.nodes[node - 1] {
                continue;
            }
            for asker in 0..2 * CLIENTS {
                if state.nodes[node].coming & (1 << asker) != 0 {
                    self.deliver(state, node, asker, steps);
                }
            }
            self.run_out(state, node, steps);
        }
        Ok(())
    }

    fn push(&mut self, mut state: State, steps: usize) {
        state.nodes.sort_unstable();
        for asker in 0..2 * CLIENTS {
            if state.nodes.iter().all(|node| node.coming & (1 << asker) == 0) {
                state.requests[asker] = Request::default();
            }
        }
        if self.seen.insert(state) {
            self.open.push_back((state, steps));
        }
    }

    /// A client asks all nodes, with the first number of its own above all that it has heard of.
    fn begin(&mut self, state: State, client: usize, steps: usize) {
        let Client { begun, known, .. } = state.clients[client];
        // One of each two numbers is each client's.
        let token = (known / 2 + 1) * 2 + u8::try_from(client).unwrap();
        let asker = 2 * client + usize::from(begun);
        let highest = u8::try_from(31 - (state.granted | 1).leading_zeros()).unwrap();
        for shared in [false, true] {
            if shared && !self.rules.shared {
                continue;
            }
            let mut next = state;
            next.requests[asker] = Request { token, shared };
            next.nodes.iter_mut().for_each(|node| node.coming |= 1 << asker);
            next.clients[client] = Client {
                begun: begun + 1,
                known: token,
                asking: true,
                is_shared: shared,
                votes: 0,
                count: 0,
                floors: (highest, state.shared),
            };
            self.push(next, steps);
        }
    }

    /// A client gives up, also if the answers that it needs are only lost; with a majority it holds the lock, for a time that
    /// does not matter here.
    fn decide(&mut self, state: State, client: usize, steps: usize) -> Result<(), String> {
        let Client {
            begun,
            known,
            is_shared,
            votes,
            count,
            floors: (alone, shared),
            ..
        } = state.clients[client];
        let mut next = state;
        next.clients[client] = Client {
            begun,
            known,
            ..Client::default()
        };
        self.push(next, steps);
        if usize::from(votes) < QUORUM {
            return Ok(());
        }
        let token = count;
        if state.granted & (1 << token) != 0 || (!is_shared && state.shared == token) {
            return Err(format!("the token {token} was granted before"));
        }
        let floor = if is_shared { alone } else { alone.max(shared) };
        if token <= floor {
            return Err(format!("the token {token} comes after {floor}"));
        }
        if is_shared {
            next.shared = next.shared.max(token);
        } else {
            next.granted |= 1 << token;
        }
        self.push(next, steps);
        Ok(())
    }

    /// A request comes to its node, and its answer comes back. One that is lost is one that never comes.
    fn deliver(&mut self, state: State, node: usize, asker: usize, steps: usize) {
        let mut next = state;
        let request = state.requests[asker];
        next.nodes[node].coming &= !(1 << asker);
        let before = next.nodes[node];
        let answer = next.nodes[node].acquire(self.rules.scheme, request);
        if self.rules.scheme == Scheme::Ballot && self.compared.insert((before, request)) {
            compare(before, request, answer);
        }
        let client = &mut next.clients[asker / 2];
        let is_awaited = client.asking && usize::from(client.begun) == asker % 2 + 1;
        match answer {
            Answer::Granted(token) if is_awaited => {
                client.votes += 1;
                client.count = client.count.max(token);
            }
            Answer::Outdated(stored) => client.known = client.known.max(stored),
            _ => {}
        }
        self.push(next, steps);
    }

    /// The votes of a node run out, or it forgets even the tokens.
    fn run_out(&mut self, state: State, node: usize, steps: usize) {
        let mut next = state;
        (next.nodes[node].alone, next.nodes[node].readers) = (false, false);
        self.push(next, steps);
        if state.forgotten < self.rules.forgets {
            let mut next = state;
            next.nodes[node] = Node {
                coming: state.nodes[node].coming,
                ..Node::default()
            };
            next.forgotten += 1;
            self.push(next, steps);
        }
    }
}

/// The real table answers as the modelled node does.
fn compare(node: Node, request: Request, answer: Answer) {
    let at = Duration::from_secs;
    let ask = |by: u8, token: u8, ttl: u64, shared: bool| {
        let token = FencingToken::from_u64(u64::from(token));
        let mode = if shared {
            LockMode::Shared
        } else {
            LockMode::Exclusive
        };
        Acquire::new("k", Owner::from_bytes([by; 20]), token, at(ttl)).mode(mode)
    };
    let mut table = LockTable::new();
    // The same state: tokens of votes that have run out, and the votes there are.
    if node.token > 0 {
        let ttl = if node.alone { 100 } else { 1 };
        assert_eq!(
            table.acquire(&ask(1, node.token, ttl, false), at(1)),
            Vote::Granted
        );
    }
    if node.shared_token > 0 {
        let ttl = if node.readers { 100 } else { 1 };
        assert_eq!(
            table.acquire(&ask(2, node.shared_token, ttl, true), at(3)),
            Vote::Granted
        );
    }
    let vote = table.acquire(&ask(3, request.token, 5, request.shared), at(5));
    let same = match (answer, vote) {
        (Answer::Granted(_), Vote::Granted) | (Answer::Taken, Vote::Held { .. } | Vote::Taken { .. }) => true,
        (Answer::Outdated(token), Vote::Outdated { stored }) => stored.as_u64() == u64::from(token),
        _ => false,
    };
    assert!(
        same,
        "{node:?}, asked {request:?}: {answer:?}, but the table says {vote:?}"
    );
}

const BALLOTS: Rules = Rules {
    scheme: Scheme::Ballot,
    attempts: [2, 1],
    shared: false,
    forgets: 0,
};

/// More attempts in a soak (`LARDER_SOAK_SECONDS`): 1.8 million states where each client asks twice.
fn in_a_soak(attempts: [u8; CLIENTS], otherwise: [u8; CLIENTS]) -> [u8; CLIENTS] {
    if std::env::var_os("LARDER_SOAK_SECONDS").is_some() {
        attempts
    } else {
        otherwise
    }
}

#[test]
fn ballots_are_unique_and_in_order_whatever_happens() {
    let attempts = in_a_soak([2, 2], [2, 1]);
    let states = Search::run(Rules { attempts, ..BALLOTS }).unwrap();
    println!("{states} states");
    assert!(states > 10_000, "{states}");
}

#[test]
fn so_they_are_among_those_who_share_and_those_who_do_not() {
    let rules = Rules {
        shared: true,
        attempts: in_a_soak([2, 1], [1, 1]),
        ..BALLOTS
    };
    let states = Search::run(rules).unwrap();
    println!("{states} states");
    assert!(states > 5_000, "{states}");
}

#[test]
fn the_maximum_of_counters_alone_is_neither() {
    let rules = Rules {
        scheme: Scheme::MaximumOnly,
        attempts: [2, 2],
        ..BALLOTS
    };
    let (what, steps) = Search::run(rules).unwrap_err();
    println!("after {steps} steps: {what}");
}

#[test]
fn a_node_that_forgets_needs_its_quarantine_and_clocks() {
    let (what, steps) = Search::run(Rules {
        forgets: 1,
        ..BALLOTS
    })
    .unwrap_err();
    println!("after {steps} steps: {what}");
}
