//! Runs one case: a gateway with a cache and a clock of its own, in front of an origin of its own.

mod build;
mod case;
mod client;
mod dates;
mod judge;
mod origin;
pub(crate) mod shapes;
mod wire;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use gateway::{Config, Gateway};
use larder::{FakeClock, Larder, MemoryStore, Profile};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) use self::build::case;
use self::case::{Ask, Pause, Script, Source, Step};
pub(crate) use self::case::{Case, Delivery};
use self::client::Answer;
use self::judge::{Evidence, clipped, names};
use self::origin::{ASIDE, Gate, Origin, Reply, Seen};

/// How long a case may take: many times what the slowest needs on a busy machine.
const DEADLINE: Duration = Duration::from_secs(10);

/// The host that requests name.
pub(crate) const HOST: &str = "gateway.test";

/// Runs a case, and tells its story when something is not as expected.
pub(crate) fn run(case: &Case, profile: Profile) -> Result<(), String> {
    let story = Story::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let played = runtime.block_on(async {
        let play = async { Run::start(profile, story.clone()).await.play(case).await };
        tokio::time::timeout(DEADLINE, play)
            .await
            .unwrap_or_else(|_| Err("it hangs".to_owned()))
    });
    played.map_err(|problem| format!("{problem}\n{}", story.text()))
}

/// What happened so far.
#[derive(Debug, Clone, Default)]
struct Story(Arc<Mutex<String>>);

impl Story {
    fn tell(&self, text: &str) {
        let mut story = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(story, "{text}");
    }

    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A request whose answer is still to come.
#[derive(Debug)]
struct Pending<'a> {
    ask: &'a Ask,
    answer: JoinHandle<Result<Answer, String>>,
    gate: Option<Gate>,
    /// How many requests the origin had seen before it.
    before: usize,
    /// What the origin saw because of it, where others followed before it was released.
    seen: Option<Vec<Seen>>,
    own: Reply,
}

struct Run {
    clock: FakeClock,
    larder: Larder,
    origin: Origin,
    gateway: SocketAddr,
    story: Story,
    /// What the origin would answer, or answered, to each request.
    replies: HashMap<usize, Reply>,
    /// The reply that is expected of a hit.
    latest: Option<Reply>,
    /// Gates of requests in the background.
    behind: HashMap<usize, Gate>,
    is_down: bool,
}

