//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use gateway::Config;
use http::Uri;
use larder::Profile;
use lexopt::{Arg, Parser, ValueExt};

/// What `--help` says.
pub(crate) const HELP: &str = "\
A caching reverse proxy: Larder in front of any origin, by RFC 9111.

usage: gateway --listen ADDRESS:PORT --origin http://HOST[:PORT] [OPTION]...

  --listen ADDRESS:PORT           where clients come
  --origin http://HOST[:PORT]     where requests go
  --profile safe|rfc              how far reuse goes (safe)
  --memory-mb N                   the bound of the memory for entries, in MiB (256)
  --max-body-mb N                 the largest body that is kept, in MiB (16)
  --stale-if-unreachable SECONDS  how long a stale response stands in for an origin that cannot be reached (0)
  --ignore-cookies                cookies neither keep a request from the cache nor reach the origin
  --redis URL                     a Redis or Valkey server on which all gateways share their entries; of these, the
                                  bodies are in memory too (none)
  --quiet                         no line per request in the log
  --help                          this

RUST_LOG chooses what is logged; the default is `info`, with --quiet `warn`.
";

/// What the command line says.
pub(crate) struct Args {
    pub(crate) listen: SocketAddr,
    pub(crate) config: Config,
    pub(crate) memory_mb: u64,
    /// Where entries are shared. May hold a password.
    pub(crate) redis: Option<String>,
    pub(crate) quiet: bool,
}

impl Args {
    /// Reads the arguments behind the program's name; nothing where help was asked for.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Self>, String> {
        Self::read(Parser::from_args(arguments)).map_err(|error| error.to_string())
    }

    fn read(mut parser: Parser) -> Result<Option<Self>, lexopt::Error> {
        let (mut listen, mut origin, mut redis) = (None, None, None);
        let (mut profile, mut quiet, mut ignore_cookies) = (Profile::Safe, false, false);
        let (mut memory_mb, mut max_body_mb, mut stale) = (256, 16, 0);
        while let Some(arg) = parser.next()? {
            match arg {
                Arg::Long("listen") => listen = Some(parser.value()?.parse()?),
                Arg::Long("origin") => origin = Some(parser.value()?.parse_with(str::parse::<Uri>)?),
                Arg::Long("profile") => profile = parser.value()?.parse_with(profile_of)?,
                Arg::Long("memory-mb") => memory_mb = parser.value()?.parse_with(mebibytes)?,
                Arg::Long("max-body-mb") => max_body_mb = parser.value()?.parse_with(mebibytes)?,
                Arg::Long("stale-if-unreachable") => stale = parser.value()?.parse()?,
                Arg::Long("ignore-cookies") => ignore_cookies = true,
                Arg::Long("quiet") => quiet = true,
                Arg::Long("redis") => redis = Some(parser.value()?.string()?),
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                other => return Err(other.unexpected()),
            }
        }
        let listen = listen.ok_or("--listen ADDRESS:PORT is missing")?;
        let origin = origin.ok_or("--origin http://HOST[:PORT] is missing")?;
        let config = Config::new(origin)
            .map_err(|error| lexopt::Error::Custom(error.into()))?
            .profile(profile)
            .max_body(max_body_mb << 20)
            .stale_if_unreachable(Duration::from_secs(stale))
            .ignore_cookies(ignore_cookies);
        Ok(Some(Self {
            listen,
            config,
            memory_mb,
            redis,
            quiet,
        }))
    }
}

fn profile_of(word: &str) -> Result<Profile, &'static str> {
    match word {
        "safe" => Ok(Profile::Safe),
        "rfc" => Ok(Profile::Rfc),
        _ => Err("allowed is safe or rfc"),
    }
}

fn mebibytes(text: &str) -> Result<u64, &'static str> {
    let number = text.parse().ok().filter(|number| (1..=1 << 24).contains(number));
    number.ok_or("allowed is a whole number from 1 to 16777216")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Args>, String> {
        Args::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn all_options_are_read() {
        let line = "--listen 127.0.0.1:0 --origin http://[::1]:9000 --profile rfc --memory-mb 8 --max-body-mb 2 \
                    --stale-if-unreachable 60 --ignore-cookies --redis redis://cache.test --quiet";
        let args = parse(line).unwrap().unwrap();
        assert_eq!((args.memory_mb, args.quiet, args.listen.port()), (8, true, 0));
        assert_eq!(args.redis.as_deref(), Some("redis://cache.test"));
        let Config {
            origin,
            profile,
            max_body,
            stale_if_unreachable,
            ignore_cookies,
            ..
        } = args.config;
        assert!(ignore_cookies);
        assert_eq!(origin, "http://[::1]:9000/");
        assert_eq!((profile, max_body), (Profile::Rfc, 2 << 20));
        assert_eq!(stale_if_unreachable, Duration::from_secs(60));
        assert!(parse("--help").unwrap().is_none());
    }

    #[test]
    fn what_is_wrong_is_said_in_a_line() {
        let good = "--listen 127.0.0.1:0 --origin http://a";
        for (line, why) in [
            ("--origin http://a", "--listen"),
            ("--listen 127.0.0.1:0", "--origin"),
            ("--listen here --origin http://a", "here"),
            ("--listen 127.0.0.1:0 --origin a b", "b"),
            ("--listen 127.0.0.1:0 --origin https://a", "TLS"),
            ("--listen 127.0.0.1:0 --origin http://a/b", "path"),
            (&format!("{good} --profile fast"), "safe or rfc"),
            (&format!("{good} --memory-mb 0"), "from 1"),
            (&format!("{good} --redis"), "--redis"),
            (&format!("{good} --speed"), "--speed"),
        ] {
            let error = parse(line).err().expect(line);
            assert!(error.contains(why) && !error.contains('\n'), "{line}: {error}");
        }
    }
}
