//! What is sent: the phases of the flood, and the hot set that is asked for meanwhile.

use std::fmt::Write as _;

/// How large a flood is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Unique queries; the other phases have their share of this number.
    pub(crate) queries: u64,
    /// The gateway's `--memory-mb`.
    pub(crate) memory_mb: u64,
    /// URLs that are asked for all the time.
    pub(crate) hot: u64,
    /// Connections that send.
    pub(crate) connections: usize,
    /// And where there are to be many.
    pub(crate) many: usize,
}

impl Size {
    /// A few seconds of an unoptimised build; it fills the memory several times over all the same.
    pub(crate) const SMALL: Self = Self {
        queries: 8_000,
        memory_mb: 2,
        hot: 100,
        connections: 16,
        many: 100,
    };

    /// What `cargo x soak` sends.
    pub(crate) const fn full(queries: u64) -> Self {
        Self {
            queries,
            memory_mb: 64,
            hot: 1_000,
            connections: 64,
            many: 1_000,
        }
    }
}

/// One kind of flood. Of its requests one in four is for the hot set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) requests: u64,
    pub(crate) connections: usize,
    /// Connections that do nothing meanwhile.
    pub(crate) idle: usize,
    nth: fn(u64) -> Request,
}

impl Phase {
    /// The request with this number.
    pub(crate) fn request(&self, n: u64, size: &Size) -> Request {
        // Four requests that follow each other are one to the hot set and three of the flood, whose numbers have no gaps.
        if n % 4 == 3 {
            hot(dice(n), size)
        } else {
            (self.nth)(n - n / 4)
        }
    }
}

/// What each phase sends beside the hot set, with the requests for the hot set counted.
pub(crate) fn phases(size: &Size) -> Vec<Phase> {
    let phase = |name, share: u64, nth| Phase {
        name,
        requests: (size.queries / share) * 4 / 3,
        connections: size.connections,
        idle: 0,
        nth,
    };
    vec![
        phase("unique queries", 1, query),
        phase("values of a varied field", 100, value),
        phase("lists of varied fields", 50, list),
        phase("rules of search variance", 50, search),
        phase("tags", 20, tags),
        phase("invalidations", 10, invalidation),
        Phase {
            connections: size.many,
            ..phase("slow flights", 50, slow)
        },
        phase("not to be kept", 50, not_kept),
        Phase {
            idle: size.many,
            ..phase("idle connections", 50, query_again)
        },
        phase("all at once", 10, any),
    ]
}

/// A request, as it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) lines: Vec<(String, String)>,
}

impl Request {
    fn get(target: String) -> Self {
        Self {
            method: "GET".to_owned(),
            target,
            lines: Vec::new(),
        }
    }

    fn post(target: String) -> Self {
        Self {
            method: "POST".to_owned(),
            ..Self::get(target)
        }
        .with("content-length", "0")
    }

    fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.lines.push((name.into(), value.into()));
        self
    }

    pub(crate) fn is_hot(&self) -> bool {
        self.target.starts_with("/hot/")
    }

    /// The value of a field; empty where there is none.
    pub(crate) fn value(&self, name: &str) -> &str {
        let line = self.lines.iter().find(|(other, _)| other == name);
        line.map_or("", |(_, value)| value)
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("{} {} HTTP/1.1\r\nhost: flood.test\r\n", self.method, self.target);
        for (name, value) in &self.lines {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        text + "\r\n"
    }
}

/// Numbers that look like chance, and are the same in every run.
fn dice(n: u64) -> u64 {
    let mixed = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// One of the hot set.
pub(crate) fn hot(n: u64, size: &Size) -> Request {
    Request::get(format!("/hot/{}", n % size.hot))
}

/// The longest head of a request, in bytes, at least.
pub(crate) const HEAD: usize = 10_000;

/// A request with the longest head.
pub(crate) fn large(n: u64) -> Request {
    Request::get(format!("/query?large={n}&pad={}", "p".repeat(HEAD)))
}

fn query(n: u64) -> Request {
    match n % 100 {
        7 => large(n),
        _ => Request::get(format!("/query?n={n}")),
    }
}

/// As attackers do who have seen that what was asked for twice stays longer.
fn query_again(n: u64) -> Request {
    Request::get(format!("/query?again={}", n / 2))
}

/// One URL, by one field.
fn value(n: u64) -> Request {
    Request::get("/vary".to_owned())
        .with("x-list", "0")
        .with("x-0", n.to_string())
}

/// A few URLs, each by lists of fields that differ from answer to answer.
fn list(n: u64) -> Request {
    let list = dice(n) % 40;
    Request::get(format!("/vary?{}", n % 5))
        .with("x-list", list.to_string())
        .with(format!("x-{list}"), n.to_string())
}

/// Two paths, by rules that differ from answer to answer.
fn search(n: u64) -> Request {
    let rule = dice(n) % 40;
    Request::get(format!("/search/{}?x={n}&rule={rule}&junk={}", n % 2, dice(n)))
}

fn tags(n: u64) -> Request {
    Request::get(format!("/tags?{n}"))
}

/// Of what is there and of what is not.
fn invalidation(n: u64) -> Request {
    match n % 4 {
        0 => Request::post(format!("/query?n={}", dice(n) % (n + 1))),
        1 => Request::post(format!("/posted/{}", dice(n))),
        2 => Request::post(format!("/tags?{}", n / 4)),
        _ => tags(n / 4),
    }
}

/// Several ask for the same before it is there.
pub(crate) fn slow(n: u64) -> Request {
    let Request { target, .. } = large(n / 4);
    Request::get(target.replacen("/query", "/slow", 1))
}

fn not_kept(n: u64) -> Request {
    let kind = match n % 100 {
        0 => "too-large",
        1..20 => "chunked",
        20..40 => "private",
        _ => "no-store",
    };
    Request::get(format!("/{kind}/{n}"))
}

fn any(n: u64) -> Request {
    let kinds = [query, value, list, search, tags, invalidation, not_kept];
    let kind = usize::try_from(dice(n) % 7).unwrap_or_default();
    // Numbers that no phase before had.
    kinds[kind](n + 1_000_000_000)
}
