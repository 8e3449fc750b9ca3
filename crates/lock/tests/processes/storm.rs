//! A bout: servers, proxies and processes, and what is done to them.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use larder_lock::RedisNode;
use larder_testkit::{Fault, FaultProxy, RedisServer};

use crate::books::Books;
use crate::worker::{ASKED, TTL, now};

const SERVERS: usize = 5;
const WORKERS: usize = 5;

/// How long a bout is if the environment does not say.
const SECONDS: u64 = 5;

/// What is counted when so many servers hang, are killed and come back empty, or have clocks that jump, at the same moment.
const HUNG: [&str; 3] = ["1 server hung", "2 servers hung", "3 servers hung"];
const KILLED: [&str; 3] = ["1 server killed", "2 servers killed", "3 servers killed"];
const JUMPED: [&str; 3] = ["1 clock jumped", "2 clocks jumped", "3 clocks jumped"];

/// The other faults.
const HOLDER_STOPPED: &str = "holder stopped";
const PROCESS_KILLED: &str = "process killed";
const HOLDER_KILLED: &str = "holder killed";
const CUT_OFF: &str = "process cut off";

/// What may happen in a bout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bout {
    /// What the locks promise to stand.
    WithinThePromise,
    /// Also servers whose clocks jump: then two may hold the lock, but the fence holds all the same.
    ClocksJump,
}

impl Bout {
    /// Every fault that there is in it.
    pub(crate) fn faults(self) -> impl Iterator<Item = &'static str> {
        let jumps = JUMPED.into_iter().filter(move |_| self == Self::ClocksJump);
        [HOLDER_STOPPED, PROCESS_KILLED, HOLDER_KILLED, CUT_OFF]
            .into_iter()
            .chain(HUNG)
            .chain(KILLED)
            .chain(jumps)
    }
}

/// A process, and the ways by which it reaches the lock servers.
struct Worker {
    child: Child,
    proxies: Vec<FaultProxy>,
}

pub(crate) struct Storm {
    bout: Bout,
    servers: Vec<RedisServer>,
    counters: RedisServer,
    workers: Vec<Worker>,
    books: Books,
    told: Receiver<(u32, String)>,
    teller: Sender<(u32, String)>,
    /// A SplitMix64, so that a bout has every fault in some order of its own.
    chance: u64,
    /// What is to be undone, and when.
    mends: Vec<(Instant, Mend)>,
}

#[derive(Debug, Clone, Copy)]
enum Mend {
    Continue(u32),
    Server(usize),
    Restart(usize),
    Ways(usize),
}

impl Storm {
    pub(crate) fn run(bout: Bout) -> Books {
        let (teller, told) = channel();
        let mut storm = Self {
            bout,
            servers: (0..SERVERS).map(|_| RedisServer::start()).collect(),
            counters: RedisServer::start(),
            workers: Vec::new(),
            books: Books::default(),
            told,
            teller,
            chance: 1,
            mends: Vec::new(),
        };
        storm.commission();
        for _ in 0..WORKERS {
            let worker = storm.start();
            storm.workers.push(worker);
        }
        let soak = std::env::var("LARDER_SOAK_SECONDS").ok();
        let seconds = soak.as_ref().map_or(SECONDS, |seconds| seconds.parse().unwrap());
        let end = Instant::now() + Duration::from_secs(seconds);
        // A slow machine gets to every fault all the same.
        let limit = end + Duration::from_secs(60);
        let mut next = Instant::now() + TTL;
        while Instant::now() < end || (!storm.has_seen_enough(soak.is_some()) && Instant::now() < limit) {
            storm.listen(Duration::from_millis(5));
            storm.mend(Instant::now());
            if Instant::now() >= next {
                storm.strike();
                next = Instant::now() + Duration::from_millis(150 + storm.below(250));
            }
        }
        storm.close()
    }

