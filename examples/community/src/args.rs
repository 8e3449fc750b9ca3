//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

/// What `--help` says.
pub(crate) const HELP: &str = "\
A small community site: profiles, ratings, teams and a shop on SQLite, cached by Larder.

usage: community --listen ADDRESS:PORT [--database FILE]

  --listen ADDRESS:PORT  where clients come
  --database FILE        the SQLite database, made where there is none (community.sqlite)
  --help                 this

RUST_LOG chooses what is logged; the default is `warn`. The cache is set by LARDER_* as the guide says.
";

/// What the command line says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) listen: SocketAddr,
    pub(crate) database: PathBuf,
}

impl Args {
    /// Reads the arguments behind the program's name; nothing where help was asked for.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Self>, String> {
        Self::read(Parser::from_args(arguments)).map_err(|error| error.to_string())
    }

    fn read(mut parser: Parser) -> Result<Option<Self>, lexopt::Error> {
        let (mut listen, mut database) = (None, PathBuf::from("community.sqlite"));
        while let Some(arg) = parser.next()? {
            match arg {
                Arg::Long("listen") => listen = Some(parser.value()?.parse()?),
                Arg::Long("database") => database = parser.value()?.into(),
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                other => return Err(other.unexpected()),
            }
        }
        let listen = listen.ok_or("--listen ADDRESS:PORT is missing")?;
        Ok(Some(Self { listen, database }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_or_refused_in_a_line() {
        let parse = |line: &str| Args::parse(line.split_whitespace().map(OsString::from));
        let args = parse("--listen 127.0.0.1:1 --database x.db").unwrap().unwrap();
        assert_eq!((args.listen.port(), args.database), (1, PathBuf::from("x.db")));
        assert!(parse("--help").unwrap().is_none());
        for (line, why) in [
            ("", "--listen"),
            ("--listen here", "here"),
            ("--speed", "--speed"),
        ] {
            assert!(parse(line).unwrap_err().contains(why), "{line}");
        }
    }
}
