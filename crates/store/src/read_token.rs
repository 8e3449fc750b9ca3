//! What lets a client see its own change at once.

use std::time::Duration;

use http::header::{COOKIE, Entry};
use http::{HeaderMap, HeaderValue};

/// What a client gets with the answer to its change, and sends with its reads, so that it reads what it wrote.
///
/// It matters where hits may be behind an invalidation for a while: a store with
/// [`Coherence::Bounded`](https://docs.rs/larder-redis/latest/larder_redis/enum.Coherence.html). A read with a token asks the
/// server as in the strict mode, and is not answered with what was forgotten softly; after an invalidation that failed, the
/// read goes past the cache. Elsewhere a token changes nothing.
///
/// It travels in a cookie of its own, [`ReadToken::COOKIE`], which a layer takes for no other cookie: it makes no request
/// bypass the cache, and handlers of cacheable requests do not see it. It is no secret. Who makes one up has slower reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReadToken {
    /// The cache forgot what changed: entries are to be validated at the store.
    Validate,
    /// It is unknown whether the cache forgot what changed: reads are to go past it.
    Bypass,
}

impl ReadToken {
    /// The name of the cookie.
    pub const COOKIE: &str = "larder-read";

    /// After an invalidation that ended so.
    #[must_use]
    pub const fn after<T, E>(invalidation: &Result<T, E>) -> Self {
        match invalidation {
            Ok(_) => Self::Validate,
            Err(_) => Self::Bypass,
        }
    }

    /// The value of the cookie.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Bypass => "bypass",
        }
    }

    /// The value of a `Set-Cookie` that has a browser send it for the time `lasts`, in whole seconds and at least one. It is to be
    /// longer than the bound of the store.
    #[must_use]
    pub fn set_cookie(self, lasts: Duration) -> HeaderValue {
        let seconds = lasts.as_secs().max(1);
        let text = format!(
            "{}={}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Lax",
            Self::COOKIE,
            self.as_str()
        );
        // All of it is visible ASCII.
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// The token that a request with these headers carries; the stronger of several.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let lines = headers.get_all(COOKIE).iter();
        lines.filter_map(|line| Self::of_line(line).0).max()
    }

    /// The token in the value of a `Cookie`, and whether there is anything else in it.
    #[must_use]
    pub fn of_line(line: &HeaderValue) -> (Option<Self>, bool) {
        let (mut token, mut others) = (None, false);
        for pair in pairs(line) {
            match Self::of_pair(pair) {
                Some(found) => token = token.max(Some(found)),
                None => others = true,
            }
        }
        (token, others)
    }

    /// Takes the token out of the cookies of a request.
    pub fn hide(headers: &mut HeaderMap) {
        if Self::of(headers).is_none() {
            return;
        }
        let Entry::Occupied(lines) = headers.entry(COOKIE) else {
            return;
        };
        let (_, lines) = lines.remove_entry_mult();
        let lines: Vec<HeaderValue> = lines.filter_map(|line| without(&line)).collect();
        for line in lines {
            headers.append(COOKIE, line);
        }
    }

    fn of_pair(pair: &[u8]) -> Option<Self> {
        let value = pair.strip_prefix(Self::COOKIE.as_bytes())?.strip_prefix(b"=")?;
        [Self::Validate, Self::Bypass]
            .into_iter()
            .find(|token| token.as_str().as_bytes() == value)
    }
}

fn pairs(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let pairs = line.as_bytes().split(|byte| *byte == b';');
    pairs.map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty())
}

/// The line without tokens, as it was where there is none; `None` when nothing is left.
fn without(line: &HeaderValue) -> Option<HeaderValue> {
    match ReadToken::of_line(line) {
        (None, _) => return Some(line.clone()),
        (_, false) => return None,
        _ => {}
    }
    let others: Vec<&[u8]> = pairs(line)
        .filter(|pair| ReadToken::of_pair(pair).is_none())
        .collect();
    HeaderValue::from_bytes(&others.join(&b"; "[..])).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn the_strongest_token_counts_and_nothing_else_is_one() {
        for (lines, token) in [
            (&["larder-read=validate"][..], Some(ReadToken::Validate)),
            (&["a=1; larder-read=bypass;"], Some(ReadToken::Bypass)),
            (
                &["larder-read=bypass", "larder-read=validate"],
                Some(ReadToken::Bypass),
            ),
            (&["larder-read=", "larder-read", "larder-read=BYPASS"], None),
            (&["x-larder-read=bypass", "larder-reads=bypass"], None),
            (&[], None),
        ] {
            assert_eq!(ReadToken::of(&headers(lines)), token, "{lines:?}");
        }
    }

    #[test]
    fn only_the_token_is_hidden() {
        for (lines, left) in [
            (&["larder-read=validate"][..], &[][..]),
            (
                &["a=1;  larder-read=bypass; b=\"2\"", "c=3"],
                &["a=1; b=\"2\"", "c=3"],
            ),
            (&["a=1;b=2"], &["a=1;b=2"]),
            (&["larder-read=other"], &["larder-read=other"]),
        ] {
            let mut headers = headers(lines);
            ReadToken::hide(&mut headers);
            let lines: Vec<&str> = headers
                .get_all(COOKIE)
                .iter()
                .map(|line| line.to_str().unwrap())
                .collect();
            assert_eq!(lines, left);
        }
    }

    #[test]
    fn what_is_set_is_what_is_read() {
        for token in [ReadToken::Validate, ReadToken::Bypass] {
            let set = token.set_cookie(Duration::from_millis(1));
            let set = set.to_str().unwrap();
            assert!(set.contains("; Max-Age=1; "), "{set}");
            let pair = HeaderValue::from_str(set.split(';').next().unwrap()).unwrap();
            assert_eq!(ReadToken::of_line(&pair), (Some(token), false));
        }
    }
}
