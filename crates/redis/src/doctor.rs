//! What is amiss with the servers, and what to change.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use larder_store::{Finding, Severity, StoreError, StoreErrorKind};
use redis::{Cmd, Value};
use tokio::time::{Instant, timeout};

use crate::feed::Coherence;
use crate::link::{Link, Live};
use crate::server::field;

/// What is known of the servers.
#[derive(Debug, Default)]
struct Facts {
    /// The answer to `INFO`.
    info: String,
    /// The answer to `CLUSTER INFO`, of a Cluster.
    cluster: Option<String>,
    /// How long a `PING` took, in the middle of several.
    latency: Duration,
    /// How long one may take.
    budget: Duration,
    /// By how much the clock of the server is not this machine's.
    clocks_differ: Duration,
    /// Whether `min-replicas-to-write` is more than none, where that is told.
    waits_for_replicas: Option<bool>,
    /// Whether the server knows RESP3, where it is needed; and whether it is heard.
    listens: Option<(bool, bool)>,
    /// Of how many Sentinels how many answered.
    sentinels: Option<(usize, usize)>,
    /// What is connected by somebody else, and connects again by itself.
    connects_by_itself: bool,
}

/// So many times the server is asked how long it takes.
const PINGS: usize = 11;
/// How long each question may take.
const LIMIT: Duration = Duration::from_secs(2);
/// A primary that lost its replicas takes writes that are lost; the first version whose scripts may run on a full server.
const SINCE: u32 = 7;

/// Asks the server, and says what is amiss. Each question has a limit of 2 s.
pub(crate) async fn examine(link: Arc<Link>, coherence: Coherence) -> Vec<Finding> {
    let Ok(live) = timeout(LIMIT, link.wait()).await else {
        return vec![unreachable(&link)];
    };
    match facts(&link, &live, coherence).await {
        Ok(facts) => findings(&facts),
        Err(error) => {
            let text = format!("{} does not say what it is: {error}", link.address);
            vec![Finding::new(Severity::Problem, "silent", text)]
        }
    }
}

fn unreachable(link: &Link) -> Finding {
    let why = link.failure().map_or_else(
        || "it gave no answer in time".to_owned(),
        |error| error.to_string(),
    );
    let text = format!(
        "{} cannot be used, and nothing is cached: {why}. Check the address, the credentials and the network",
        link.address
    );
    Finding::new(Severity::Problem, "unreachable", text)
}

async fn facts(link: &Link, live: &Live, coherence: Coherence) -> Result<Facts, StoreError> {
    let mut facts = Facts {
        info: text(ask(live, &redis::cmd("INFO")).await?)?,
        budget: link.budget.operation,
        sentinels: link.source.sentinels(LIMIT).await,
        connects_by_itself: live.server.connects_by_itself(),
        ..Facts::default()
    };
    if field(&facts.info, "cluster_enabled") == Some("1") {
        let mut cluster = redis::cmd("CLUSTER");
        facts.cluster = Some(text(ask(live, cluster.arg("INFO")).await?)?);
    }
    let mut pings = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let began = Instant::now();
        ask(live, &redis::cmd("PING")).await?;
        pings.push(began.elapsed());
    }
    pings.sort();
    facts.latency = pings[PINGS / 2];
    // Not everybody may ask for the time, and for settings.
    let time = ask(live, &redis::cmd("TIME")).await;
    facts.clocks_differ = time.map_or(Duration::ZERO, |time| clocks_differ(&time));
    let mut config = redis::cmd("CONFIG");
    let asked = ask(live, config.arg("GET").arg("min-replicas-to-write")).await;
    facts.waits_for_replicas = asked
        .ok()
        .and_then(|value| setting(&value))
        .map(|value| value != "0");
    if coherence.bound().is_some() {
        let knows = field(&facts.info, "redis_version").is_some_and(|version| major(version) >= 6);
        facts.listens = Some((knows, link.board.as_ref().is_some_and(crate::board::Board::is_up)));
    }
    Ok(facts)
}

