//! A server process that cannot outlive the test: it is killed on drop, and by a watchdog when the test
//! process itself is killed.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::directory::Directory;

/// Waits on a pipe from the test process. However that process ends, the kernel closes the pipe; then the
/// server is killed and its directory removed.
const WATCHDOG: &str = r#"read -r _; kill -KILL "$1"; rm -rf -- "$2""#;

#[derive(Debug)]
pub(super) struct Process {
    server: Child,
    watchdog: Child,
}

impl Process {
    /// Starts `binary`, with its output in the directory's log.
    pub(super) fn spawn(binary: &Path, args: &[String], directory: &Directory) -> Result<Self, String> {
        let cannot = |e: io::Error| format!("cannot start {}: {e}", binary.display());
        let log = File::create(directory.log()).map_err(cannot)?;
        let mut server = Command::new(binary)
            .args(args)
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(cannot)?)
            .stderr(log)
            .spawn()
            .map_err(cannot)?;
        match watch(&server, directory.path()) {
            Ok(watchdog) => Ok(Self { server, watchdog }),
            Err(e) => {
                end(&mut server);
                Err(format!("cannot start sh to watch over {}: {e}", binary.display()))
            }
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.server.id()
    }

    /// How the server ended, if it did.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.server.try_wait().ok().flatten()
    }

    pub(super) fn stop(&self) {
        self.signal("STOP");
        // The signal is on its way when `kill` returns; the test wants the server stopped.
        let begun = Instant::now();
        while self.state().is_some_and(|state| state != 'T') && begun.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(super) fn cont(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        // The shell's own `kill`: the program of that name is not on every system.
        let line = format!("kill -{name} {}", self.id());
        match Command::new("sh").args(["-c", &line]).status() {
            Ok(status) if status.success() => {}
            other => panic!("cannot send SIG{name} to the test's Redis server: `{line}` gave {other:?}"),
        }
    }

    /// The server's state letter, where the system has a `/proc` to read it from.
    fn state(&self) -> Option<char> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The watchdog first: it must not be there to kill whatever process next gets the server's id.
        end(&mut self.watchdog);
        end(&mut self.server);
    }
}

/// Starts the watchdog, in a group of its own so that what is sent to the test's group does not end it.
fn watch(server: &Child, directory: &Path) -> io::Result<Child> {
    Command::new("sh")
        .args(["-c", WATCHDOG, "sh"])
        .arg(server.id().to_string())
        .arg(directory)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

fn end(child: &mut Child) {
    // Both fail only when the child has ended already, which is what is wanted.
    let _ = child.kill();
    let _ = child.wait();
}
