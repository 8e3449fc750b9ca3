//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use larder::Coherence;
use larder::admin::Token;
use lexopt::{Arg, Parser, ValueExt};

/// What `--help` says.
pub(crate) const HELP: &str = "\
A small community site: profiles, ratings, teams and a shop on SQLite, cached by Larder.

usage: community --listen ADDRESS:PORT [OPTION]...

  --listen ADDRESS:PORT            where clients come
  --database FILE                  the SQLite database, made where there is none (community.sqlite)
  --redis URL                      the Redis or Valkey server that all instances over one database share; without it, run one
  --coherence strict|bounded:TIME  whether hits ask the server, or may be as old as that, such as bounded:100ms (strict)
  --admin TOKEN                    serves the admin page at /admin, for whom gives this token of 16 bytes or more
  --metrics ADDRESS:PORT           where Prometheus fetches metrics, at /metrics; none without it
  --tick TIME                      how often the leaders are written anew, such as 60s (60s)
  --help                           this

RUST_LOG chooses what is logged; the default is `warn`. Without --redis the cache is set by LARDER_* as the guide says.
";

/// What the command line says.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) listen: SocketAddr,
    pub(crate) database: PathBuf,
    /// May hold a password.
    pub(crate) redis: Option<String>,
    pub(crate) coherence: Coherence,
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) tick: Duration,
    /// Who may see the admin page; without it there is none.
    pub(crate) admin: Option<Token>,
}

impl Args {
    /// Reads the arguments behind the program's name; nothing where help was asked for.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Self>, String> {
        Self::read(Parser::from_args(arguments)).map_err(|error| error.to_string())
    }

    fn read(mut parser: Parser) -> Result<Option<Self>, lexopt::Error> {
        let (mut listen, mut metrics, mut redis, mut coherence) = (None, None, None, Coherence::Strict);
        let mut admin = None;
        let (mut database, mut tick) = (PathBuf::from("community.sqlite"), Duration::from_secs(60));
        while let Some(arg) = parser.next()? {
            match arg {
                Arg::Long("listen") => listen = Some(parser.value()?.parse()?),
                Arg::Long("database") => database = parser.value()?.into(),
                Arg::Long("redis") => redis = Some(parser.value()?.string()?),
                Arg::Long("coherence") => coherence = parser.value()?.parse_with(coherence_of)?,
                Arg::Long("metrics") => metrics = Some(parser.value()?.parse()?),
                Arg::Long("tick") => tick = parser.value()?.parse_with(time)?,
                Arg::Long("admin") => admin = Some(parser.value()?.parse_with(token)?),
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                other => return Err(other.unexpected()),
            }
        }
        let listen = listen.ok_or("--listen ADDRESS:PORT is missing")?;
        Ok(Some(Self {
            listen,
            database,
            redis,
            coherence,
            metrics,
            tick,
            admin,
        }))
    }
}

fn coherence_of(word: &str) -> Result<Coherence, &'static str> {
    match word.strip_prefix("bounded:") {
        Some(bound) => time(bound).map(Coherence::Bounded),
        None if word == "strict" => Ok(Coherence::Strict),
        None => Err("allowed is strict or bounded:TIME"),
    }
}

fn token(text: &str) -> Result<Token, &'static str> {
    Token::new(text).ok_or("a token has 16 bytes or more")
}

/// At least what a lock and the feed of the cache need.
fn time(text: &str) -> Result<Duration, &'static str> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s').unwrap_or_default(), 1000),
    };
    let time = number
        .parse::<u32>()
        .ok()
        .map(|number| Duration::from_millis(u64::from(number) * unit));
    time.filter(|time| *time >= Duration::from_millis(100))
        .ok_or("allowed is a whole number of ms or s, 100ms or more")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_or_refused_in_a_line() {
        let parse = |line: &str| Args::parse(line.split_whitespace().map(OsString::from));
        let args = parse("--listen 127.0.0.1:1 --database x.db").unwrap().unwrap();
        assert_eq!((args.listen.port(), args.database), (1, PathBuf::from("x.db")));
        assert_eq!(
            (args.redis, args.coherence, args.tick.as_secs()),
            (None, Coherence::Strict, 60)
        );
        let args = parse("--listen 127.0.0.1:1 --metrics 127.0.0.1:2")
            .unwrap()
            .unwrap();
        assert_eq!(args.metrics.map(|address| address.port()), Some(2));
        let args = parse("--listen 127.0.0.1:1 --redis redis://x --coherence bounded:250ms --tick 2s");
        let args = args.unwrap().unwrap();
        assert_eq!(args.coherence, Coherence::Bounded(Duration::from_millis(250)));
        assert_eq!(
            (args.redis.as_deref(), args.tick.as_secs()),
            (Some("redis://x"), 2)
        );
        assert!(args.admin.is_none());
        let args = parse("--listen 127.0.0.1:1 --admin 0123456789abcdef")
            .unwrap()
            .unwrap();
        assert!(args.admin.is_some());
        assert!(parse("--help").unwrap().is_none());
        for (line, why) in [
            ("", "--listen"),
            ("--listen here", "here"),
            ("--speed", "--speed"),
            ("--listen 127.0.0.1:1 --coherence loose", "strict or bounded"),
            ("--listen 127.0.0.1:1 --coherence bounded:9ms", "100ms"),
            ("--listen 127.0.0.1:1 --tick soon", "100ms"),
            ("--listen 127.0.0.1:1 --admin short", "16 bytes"),
        ] {
            assert!(parse(line).unwrap_err().contains(why), "{line}");
        }
    }
}
