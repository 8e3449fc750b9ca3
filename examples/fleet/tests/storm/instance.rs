//! The process of one instance, which is started, killed, stopped and let go on.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fleet::Options;

#[derive(Debug)]
pub(crate) struct Instance {
    options: Options,
    life: Mutex<Life>,
    /// Even while it is left alone; each change of that counts.
    upsets: AtomicU64,
    hits: AtomicU64,
}

#[derive(Debug, Default)]
struct Life {
    child: Option<Child>,
    addr: Option<SocketAddr>,
    number: u32,
}

impl Instance {
    /// Starts an instance. It gets a new name with each life.
    pub(crate) fn start(options: Options) -> Self {
        let instance = Self {
            options,
            life: Mutex::default(),
            upsets: AtomicU64::new(0),
            hits: AtomicU64::new(0),
        };
        instance.begin();
        instance
    }

    pub(crate) fn addr(&self) -> Option<SocketAddr> {
        self.life().addr
    }

    /// Who it is on its pages.
    pub(crate) fn name(&self) -> String {
        format!("{}.{}", self.options.name, self.life().number)
    }

    /// A number that stays the same while nothing is done to it; `None` while something is.
    pub(crate) fn at_peace(&self) -> Option<u64> {
        Some(self.upsets.load(SeqCst)).filter(|upsets| upsets % 2 == 0)
    }

    pub(crate) fn hit(&self) {
        self.hits.fetch_add(1, SeqCst);
    }

    /// How many of its answers came from its cache.
    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(SeqCst)
    }

    pub(crate) fn kill(&self) {
        self.upset();
        let child = {
            let mut life = self.life();
            life.addr = None;
            life.child.take()
        };
        end(child);
    }

    pub(crate) fn restart(&self) {
        self.begin();
        self.upset();
    }

    pub(crate) fn stop(&self) {
        self.upset();
        self.signal("STOP");
    }

    pub(crate) fn cont(&self) {
        self.signal("CONT");
        self.upset();
    }

    fn begin(&self) {
        let mut options = self.options.clone();
        // Not locked while it starts: others want to know where it is.
        options.name = {
            let mut life = self.life();
            life.number += 1;
            format!("{}.{}", options.name, life.number)
        };
        let mut child = Command::new(env!("CARGO_BIN_EXE_instance"))
            .args(options.words())
            // It ends with this pipe, however this process ends.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        let addr = line.trim().strip_prefix("listening on ");
        let addr = addr.and_then(|addr| addr.parse().ok());
        assert!(addr.is_some(), "an instance says {line:?}: {:?}", child.wait());
        let mut life = self.life();
        life.addr = addr;
        life.child = Some(child);
    }

    fn signal(&self, name: &str) {
        let life = self.life();
        let id = life.child.as_ref().unwrap().id();
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {id}")])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    fn upset(&self) {
        self.upsets.fetch_add(1, SeqCst);
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end(child: Option<Child>) {
    if let Some(mut child) = child {
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        end(self.life().child.take());
    }
}
