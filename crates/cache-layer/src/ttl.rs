//! Lifetimes of values: a length, or a name whose length the configuration says.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How long a value is of use: a length, or a name for one.
///
/// Made of a [`Duration`], or of text: `"90s"`, a whole number of `ms`, `s`, `m`, `h` or `d`; or `"short"`, `"medium"`,
/// `"long"`, `"very_long"`.
///
/// ```
/// use std::time::Duration;
/// use larder_cache_layer::{NamedTtl, Ttl};
///
/// assert_eq!(Ttl::from("2h"), Ttl::from(Duration::from_secs(7200)));
/// assert_eq!(Ttl::from("long"), Ttl::Named(NamedTtl::Long));
/// assert_eq!(
///     "soon".parse::<Ttl>().unwrap_err().to_string(),
///     "\"soon\" is no lifetime: it is a whole number of ms, s, m, h or d, such as 30s, or one of short, medium, long, \
///      very_long",
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ttl {
    /// This long.
    Of(Duration),
    /// As long as the configuration says for the name.
    Named(NamedTtl),
}

/// The lifetimes that have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NamedTtl {
    /// 5 min.
    Short,
    /// 30 min.
    Medium,
    /// 2 h.
    Long,
    /// 24 h.
    VeryLong,
}

impl NamedTtl {
    /// All of them, the shortest first.
    pub const ALL: [Self; 4] = [Self::Short, Self::Medium, Self::Long, Self::VeryLong];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Medium => "medium",
            Self::Long => "long",
            Self::VeryLong => "very_long",
        }
    }

    /// How long it is where no configuration says otherwise.
    #[must_use]
    pub const fn ttl(self) -> Duration {
        Duration::from_secs(match self {
            Self::Short => 5 * 60,
            Self::Medium => 30 * 60,
            Self::Long => 2 * 60 * 60,
            Self::VeryLong => 24 * 60 * 60,
        })
    }
}

impl From<Duration> for Ttl {
    fn from(length: Duration) -> Self {
        Self::Of(length)
    }
}

impl From<NamedTtl> for Ttl {
    fn from(name: NamedTtl) -> Self {
        Self::Named(name)
    }
}

impl From<&str> for Ttl {
    /// # Panics
    /// If the text is no lifetime: where it comes from outside, [`parse`](str::parse) it.
    #[track_caller]
    fn from(text: &str) -> Self {
        match text.parse() {
            Ok(ttl) => ttl,
            Err(error) => panic!("{error}"),
        }
    }
}

impl FromStr for Ttl {
    type Err = TtlError;

    fn from_str(text: &str) -> Result<Self, TtlError> {
        if let Some(name) = NamedTtl::ALL.into_iter().find(|name| name.as_str() == text) {
            return Ok(Self::Named(name));
        }
        length(text)
            .map(Self::Of)
            .ok_or_else(|| TtlError(text.to_owned()))
    }
}

fn length(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number
        .parse::<u64>()
        .ok()?
        .checked_mul(millis)
        .map(Duration::from_millis)
}

/// A text that is no [`Ttl`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TtlError(String);

impl fmt::Display for TtlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no lifetime: it is a whole number of ms, s, m, h or d, such as 30s, or one of short, medium, long, \
             very_long",
            self.0
        )
    }
}

impl Error for TtlError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_names() {
        assert_eq!("1500ms".parse(), Ok(Ttl::Of(Duration::from_millis(1500))));
        assert_eq!("0s".parse(), Ok(Ttl::Of(Duration::ZERO)));
        assert_eq!("1d".parse(), Ok(Ttl::Of(Duration::from_secs(86_400))));
        for name in NamedTtl::ALL {
            assert_eq!(name.as_str().parse(), Ok(Ttl::Named(name)));
        }
        for wrong in [
            "",
            "5",
            "s",
            "5 s",
            "-1s",
            "1.5h",
            "1w",
            "Short",
            "99999999999999999d",
        ] {
            assert!(wrong.parse::<Ttl>().is_err(), "{wrong:?}");
        }
    }
}
