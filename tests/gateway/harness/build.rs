//! How a case is written: requests and waits in their order, each with what is said and expected of it.
//!
//! Where several lines are given as one text they are parted by ` | `; dates are written as in [`dates`](super::dates).

use larder::Profile;

use super::case::{Ask, Case, Check, Delivery, Pause, Script, Source, Step, parted};

const RFC: &[Profile] = &[Profile::Rfc];
const SAFE: &[Profile] = &[Profile::Safe];
const BOTH: &[Profile] = &[Profile::Rfc, Profile::Safe];

/// A case in the profile `Rfc`.
pub(crate) fn case(name: impl Into<String>) -> Case {
    Case {
        name: name.into(),
        profiles: RFC,
        steps: Vec::new(),
    }
}

/// How it begins.
impl Case {
    pub(crate) fn safe(mut self) -> Self {
        self.profiles = SAFE;
        self
    }

    pub(crate) fn both(mut self) -> Self {
        self.profiles = BOTH;
        self
    }
}

/// Steps.
impl Case {
    pub(crate) fn ask(mut self, method: &str, target: &str) -> Self {
        self.steps.push(Step::Ask(Box::new(Ask {
            method: method.to_owned(),
            target: target.to_owned(),
            lines: Vec::new(),
            body: None,
            raw: None,
            script: Script::new(200, ""),
            behind: None,
            pause: Pause::None,
            source: Source::Any,
            checks: Vec::new(),
        })));
        self
    }

    pub(crate) fn get(self) -> Self {
        self.ask("GET", "/")
    }

    pub(crate) fn get_at(self, target: &str) -> Self {
        self.ask("GET", target)
    }

    pub(crate) fn head(self) -> Self {
        self.ask("HEAD", "/")
    }

    pub(crate) fn post(self) -> Self {
        self.ask("POST", "/").body_sent("posted")
    }

    pub(crate) fn wait(mut self, seconds: u64) -> Self {
        self.steps.push(Step::Wait(seconds));
        self
    }

    pub(crate) fn release(mut self, number: usize) -> Self {
        self.steps.push(Step::Release(number));
        self
    }

    pub(crate) fn down(mut self) -> Self {
        self.steps.push(Step::Down);
        self
    }

    fn last(mut self, change: impl FnOnce(&mut Ask)) -> Self {
        let ask = self.steps.iter_mut().rev().find_map(|step| match step {
            Step::Ask(ask) => Some(ask),
            _ => None,
        });
        change(ask.expect("a request comes first"));
        self
    }
}

/// Of the last request.
impl Case {
    pub(crate) fn with(self, lines: &str) -> Self {
        self.last(|ask| ask.lines.extend(parted(lines)))
    }

    pub(crate) fn body_sent(self, body: &str) -> Self {
        self.last(|ask| ask.body = Some(body.to_owned()))
    }

    pub(crate) fn raw(self, request: &str) -> Self {
        self.last(|ask| ask.raw = Some(request.to_owned()))
    }

    pub(crate) fn held(self) -> Self {
        self.last(|ask| ask.pause = Pause::Held)
    }

    /// The origin gives the head, and holds the body.
    pub(crate) fn held_body(self) -> Self {
        self.held().last(|ask| ask.script.delivery = Delivery::HeadFirst)
    }

    pub(crate) fn waiting(self) -> Self {
        self.last(|ask| ask.pause = Pause::Waiting)
    }

    pub(crate) fn held_behind(self) -> Self {
        self.last(|ask| ask.pause = Pause::HeldBehind)
    }
}

/// What the origin answers to the last request.
impl Case {
    pub(crate) fn origin(self, status: u16, lines: &str) -> Self {
        self.last(|ask| {
            let delivery = ask.script.delivery;
            ask.script = Script::new(status, lines);
            ask.script.delivery = delivery;
        })
    }

    /// An answer 200.
    pub(crate) fn ok(self, lines: &str) -> Self {
        self.origin(200, lines)
    }

    pub(crate) fn says(self, body: &str) -> Self {
        self.last(|ask| ask.script.body = Some(body.to_owned()))
    }