async fn ask(live: &Live, command: &Cmd) -> Result<Value, StoreError> {
    let late = || StoreError::new(StoreErrorKind::Timeout, "no answer within 2 s");
    timeout(LIMIT, live.server.ask(command))
        .await
        .unwrap_or_else(|_| Err(late()))
}

fn text(value: Value) -> Result<String, StoreError> {
    redis::from_redis_value(value)
        .map_err(|error| StoreError::new(StoreErrorKind::Protocol, error.to_string()))
}

/// How far the answer to `TIME` is from now; nothing where it is none.
fn clocks_differ(answer: &Value) -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = match answer {
        Value::Array(parts) => parts.first(),
        _ => None,
    };
    let seconds = seconds.and_then(|seconds| redis::from_redis_value_ref::<u64>(seconds).ok());
    let said = seconds.map(Duration::from_secs);
    said.zip(now.ok())
        .map_or(Duration::ZERO, |(said, now)| said.abs_diff(now))
}

/// The value in the answer to `CONFIG GET` of one name.
fn setting(answer: &Value) -> Option<String> {
    let value = match answer {
        Value::Array(pair) => pair.get(1)?,
        Value::Map(pairs) => &pairs.first()?.1,
        _ => return None,
    };
    match value {
        Value::BulkString(value) => String::from_utf8(value.clone()).ok(),
        Value::SimpleString(value) => Some(value.clone()),
        _ => None,
    }
}

fn major(version: &str) -> u32 {
    version
        .split('.')
        .next()
        .and_then(|version| version.parse().ok())
        .unwrap_or(0)
}

fn findings(facts: &Facts) -> Vec<Finding> {
    let all = [
        version(facts),
        eviction(facts),
        persistence(facts),
        latency(facts),
        clock(facts),
        listening(facts),
        replicas(facts),
        cluster(facts),
        sentinels(facts),
        connection(facts),
    ];
    let mut found: Vec<Finding> = all.into_iter().flatten().collect();
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    found
}

fn version(facts: &Facts) -> Option<Finding> {
    let said = field(&facts.info, "redis_version").unwrap_or("unknown");
    let (severity, text) = match major(said) {
        0..6 => (
            Severity::Problem,
            format!(
                "the server has version {said}, which is not tested and lacks what is needed: take Redis 7 or Valkey"
            ),
        ),
        6 => (
            Severity::Note,
            format!(
                "the server has version {said}: when it is full, an invalidation forgets everything, because its scripts \
                 may not run then. From {SINCE} on they may"
            ),
        ),
        _ => return None,
    };
    Some(Finding::new(severity, "version", text))
}

fn eviction(facts: &Facts) -> Option<Finding> {
    let number = |name| field(&facts.info, name).and_then(|value| value.parse::<u64>().ok());
    let policy = field(&facts.info, "maxmemory_policy").unwrap_or("noeviction");
    match number("maxmemory") {
        None => None,
        Some(0) => Some(Finding::new(
            Severity::Warning,
            "memory",
            "the server has no bound of its memory: what is cached grows until the machine has none left. Set `maxmemory`, \
             and `maxmemory-policy` to `allkeys-lru`",
        )),
        Some(_) if policy == "noeviction" => Some(Finding::new(
            Severity::Warning,
            "eviction",
            "`maxmemory-policy` is `noeviction`: a full server keeps nothing new. Set it to `allkeys-lru`, or to \
             `volatile-lru` where there is more on the server than a cache",
        )),
        Some(_) => None,
    }
}

fn persistence(facts: &Facts) -> Option<Finding> {
    let on = field(&facts.info, "aof_enabled") == Some("1");
    on.then(|| {
        let text = "the server writes down each change (`appendonly yes`), which is of no use here: after a restart nothing \
                    of before is believed. If there is nothing else on the server, set `appendonly no` and `save \"\"`";
        Finding::new(Severity::Note, "persistence", text)
    })
}

fn latency(facts: &Facts) -> Option<Finding> {
    let (took, may) = (facts.latency.as_secs_f64() * 1e3, facts.budget.as_millis());
    (facts.latency > facts.budget / 4).then(|| {
        let text = format!(
            "the server answers in {took:.1} ms, and an operation may take {may} ms: many will be given up. Bring the \
             server nearer, or raise the budget, which is what a request may wait"
        );
        Finding::new(Severity::Warning, "latency", text)
    })
}

