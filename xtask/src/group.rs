//! A child process with all of its own children: they end together, at the latest when this program ends.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Waits on a pipe from this program, then kills the group. The kernel closes the pipe however this program
/// ends, so that an interrupted run leaves nothing behind.
const GUARD: &str = r#"read -r _; kill -KILL "-$1""#;

pub(crate) struct Group {
    leader: Child,
    guard: Child,
    leash: Option<ChildStdin>,
}

impl Group {
    /// Starts `command` in a process group of its own.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut leader = command.stdin(Stdio::null()).process_group(0).spawn()?;
        let guard = Command::new("sh")
            .args(["-c", GUARD, "sh", &leader.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        match guard {
            Ok(mut guard) => Ok(Self {
                leash: guard.stdin.take(),
                leader,
                guard,
            }),
            Err(e) => {
                let _ = leader.kill();
                let _ = leader.wait();
                Err(e)
            }
        }
    }

    /// The leader's standard output, if the command was given a pipe for it.
    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.leader.stdout.take()
    }

    /// How the leader ended, if it did.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.leader.try_wait()
    }

    /// Waits for the leader; `None` when `patience` ran out. Either way the rest of the group is killed.
    pub(crate) fn wait(&mut self, patience: Duration) -> io::Result<Option<ExitStatus>> {
        let begun = Instant::now();
        let ended = loop {
            match self.ended()? {
                None if begun.elapsed() < patience => std::thread::sleep(Duration::from_millis(10)),
                ended => break ended,
            }
        };
        self.end();
        Ok(ended)
    }

    /// Kills what is left of the group.
    fn end(&mut self) {
        // Letting go of the leash is the kill.
        self.leash = None;
        let _ = self.guard.wait();
        let _ = self.leader.wait();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn shell(line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]).stdout(Stdio::piped());
        command
    }

    #[test]
    fn a_group_that_is_out_of_time_is_killed_with_its_children() {
        let mut group = Group::spawn(&mut shell("sleep 100 & sleep 100 & echo two; wait")).unwrap();
        let mut stdout = group.stdout().unwrap();
        assert!(group.wait(Duration::from_millis(100)).unwrap().is_none());
        // The children hold the pipe: it ends when the last of them does.
        let mut said = String::new();
        stdout.read_to_string(&mut said).unwrap();
        assert_eq!(said, "two\n");
    }

    #[test]
    fn what_a_leader_leaves_behind_is_killed() {
        let mut group = Group::spawn(&mut shell("sleep 100 & exit 3")).unwrap();
        let mut stdout = group.stdout().unwrap();
        assert_eq!(
            group.wait(Duration::from_secs(10)).unwrap().unwrap().code(),
            Some(3)
        );
        stdout.read_to_string(&mut String::new()).unwrap();
    }
}
