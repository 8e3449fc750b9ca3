//! Just enough of the Redis protocol (RESP2) to send one command and print its reply.

use std::io::{self, BufRead, Write};

/// A reply, as the server sent it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A simple string or a bulk string.
    Text(String),
    /// An error, such as `NOAUTH Authentication required.`
    Error(String),
    Integer(i64),
    Nil,
    List(Vec<Reply>),
}

impl Reply {
    /// The reply for reading, in the manner of `redis-cli`: `(nil)` for nothing, one line for each list item.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Text(text) | Self::Error(text) => text,
            Self::Integer(number) => number.to_string(),
            Self::Nil => "(nil)".to_owned(),
            Self::List(items) => items.into_iter().map(Self::text).collect::<Vec<_>>().join("\n"),
        }
    }
}

/// Sends `words` as one command.
pub(crate) fn send(to: &mut impl Write, words: &[&str]) -> io::Result<()> {
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    to.write_all(request.as_bytes())
}

/// Reads one reply.
pub(crate) fn receive(from: &mut impl BufRead) -> io::Result<Reply> {
    let line = line(from)?;
    let Some(kind) = line.chars().next().filter(char::is_ascii) else {
        return Err(not_resp(&line));
    };
    let rest = &line[1..];
    match kind {
        '+' => Ok(Reply::Text(rest.to_owned())),
        '-' => Ok(Reply::Error(rest.to_owned())),
        ':' => Ok(Reply::Integer(number(rest)?)),
        '$' => bulk(from, number(rest)?),
        '*' => list(from, number(rest)?),
        _ => Err(not_resp(&line)),
    }
}

fn bulk(from: &mut impl BufRead, length: i64) -> io::Result<Reply> {
    let Ok(length) = usize::try_from(length) else {
        return Ok(Reply::Nil);
    };
    let mut bytes = vec![0; length + 2];
    from.read_exact(&mut bytes)?;
    bytes.truncate(length);
    Ok(Reply::Text(String::from_utf8_lossy(&bytes).into_owned()))
}

fn list(from: &mut impl BufRead, length: i64) -> io::Result<Reply> {
    if length < 0 {
        return Ok(Reply::Nil);
    }
    (0..length)
        .map(|_| receive(from))
        .collect::<io::Result<_>>()
        .map(Reply::List)
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the connection closed before a full reply",
        )),
    }
}

fn number(text: &str) -> io::Result<i64> {
    text.parse().map_err(|_| not_resp(text))
}

fn not_resp(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not a Redis reply: {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(bytes: &str) -> io::Result<Reply> {
        receive(&mut bytes.as_bytes())
    }

    #[test]
    fn a_command_is_an_array_of_bulk_strings() {
        let mut sent = Vec::new();
        send(&mut sent, &["SET", "k", "värde"]).unwrap();
        assert_eq!(sent, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$6\r\nvärde\r\n".as_bytes());
    }

    #[test]
    fn every_kind_of_reply_has_its_text() {
        assert_eq!(reply("+OK\r\n").unwrap().text(), "OK");
        assert_eq!(reply(":-7\r\n").unwrap().text(), "-7");
        assert_eq!(reply("$-1\r\n").unwrap().text(), "(nil)");
        assert_eq!(reply("$4\r\na\r\nb\r\n").unwrap().text(), "a\r\nb");
        assert_eq!(reply("*2\r\n$1\r\na\r\n*1\r\n:1\r\n").unwrap().text(), "a\n1");
        assert_eq!(reply("-ERR no\r\n").unwrap(), Reply::Error("ERR no".to_owned()));
    }

    #[test]
    fn a_broken_reply_is_an_error_not_a_panic() {
        for broken in ["", "\r\n", "é\r\n", ":x\r\n", "$3\r\nab", "hello\r\n", "+OK"] {
            assert!(reply(broken).is_err(), "{broken:?}");
        }
    }
}