/// The answer to `TIME` is cut to seconds, and comes late.
const CLOCKS: Duration = Duration::from_secs(5);

fn clock(facts: &Facts) -> Option<Finding> {
    (facts.clocks_differ > CLOCKS).then(|| {
        let text = format!(
            "the clock of the server and this machine's differ by {} s. What was forgotten stays so whatever clocks say; but \
             an entry is as old as the clock of who made it says, so that with clocks that differ it is served for too long or \
             too short. Keep them together by NTP",
            facts.clocks_differ.as_secs()
        );
        Finding::new(Severity::Warning, "clock", text)
    })
}

fn listening(facts: &Facts) -> Option<Finding> {
    let text = match facts.listens? {
        (_, true) => return None,
        (false, _) => {
            "the server does not know RESP3, so that it cannot be listened to, and every hit asks it: take Redis 6 \
                       or later"
        }
        (true, false) => {
            "the server is not heard to tell of changes, so that every hit asks it. This is so at first, until something \
             was looked up; if it lasts, the user of the connection may lack the right to `CLIENT TRACKING`, `SUBSCRIBE` and \
             `SET`, or `listen_at` names another server"
        }
    };
    Some(Finding::new(Severity::Warning, "listening", text))
}

fn replicas(facts: &Facts) -> Option<Finding> {
    let replicas: u32 = field(&facts.info, "connected_slaves")?.parse().ok()?;
    // A Cluster's primary that is cut off stops by itself.
    let is_lonely = facts.cluster.is_none() && replicas > 0 && facts.waits_for_replicas == Some(false);
    is_lonely.then(|| {
        let text = "a primary that is cut off from its replicas goes on taking invalidations, which are lost when one of \
                    them takes over. Set `min-replicas-to-write` to 1";
        Finding::new(Severity::Note, "replicas", text)
    })
}

fn cluster(facts: &Facts) -> Option<Finding> {
    let cluster = facts.cluster.as_ref()?;
    let state = field(cluster, "cluster_state").unwrap_or("unknown");
    let failed = field(cluster, "cluster_slots_fail").unwrap_or("0");
    let text = if state == "ok" && failed == "0" {
        return None;
    } else {
        format!(
            "the state of the cluster is `{state}`, and {failed} slots have no node that answers: their entries are misses, \
             and nothing is cached where the records are among them. Mend the nodes; `CLUSTER NODES` names them"
        )
    };
    Some(Finding::new(Severity::Problem, "cluster", text))
}

fn sentinels(facts: &Facts) -> Option<Finding> {
    let (all, answered) = facts.sentinels?;
    let (severity, text) = if answered < all {
        let text = format!(
            "of {all} Sentinels {answered} answer: without most of them nothing is cached. Mend the others, or name those \
             that there are"
        );
        (Severity::Warning, text)
    } else if all < 3 {
        let text = format!(
            "there are {all} Sentinels: when one is lost, nothing is cached, and no replica takes over. Have three, and \
             name them all"
        );
        (Severity::Note, text)
    } else {
        return None;
    };
    Some(Finding::new(severity, "sentinels", text))
}