impl Run {
    async fn start(profile: Profile, story: Story) -> Self {
        let origin = Origin::start().await;
        let clock = FakeClock::new();
        // Dates have whole seconds, so that ages are whole where the clock stands at one.
        let part = clock.clock().now().as_millis() % 1000;
        clock.advance(Duration::from_millis(1000 - part));
        let larder = Larder::builder(MemoryStore::with_capacity(16 << 20))
            .clock(clock.clock())
            .build();
        let uri = format!("http://{}", origin.address).parse().expect("a URI");
        let config = Config::new(uri).expect("a configuration").profile(profile);
        let gateway = Gateway::new(config, larder.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(gateway.serve(listener, std::future::pending()));
        Self {
            clock,
            larder,
            origin,
            gateway: address,
            story,
            replies: HashMap::new(),
            latest: None,
            behind: HashMap::new(),
            is_down: false,
        }
    }

    async fn play(mut self, case: &Case) -> Result<(), String> {
        let mut pending = HashMap::new();
        let mut number = 0;
        for step in &case.steps {
            match step {
                Step::Wait(seconds) => {
                    self.story.tell(&format!("--- {seconds} s later"));
                    self.clock.advance(Duration::from_secs(*seconds));
                }
                Step::Down => {
                    self.story.tell("--- the origin is gone");
                    self.origin.stop().await;
                    self.is_down = true;
                }
                Step::Release(number) => {
                    self.story.tell(&format!("--- {number} is let on"));
                    self.release(*number, pending.remove(number)).await?;
                }
                Step::Ask(ask) => {
                    number += 1;
                    let mut started = self.begin(number, ask);
                    if matches!(ask.pause, Pause::Held | Pause::Waiting) {
                        self.settle(&mut started).await?;
                        pending.insert(number, started);
                    } else {
                        self.finish(number, started).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends a request.
    fn begin<'a>(&mut self, number: usize, ask: &'a Ask) -> Pending<'a> {
        let gate = (ask.pause == Pause::Held).then(Gate::new);
        let own = self.reply(&ask.script, number.to_string(), gate.clone());
        let behind = ask.behind.as_ref().map(|script| {
            let gate = (ask.pause == Pause::HeldBehind).then(Gate::new);
            self.behind.extend(gate.iter().map(|gate| (number, gate.clone())));
            self.reply(script, format!("{number}-behind"), gate)
        });
        self.origin.will([behind.clone().unwrap_or_else(|| own.clone())]);
        self.replies.insert(number, own.clone());
        let request = self.request(ask);
        self.story
            .tell(&format!("--- {number} asks\n{}", clipped(&request)));
        let before = self.origin.count();
        let answer = tokio::spawn(client::ask(self.gateway, request));
        Pending {
            ask,
            answer,
            gate,
            before,
            seen: None,
            own: behind.unwrap_or(own),
        }
    }

    /// Waits until a request is where it waits.
    async fn settle(&self, pending: &mut Pending<'_>) -> Result<(), String> {
        match &pending.gate {
            Some(gate) => {
                gate.reached().await;
                pending.seen = Some(self.origin.since(pending.before));
            }
            // Whoever asks after it is answered after the gateway looked at it: all run on one thread.
            None => {
                for _ in 0..3 {
                    let aside = format!("GET {ASIDE} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
                    client::ask(self.gateway, aside).await?;
                }
            }
        }
        Ok(())
    }

    async fn release(&mut self, number: usize, pending: Option<Pending<'_>>) -> Result<(), String> {
        if let Some(gate) = self.behind.remove(&number) {
            gate.open();
            self.larder.idle().await;
        }
        let Some(pending) = pending else { return Ok(()) };
        if let Some(gate) = &pending.gate {
            gate.open();
        }
        self.finish(number, pending).await
    }

    /// Reads the answer, and judges it.
    async fn finish(&mut self, number: usize, pending: Pending<'_>) -> Result<(), String> {
        let Pending {
            ask,
            answer,
            before,
            seen,
            own,
            ..
        } = pending;
        let answer = answer
            .await
            .map_err(|error| format!("{number}: {error}"))?
            .map_err(|problem| format!("{number}: {problem}"))?;
        match self.behind.get(&number) {
            Some(gate) => gate.reached().await,
            None if self.behind.is_empty() => self.larder.idle().await,
            None => {}
        }
        let seen = seen.unwrap_or_else(|| self.origin.since(before));
        self.tell(number, &answer, &seen);
        let expected = match ask.source {
            Source::Origin => Some(&self.replies[&number]),
            Source::Cache(of) | Source::Validated(of) | Source::StandIn(of) => {
                of.map_or(self.latest.as_ref(), |of| self.replies.get(&of))
            }
            Source::Own | Source::Reached | Source::Any => None,
        };
        let evidence = Evidence {
            ask,
            answer: &answer,
            seen: &seen,
            expected,
            now: self.now(),
            is_down: self.is_down,
        };
        let problems = evidence.problems();
        let stays = matches!(ask.source, Source::Validated(_) | Source::StandIn(_));
        let is_whole = !matches!(own.status, 206 | 304 | 500..);
        if !seen.is_empty() && ask.method == "GET" && !stays && is_whole {
            self.latest = Some(own);
        }
        match problems.as_slice() {
            [] => Ok(()),
            problems => Err(format!("{number}: {}", problems.join("; "))),
        }
    }

    fn tell(&self, number: usize, answer: &Answer, seen: &[Seen]) {
        for seen in seen {
            self.story.tell(&format!("    the origin saw {:?}", seen.head));
        }
        let head = &answer.head;
        self.story.tell(&format!(
            "--- {number} is answered\n{}\n{}\n\n{}{}",
            head.start,
            head.lines
                .iter()
                .map(|(name, value)| format!("{name}: {value}\n"))
                .collect::<String>(),
            clipped(&answer.body),
            if answer.whole { "" } else { " (cut short)" },
        ));
    }

    fn reply(&self, script: &Script, mark: String, gate: Option<Gate>) -> Reply {
        let now = self.now();
        let body = match (&script.body, script.status) {
            (_, 204 | 304) => String::new(),
            (Some(body), _) => body.clone(),
            (None, _) => format!("body {mark}"),
        };
        Reply {
            status: script.status,
            lines: script.lines.iter().map(|line| dates::fill(line, now)).collect(),
            body,
            delivery: script.delivery,
            gate,
            mark,
        }
    }

    fn request(&self, ask: &Ask) -> String {
        let now = self.now();
        if let Some(raw) = &ask.raw {
            return dates::fill(raw, now);
        }
        let mut request = format!("{} {} HTTP/1.1\r\n", ask.method, ask.target);
        if !names(&ask.lines, "host") {
            let _ = write!(request, "Host: {HOST}\r\n");
        }
        for line in &ask.lines {
            let _ = write!(request, "{}\r\n", dates::fill(line, now));
        }
        match &ask.body {
            Some(body) => {
                let _ = write!(request, "Content-Length: {}\r\n\r\n{body}", body.len());
            }
            None => request.push_str("\r\n"),
        }
        request
    }

    /// Seconds.
    fn now(&self) -> u64 {
        let millis = self.clock.clock().now().as_millis();
        let since = UNIX_EPOCH + Duration::from_millis(millis);
        since.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
    }
}
