//! One case: what is asked, what the origin answers, and what is expected. All of it is data.

use larder::Profile;

/// A case; its name begins with the section that rules.
#[derive(Debug, Clone)]
#[must_use]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) profiles: &'static [Profile],
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Ask(Box<Ask>),
    /// The clock moves on by so many seconds.
    Wait(u64),
    /// The held request with this number, counted from 1, is let on, and its answer is read.
    Release(usize),
    /// The origin is gone: its port is closed.
    Down,
}

/// A request, what the origin answers, and what is expected.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) lines: Vec<String>,
    pub(crate) body: Option<String>,
    /// The whole request, where it is one that the other fields cannot make.
    pub(crate) raw: Option<String>,
    pub(crate) script: Script,
    /// What the origin answers to a request in the background.
    pub(crate) behind: Option<Script>,
    pub(crate) pause: Pause,
    pub(crate) source: Source,
    pub(crate) checks: Vec<Check>,
}

/// What the origin answers, before the dates are filled in.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) status: u16,
    pub(crate) lines: Vec<String>,
    pub(crate) body: Option<String>,
    pub(crate) delivery: Delivery,
}

impl Script {
    pub(crate) fn new(status: u16, lines: &str) -> Self {
        let mut lines = parted(lines);
        if !lines.iter().any(|line| line.starts_with("Date:")) {
            lines.insert(0, "Date: {date}".to_owned());
        }
        Self {
            status,
            lines,
            body: None,
            delivery: Delivery::Whole,
        }
    }
}

/// How the origin sends what it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Whole,
    Chunked,
    /// The end of the connection is the end of the body.
    UntilClose,
    /// The body ends before its length.
    Cut,
    /// The body ends without its last chunk.
    CutChunk,
    /// The connection is closed in the place of an answer.
    Close,
    /// Where the reply waits, it does so after its head.
    HeadFirst,
}

/// Whether the case goes on before the answer is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pause {
    None,
    /// The origin holds its answer until the request is released.
    Held,
    /// It waits for another request's answer.
    Waiting,
    /// The request behind it is held.
    HeldBehind,
}

/// Where the answer comes from. A number is that of the request, counted from 1, whose answer it is; without one it
/// is the last that the origin gave to a GET.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// From the origin, which saw one request.
    Origin,
    /// From the cache; the origin saw nothing.
    Cache(Option<usize>),
    /// From the cache; the origin saw one conditional request, and answered 304.
    Validated(Option<usize>),
    /// From the cache, in the place of an origin that failed.
    StandIn(Option<usize>),
    /// The gateway's own; the origin saw nothing, or failed.
    Own,
    /// Whatever it is, the origin saw a request.
    Reached,
    /// The origin may have been asked or not.
    Any,
}

/// What else is expected.
#[derive(Debug, Clone)]
pub(crate) enum Check {
    Status(Vec<u16>),
    Has(String),
    Lacks(String),
    /// The values of a field's lines, in their order.
    Lines(String, Vec<String>),
    /// The field's lines, as one list, begin so.
    Starts(String, String),
    Body(String),
    Contains(String),
    /// The body has so many bytes at most.
    AtMost(usize),
    /// The body was cut short, or the gateway says 502.
    Broken,
    /// A line of the request that the origin saw.
    Sent(String),
    Unsent(String),
    SentMethod(String),
    SentBody(String),
    /// A parameter of our member of `Cache-Status`.
    Member(String),
    NoMember(String),
}

/// The lines of a text in which they are parted by ` | `.
pub(crate) fn parted(lines: &str) -> Vec<String> {
    lines
        .split(" | ")
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}
