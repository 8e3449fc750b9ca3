//! A contender served by a child process, with the child's CPU time; the child is killed on drop.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use larder_peers::{Outcome, contenders::Contender};

use super::tree;

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
        Ok(tree::cpu_us(self.child.id()).ok_or("the server ended early")?)
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