    pub(crate) fn undated(self) -> Self {
        self.last(|ask| ask.script.lines.retain(|line| !line.starts_with("Date:")))
    }

    pub(crate) fn delivered(self, delivery: Delivery) -> Self {
        self.last(|ask| ask.script.delivery = delivery)
    }

    pub(crate) fn closes(self) -> Self {
        self.delivered(Delivery::Close)
    }

    pub(crate) fn behind(self, status: u16, lines: &str) -> Self {
        self.last(|ask| ask.behind = Some(Script::new(status, lines)))
    }
}

/// What is expected of the last request.
impl Case {
    fn from(self, source: Source) -> Self {
        self.last(|ask| ask.source = source)
    }

    fn check(self, check: Check) -> Self {
        self.last(|ask| ask.checks.push(check))
    }

    pub(crate) fn miss(self) -> Self {
        self.from(Source::Origin)
    }

    pub(crate) fn hit(self) -> Self {
        self.from(Source::Cache(None))
    }

    pub(crate) fn hit_of(self, number: usize) -> Self {
        self.from(Source::Cache(Some(number)))
    }

    /// Answered from the cache after the origin's 304, which is a plain one where the case gave none.
    pub(crate) fn validated(self) -> Self {
        self.validated_as(None)
    }

    pub(crate) fn validated_of(self, number: usize) -> Self {
        self.validated_as(Some(number))
    }

    fn validated_as(self, number: Option<usize>) -> Self {
        self.last(|ask| {
            ask.source = Source::Validated(number);
            if ask.script.status == 200 {
                ask.script = Script::new(304, "");
            }
        })
    }

    pub(crate) fn stand_in(self) -> Self {
        self.from(Source::StandIn(None))
    }

    /// The gateway's own answer, with one of these statuses.
    pub(crate) fn own(self, statuses: &[u16]) -> Self {
        self.from(Source::Own).statuses(statuses)
    }

    pub(crate) fn reached(self) -> Self {
        self.from(Source::Reached)
    }

    pub(crate) fn any(self) -> Self {
        self.from(Source::Any)
    }

    pub(crate) fn status(self, status: u16) -> Self {
        self.statuses(&[status])
    }

    pub(crate) fn statuses(self, statuses: &[u16]) -> Self {
        self.check(Check::Status(statuses.to_vec()))
    }

    pub(crate) fn has(self, line: &str) -> Self {
        self.check(Check::Has(line.to_owned()))
    }

    pub(crate) fn lacks(self, line: &str) -> Self {
        self.check(Check::Lacks(line.to_owned()))
    }

    pub(crate) fn lines(self, name: &str, values: &[&str]) -> Self {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        self.check(Check::Lines(name.to_owned(), values))
    }

    pub(crate) fn starts(self, name: &str, text: &str) -> Self {
        self.check(Check::Starts(name.to_owned(), text.to_owned()))
    }

    pub(crate) fn body(self, body: &str) -> Self {
        self.check(Check::Body(body.to_owned()))
    }

    pub(crate) fn contains(self, text: &str) -> Self {
        self.check(Check::Contains(text.to_owned()))
    }

    pub(crate) fn body_at_most(self, bytes: usize) -> Self {
        self.check(Check::AtMost(bytes))
    }

    pub(crate) fn broken(self) -> Self {
        self.check(Check::Broken)
    }

    pub(crate) fn sent(self, line: &str) -> Self {
        self.check(Check::Sent(line.to_owned()))
    }

    pub(crate) fn unsent(self, line: &str) -> Self {
        self.check(Check::Unsent(line.to_owned()))
    }

    pub(crate) fn sent_method(self, method: &str) -> Self {
        self.check(Check::SentMethod(method.to_owned()))
    }

    pub(crate) fn sent_body(self, body: &str) -> Self {
        self.check(Check::SentBody(body.to_owned()))
    }

    pub(crate) fn member(self, parameter: &str) -> Self {
        self.check(Check::Member(parameter.to_owned()))
    }

    pub(crate) fn no_member(self, parameter: &str) -> Self {
        self.check(Check::NoMember(parameter.to_owned()))
    }
}