    /// The servers are new.
    fn commission(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            for server in &self.servers {
                let node = RedisNode::builder(server.url()).max_ttl(TTL).build().unwrap();
                node.commission().await.unwrap();
            }
        });
    }

    fn start(&self) -> Worker {
        let proxies: Vec<FaultProxy> = self
            .servers
            .iter()
            .map(|server| FaultProxy::before(server.addr()))
            .collect();
        let ways = proxies.iter().map(|proxy| format!("redis://{}/", proxy.addr()));
        let urls: Vec<String> = ways.chain([self.counters.url()]).collect();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "worker", "--nocapture"])
            .env(ASKED, urls.join(","))
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let (process, out) = (child.id(), child.stdout.take().unwrap());
        let teller = self.teller.clone();
        // Ends with the process, whose output ends then.
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if let Some(line) = line.strip_prefix('@') {
                    let _ = teller.send((process, line.to_owned()));
                }
            }
        });
        Worker { child, proxies }
    }

    /// Takes down what is told within this time.
    fn listen(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            match self
                .told
                .recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                Ok((process, line)) => {
                    // Somebody has the lock: now and then it is stopped in the middle of its work.
                    if self.books.take_down(process, &line) && self.below(12) == 0 {
                        self.stop_holder(process);
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn stop_holder(&mut self, process: u32) {
        let alive = self.workers.iter().any(|worker| worker.child.id() == process);
        if alive {
            self.books.count(HOLDER_STOPPED);
            signal("STOP", process);
            let time = TTL / 2 + Duration::from_millis(self.below(1_200));
            self.mends.push((Instant::now() + time, Mend::Continue(process)));
        }
    }

    /// Whether there were holds and losses; in a soak also whether there was every fault.
    fn has_seen_enough(&self, soak: bool) -> bool {
        let summary = self.books.summary();
        let enough = summary.holds > 30 && summary.refused > 0 && summary.lost_bare > 0;
        enough && (!soak || self.bout.faults().all(|fault| summary.has_seen(fault)))
    }

    fn strike(&mut self) {
        let kinds = if self.bout == Bout::ClocksJump { 7 } else { 5 };
        match self.below(kinds) {
            0 => self.kill_a_worker(),
            1 => self.stop_servers(),
            2 => self.restart_servers(),
            3 | 4 => self.cut_a_worker_off(),
            _ => self.jump(),
        }
    }

    fn kill_a_worker(&mut self) {
        let place = self.pick(WORKERS);
        let process = self.workers[place].child.id();
        let holds = self.books.holds(process, now());
        self.books
            .count(if holds { HOLDER_KILLED } else { PROCESS_KILLED });
        self.workers[place].child.kill().unwrap();
        self.workers[place].child.wait().unwrap();
        let died = now();
        // Its successor first: what the dead one told last is no reason to stop it.
        self.workers[place] = self.start();
        self.listen(Duration::from_millis(5));
        self.books.died(process, died);
        self.mends
            .retain(|(_, mend)| !matches!(mend, Mend::Continue(other) if *other == process));
    }

    /// One, two or three servers hang for a while.
    fn stop_servers(&mut self) {
        let (first, count) = (self.pick(SERVERS), 1 + self.pick(3));
        let until = Instant::now() + Duration::from_millis(50 + self.below(600));
        let struck = self.idle(first, count);
        for &server in &struck {
            self.servers[server].stop();
            self.mends.push((until, Mend::Server(server)));
        }
        self.books.count_servers(&HUNG, struck.len());
    }

    /// One, two or three servers are killed, and come back empty.
    fn restart_servers(&mut self) {
        let (first, count) = (self.pick(SERVERS), 1 + self.pick(3));
        let until = Instant::now() + Duration::from_millis(self.below(300));
        let struck = self.idle(first, count);
        for &server in &struck {
            self.servers[server].kill();
            self.mends.push((until, Mend::Restart(server)));
        }
        self.books.count_servers(&KILLED, struck.len());
    }

    fn cut_a_worker_off(&mut self) {
        let place = self.pick(WORKERS);
        let faults = [
            Fault::Stall,
            Fault::LoseAnswers,
            Fault::Refuse,
            Fault::Delay(Duration::from_millis(20)),
        ];
        for server in 0..SERVERS {
            if self.below(2) == 0 {
                let fault = faults[self.pick(faults.len())].clone();
                self.workers[place].proxies[server].set(fault);
            }
        }
        self.books.count(CUT_OFF);
        let until = Instant::now() + Duration::from_millis(50 + self.below(700));
        self.mends.push((until, Mend::Ways(place)));
    }

    /// The clocks of one to three servers jump ahead: everything there has as much less time left.
    fn jump(&mut self) {
        let script = "for _, key in ipairs(redis.call('KEYS', '*')) do \
                      local left = redis.call('PTTL', key) \
                      if left >= 0 then redis.call('PEXPIRE', key, left - ARGV[1]) end end";
        let (first, count) = (self.pick(SERVERS), 1 + self.pick(3));
        let struck = self.idle(first, count);
        for &server in &struck {
            self.servers[server].cli(&["EVAL", script, "0", &(TTL * 2).as_millis().to_string()]);
        }
        self.books.count_servers(&JUMPED, struck.len());
    }

    /// Those of `count` servers from `first` on that are neither hung nor dead.
    fn idle(&self, first: usize, count: usize) -> Vec<usize> {
        let is_busy = |server: &usize| {
            self.mends.iter().any(
                |(_, mend)| matches!(mend, Mend::Server(other) | Mend::Restart(other) if other == server),
            )
        };
        (first..first + count)
            .map(|number| number % SERVERS)
            .filter(|server| !is_busy(server))
            .collect()
    }

    fn mend(&mut self, now: Instant) {
        let due: Vec<Mend> = self
            .mends
            .extract_if(.., |(at, _)| *at <= now)
            .map(|(_, mend)| mend)
            .collect();
        for mend in due {
            match mend {
                Mend::Continue(process) => signal("CONT", process),
                Mend::Server(server) => self.servers[server].cont(),
                Mend::Restart(server) => self.servers[server].restart(),
                Mend::Ways(place) => {
                    self.workers[place]
                        .proxies
                        .iter()
                        .for_each(|proxy| proxy.set(Fault::None));
                }
            }
        }
    }

    fn close(mut self) -> Books {
        self.mend(Instant::now() + Duration::from_secs(3600));
        for worker in &mut self.workers {
            worker.child.kill().unwrap();
            worker.child.wait().unwrap();
        }
        self.listen(Duration::from_millis(50));
        std::mem::take(&mut self.books)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ (z >> 27)) % limit
    }

    fn pick(&mut self, of: usize) -> usize {
        usize::try_from(self.below(u64::try_from(of).unwrap())).unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Gone already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The shell's own `kill`: the program of that name is not on every system.
fn signal(name: &str, process: u32) {
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -{name} {process}")])
        .status();
    assert!(sent.unwrap().success(), "kill -{name} {process}");
}
