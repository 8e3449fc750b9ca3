//! HTTP/1.1 as bytes: heads, bodies and nothing forgiven. Text is Latin-1, one character a byte.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The start line and the header lines of a message, as they came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head {
    pub(crate) start: String,
    pub(crate) lines: Vec<(String, String)>,
}

impl Head {
    /// The values of this field, one for each of its lines.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines
            .iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether there is a line as `line` says: a `Name`, or a `Name: value`.
    pub(crate) fn has(&self, line: &str) -> bool {
        match split(line) {
            (name, Some(value)) => self.values(name).any(|other| other == value),
            (name, None) => self.values(name).next().is_some(),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let lines = lines
            .map(|line| {
                let (name, value) = line
                    .split_once(':')
                    .ok_or_else(|| format!("no colon in {line:?}"))?;
                if name.is_empty() || name.contains([' ', '\t']) {
                    return Err(format!("no field name in {line:?}"));
                }
                Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
            })
            .collect::<Result<_, String>>()?;
        Ok(Self { start, lines })
    }

    /// How the body of a message with this head is delimited; `None` where nothing says.
    pub(crate) fn framing(&self) -> Result<Option<Framing>, String> {
        let codings: Vec<&str> = self.values("transfer-encoding").collect();
        let lengths: Vec<&str> = self.values("content-length").collect();
        match (codings.as_slice(), lengths.as_slice()) {
            ([], []) => Ok(None),
            (["chunked"], []) => Ok(Some(Framing::Chunked)),
            ([], [length]) if length.bytes().all(|byte| byte.is_ascii_digit()) => length
                .parse()
                .map(|length| Some(Framing::Length(length)))
                .map_err(|_| format!("no length: {length:?}")),
            _ => Err(format!("framed by {codings:?} and {lengths:?}")),
        }
    }
}

/// A line as it is written in a case: a name, and perhaps a value.
pub(crate) fn split(line: &str) -> (&str, Option<&str>) {
    match line.split_once(':') {
        Some((name, value)) => (name, Some(value.trim())),
        None => (line, None),
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Framing {
    Length(usize),
    Chunked,
}

/// A body, and whether it came to its end.
pub(crate) type Body = (String, bool);

/// One side of a connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        // Without it a body that follows its head waits for the other side's late acknowledgement.
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            read: Vec::new(),
        }
    }

    pub(crate) async fn write(&mut self, text: &str) -> io::Result<()> {
        let bytes: Vec<u8> = text.chars().map(|it| u8::try_from(it).unwrap_or(b'?')).collect();
        self.stream.write_all(&bytes).await
    }

    /// Reads a head; `None` when the other side closed instead.
    pub(crate) async fn head(&mut self) -> Result<Option<Head>, String> {
        match self.until("\r\n\r\n").await {
            Ok(text) => Head::parse(&text).map(Some),
            Err(rest) if rest.is_empty() => Ok(None),
            Err(rest) => Err(format!("closed within a head: {rest:?}")),
        }
    }

    pub(crate) async fn body(&mut self, framing: Framing) -> Result<Body, String> {
        match framing {
            Framing::Length(length) => Ok(self.exactly(length).await),
            Framing::Chunked => self.chunks().await,
        }
    }

    /// All that comes until the other side closes.
    pub(crate) async fn rest(&mut self) -> String {
        while self.more().await {}
        text(&std::mem::take(&mut self.read))
    }

    /// What was read beyond the message.
    pub(crate) fn surplus(&self) -> &[u8] {
        &self.read
    }

    async fn chunks(&mut self) -> Result<Body, String> {
        let mut body = String::new();
        loop {
            let Ok(size) = self.until("\r\n").await else {
                return Ok((body, false));
            };
            let length = usize::from_str_radix(&size, 16).map_err(|_| format!("no chunk size: {size:?}"))?;
            if length == 0 {
                return self.trailers().await.map(|whole| (body, whole));
            }
            let (chunk, whole) = self.exactly(length).await;
            body.push_str(&chunk);
            if !whole {
                return Ok((body, false));
            }
            match self.exactly(2).await {
                (end, true) if end == "\r\n" => {}
                (_, false) => return Ok((body, false)),
                (end, true) => return Err(format!("a chunk that ends with {end:?}")),
            }
        }
    }

    /// Reads to the empty line at the end; false when there was none.
    async fn trailers(&mut self) -> Result<bool, String> {
        loop {
            match self.until("\r\n").await {
                Ok(line) if line.is_empty() => return Ok(true),
                Ok(_) => {}
                Err(_) => return Ok(false),
            }
        }
    }

    async fn exactly(&mut self, length: usize) -> Body {
        while self.read.len() < length {
            if !self.more().await {
                return (text(&std::mem::take(&mut self.read)), false);
            }
        }
        (text(&self.read.drain(..length).collect::<Vec<u8>>()), true)
    }

    /// What comes before `end`, which is taken too; or all that came when there was none.
    async fn until(&mut self, end: &str) -> Result<String, String> {
        loop {
            let found = self
                .read
                .windows(end.len())
                .position(|window| window == end.as_bytes());
            if let Some(at) = found {
                let taken: Vec<u8> = self.read.drain(..at + end.len()).collect();
                return Ok(text(&taken[..at]));
            }
            if !self.more().await {
                return Err(text(&std::mem::take(&mut self.read)));
            }
        }
    }

    /// Whether more came. A connection that is reset has ended too.
    async fn more(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.read).await, Ok(length) if length > 0)
    }
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
