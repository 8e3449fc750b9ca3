//! A contender served by a child process, with the child's CPU time; the child is killed on drop.

use std::{
    fs,
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use larder_peers::{Outcome, contenders::Contender};

/// Linux reports CPU time to user space in hundredths of a second on every common architecture.
const TICKS_PER_SECOND: f64 = 100.0;

pub(super) struct Server {
    child: Child,
    ask: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
    pub(super) port: u16,
    pub(super) etag: Option<String>,
}

impl Server {
    pub(super) fn start(contender: Contender, size: usize) -> Outcome<Self> {
        let mut child = Command::new(super::myself()?)
            .args([
                "serve",
                "--contender",
                contender.name,
                "--size",
                &size.to_string(),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (ask, said) = (child.stdin.take(), child.stdout.take());
        let (Some(ask), Some(said)) = (ask, said) else {
            return Err("a child without pipes".into());
        };
        let mut server = Self {
            child,
            ask,
            said: BufReader::new(said).lines(),
            port: 0,
            etag: None,
        };
        let line = server.line()?;
        let (port, etag) = line.split_once(' ').unwrap_or((&line, ""));
        server.port = port.parse()?;
        server.etag = Some(etag.to_owned()).filter(|tag| !tag.is_empty());
        Ok(server)
    }

    /// How often the handler ran so far.
    pub(super) fn calls(&mut self) -> Outcome<u64> {
        writeln!(self.ask, "calls")?;
        Ok(self.line()?.parse()?)
    }

    /// The child's user and system time so far, in microseconds.
    pub(super) fn cpu_us(&self) -> Outcome<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in parentheses may hold blanks; utime and stime are the 12th and 13th word after it.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks: Vec<f64> = rest
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|word| word.parse().ok())
            .collect();
        Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND * 1e6)
    }

    fn line(&mut self) -> Outcome<String> {
        Ok(self.said.next().ok_or("the server ended early")??)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A child that is already gone needs no killing.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}