fn connection(facts: &Facts) -> Option<Finding> {
    facts.connects_by_itself.then(|| {
        let text = "the connection was made elsewhere and connects again by itself: for half a second after a restart from \
                    a snapshot or a failover, entries that were forgotten may be served. Give the store a URL to have a \
                    connection of its own";
        Finding::new(Severity::Note, "connection", text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Facts with which nothing is amiss.
    fn healthy() -> Facts {
        let info = "redis_version:7.0.15\r\nmaxmemory:1000\r\nmaxmemory_policy:allkeys-lru\r\naof_enabled:0\r\n\
                    connected_slaves:1\r\n";
        Facts {
            info: info.to_owned(),
            latency: Duration::from_millis(1),
            budget: Duration::from_millis(40),
            waits_for_replicas: Some(true),
            listens: Some((true, true)),
            sentinels: Some((3, 3)),
            ..Facts::default()
        }
    }

    /// What is found after a change of these.
    fn found(change: impl FnOnce(&mut Facts)) -> Vec<(Severity, &'static str)> {
        let mut facts = healthy();
        change(&mut facts);
        findings(&facts)
            .iter()
            .map(|finding| (finding.severity, finding.name))
            .collect()
    }

    fn replaced(from: &'static str, to: &'static str) -> impl FnOnce(&mut Facts) {
        move |facts| {
            assert!(facts.info.contains(from));
            facts.info = facts.info.replace(from, to);
        }
    }

    #[test]
    fn each_thing_amiss_is_found_and_nothing_else() {
        use Severity::{Note, Problem, Warning};

        assert_eq!(found(|_| {}), []);
        assert_eq!(found(replaced("7.0.15", "6.2.1")), [(Note, "version")]);
        assert_eq!(found(replaced("7.0.15", "5.0")), [(Problem, "version")]);
        assert_eq!(
            found(replaced("maxmemory:1000", "maxmemory:0")),
            [(Warning, "memory")]
        );
        assert_eq!(
            found(replaced("allkeys-lru", "noeviction")),
            [(Warning, "eviction")]
        );
        assert_eq!(found(replaced("allkeys-lru", "volatile-ttl")), []);
        assert_eq!(
            found(replaced("aof_enabled:0", "aof_enabled:1")),
            [(Note, "persistence")]
        );
        assert_eq!(found(|facts| facts.latency *= 11), [(Warning, "latency")]);
        assert_eq!(found(|facts| facts.clocks_differ = CLOCKS), []);
        assert_eq!(
            found(|facts| facts.clocks_differ = 2 * CLOCKS),
            [(Warning, "clock")]
        );
        assert_eq!(
            found(|facts| facts.listens = Some((true, false))),
            [(Warning, "listening")]
        );
        assert_eq!(
            found(|facts| facts.listens = Some((false, false))),
            [(Warning, "listening")]
        );
        assert_eq!(found(|facts| facts.listens = None), []);
        assert_eq!(
            found(|facts| facts.waits_for_replicas = Some(false)),
            [(Note, "replicas")]
        );
        assert_eq!(
            found(|facts| facts.sentinels = Some((3, 2))),
            [(Warning, "sentinels")]
        );
        assert_eq!(
            found(|facts| facts.sentinels = Some((1, 1))),
            [(Note, "sentinels")]
        );
        assert_eq!(
            found(|facts| facts.connects_by_itself = true),
            [(Note, "connection")]
        );
        let cluster = |text: &'static str| move |facts: &mut Facts| facts.cluster = Some(text.to_owned());
        assert_eq!(found(cluster("cluster_state:ok\r\ncluster_slots_fail:0\r\n")), []);
        assert_eq!(found(cluster("cluster_state:fail\r\n")), [(Problem, "cluster")]);
        assert_eq!(
            found(cluster("cluster_state:ok\r\ncluster_slots_fail:9\r\n")),
            [(Problem, "cluster")]
        );
    }

    #[test]
    fn clocks_differ_by_what_the_server_says() {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let time = |seconds: u64| {
            let part = |number: u64| Value::BulkString(number.to_string().into_bytes());
            clocks_differ(&Value::Array(vec![part(seconds), part(7)]))
        };
        assert!(time(now.as_secs()) < CLOCKS);
        assert!(time(now.as_secs() - 60) > 50 * Duration::from_secs(1));
        assert!(time(now.as_secs() + 60) > 50 * Duration::from_secs(1));
        assert_eq!(clocks_differ(&Value::Nil), Duration::ZERO);
    }

    #[test]
    fn the_worst_is_said_first() {
        let found = found(|facts| {
            facts.waits_for_replicas = Some(false);
            facts.cluster = None;
            facts.latency *= 11;
            facts.info = facts.info.replace("7.0.15", "5.0");
        });
        assert_eq!(
            found.iter().map(|(_, name)| *name).collect::<Vec<_>>(),
            ["version", "latency", "replicas"]
        );
    }
}
