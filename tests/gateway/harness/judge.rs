//! Whether an answer, and what the origin saw, are as the case expects.

use super::case::{Ask, Check, Delivery, Source};
use super::client::Answer;
use super::dates::fill;
use super::origin::{Reply, Seen};
use super::wire::split;

/// What there is to judge by.
#[derive(Debug)]
pub(crate) struct Evidence<'a> {
    pub(crate) ask: &'a Ask,
    pub(crate) answer: &'a Answer,
    /// What the origin saw because of this request.
    pub(crate) seen: &'a [Seen],
    /// The reply whose body is expected.
    pub(crate) expected: Option<&'a Reply>,
    /// Seconds.
    pub(crate) now: u64,
    pub(crate) is_down: bool,
}

impl Evidence<'_> {
    /// All that is not as expected.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = self.source().into_iter().chain(self.content()).collect();
        problems.extend(
            self.ask
                .checks
                .iter()
                .filter(|check| !self.holds(check))
                .map(|check| format!("expected {check:?}")),
        );
        problems
    }

    fn source(&self) -> Option<String> {
        let count = self.seen.len();
        let behind = usize::from(self.ask.behind.is_some());
        let failing = matches!(
            self.ask.script.delivery,
            Delivery::Close | Delivery::Cut | Delivery::CutChunk
        );
        let (right, said) = match self.ask.source {
            Source::Origin => (count == 1, "one request at the origin"),
            Source::Cache(_) if behind == 1 => (count == 1, "one request at the origin, in the background"),
            Source::Cache(_) => (count == 0, "no request at the origin"),
            Source::Validated(_) => (
                count == 1 && self.seen.iter().all(Seen::is_conditional),
                "one conditional request at the origin",
            ),
            Source::StandIn(_) => (count > 0 || self.is_down, "a request at the origin, which fails"),
            Source::Own => (count == 0 || failing, "no request at the origin"),
            Source::Reached => (count > 0, "a request at the origin"),
            Source::Any => (true, ""),
        };
        (!right).then(|| format!("expected {said}, which saw {count}"))
    }

    /// Whether status, body and mark are those of the reply that is expected.
    fn content(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let asked = |wanted: fn(&Check) -> bool| self.ask.checks.iter().any(wanted);
        if asked(|check| matches!(check, Check::Broken)) {
            return problems;
        }
        if !self.answer.whole {
            problems.push("the body is cut short".to_owned());
        }
        let Some(reply) = self.expected else {
            return problems;
        };
        if !asked(|check| matches!(check, Check::Status(_))) && self.answer.status != reply.status {
            problems.push(format!("expected the status {}", reply.status));
        }
        let partial = matches!(self.answer.status, 206 | 304 | 412 | 416);
        if partial || self.answer.status != reply.status || self.ask.method == "HEAD" {
            return problems;
        }
        if !asked(|check| matches!(check, Check::Body(_))) && self.answer.body != reply.body {
            problems.push(format!("expected the body {:?}", clipped(&reply.body)));
        }
        if self.ask.method == "GET" && !self.answer.head.values("x-mark").eq([reply.mark.as_str()]) {
            problems.push(format!("expected the mark {}", reply.mark));
        }
        problems
    }

    fn holds(&self, check: &Check) -> bool {
        let (answer, now) = (self.answer, self.now);
        let sent = |line: &str| self.seen.iter().any(|seen| seen.head.has(line));
        match check {
            Check::Status(statuses) => statuses.contains(&answer.status),
            Check::Has(line) => answer.head.has(&fill(line, now)),
            Check::Lacks(line) => !answer.head.has(&fill(line, now)),
            Check::Lines(name, values) => answer
                .head
                .values(name)
                .eq(values.iter().map(|value| fill(value, now))),
            Check::Starts(name, text) => {
                let lines: Vec<&str> = answer.head.values(name).collect();
                lines.join(", ").starts_with(text.as_str())
            }
            Check::Body(body) => answer.body == *body,
            Check::Contains(text) => answer
                .body
                .to_ascii_lowercase()
                .contains(&text.to_ascii_lowercase()),
            Check::AtMost(bytes) => answer.body.len() <= *bytes,
            Check::Broken => !answer.whole || answer.status == 502,
            Check::Sent(line) => sent(&fill(line, now)),
            Check::Unsent(line) => !sent(&fill(line, now)),
            Check::SentMethod(method) => self.seen.iter().any(|seen| seen.method() == method),
            Check::SentBody(body) => self.seen.iter().any(|seen| seen.body == *body),
            Check::Member(parameter) => members(answer).iter().any(|member| has(member, parameter)),
            Check::NoMember(parameter) => !members(answer).iter().any(|member| has(member, parameter)),
        }
    }
}

/// Our members of `Cache-Status`: the last one's parameters, in one text.
fn members(answer: &Answer) -> Option<String> {
    let last = answer.head.values("cache-status").last()?.rsplit(',').next()?;
    let (name, parameters) = last.split_once(';')?;
    (name.trim() == "larder").then(|| parameters.to_owned())
}

/// Whether the parameters have this one: a `name`, or a `name=value`.
fn has(parameters: &str, wanted: &str) -> bool {
    let mut all = parameters.split(';').map(str::trim);
    if wanted.contains('=') {
        all.any(|parameter| parameter == wanted)
    } else {
        all.any(|parameter| parameter.split('=').next() == Some(wanted))
    }
}

/// A text short enough to be shown.
pub(crate) fn clipped(text: &str) -> String {
    let start: String = text.chars().take(200).collect();
    if start.len() == text.len() {
        start
    } else {
        format!("{start}… ({} in all)", text.chars().count())
    }
}

/// Whether one of these lines, as they are written in a case, is of this field.
pub(crate) fn names(lines: &[String], name: &str) -> bool {
    lines.iter().any(|line| split(line).0.eq_ignore_ascii_case(name))
}
