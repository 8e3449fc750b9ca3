//! A process with its children and theirs: their CPU time, and their end, at the latest when this program ends.

use std::{
    collections::HashSet,
    fs,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

use larder_peers::Outcome;

/// Linux reports CPU time to user space in hundredths of a second on every common architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// Starts a program, waits on a pipe from this one, then ends it. The kernel closes the pipe however this program ends.
const LEASH: &str = r#""$@" & read -r _; kill -TERM $!; wait"#;

/// A running tree.
pub(super) struct Tree {
    shell: Child,
    leash: Option<ChildStdin>,
}

impl Tree {
    /// Starts `program`, which has to end on SIGTERM with all that it started. What it says goes to `said`.
    pub(super) fn start(
        program: &str,
        arguments: &[String],
        variables: &[(&str, String)],
        said: &Path,
    ) -> Outcome<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", LEASH, "sh", program]).args(arguments);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let said = fs::File::create(said)?;
        let mut shell = command
            .stdin(Stdio::piped())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()?;
        let leash = shell.stdin.take();
        Ok(Self { shell, leash })
    }

    /// User and system time so far of all that are there, in microseconds.
    pub(super) fn cpu_us(&self) -> Outcome<f64> {
        let all = processes()?;
        let mut own = HashSet::from([self.shell.id()]);
        // Until no more are found: a child may be listed before its parent.
        loop {
            let before = own.len();
            let children = all.iter().filter(|process| own.contains(&process.parent));
            let children: Vec<u32> = children.map(|process| process.id).collect();
            own.extend(children);
            if own.len() == before {
                break;
            }
        }
        let ticks: f64 = all
            .iter()
            .filter(|process| own.contains(&process.id))
            .map(|process| process.ticks)
            .sum();
        Ok(ticks / TICKS_PER_SECOND * 1e6)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // Letting go of the leash ends it.
        self.leash = None;
        let _ended = self.shell.wait();
    }
}

/// The user and system time of one process so far, in microseconds.
pub(super) fn cpu_us(id: u32) -> Option<f64> {
    process(id).map(|process| process.ticks / TICKS_PER_SECOND * 1e6)
}

struct Process {
    id: u32,
    parent: u32,
    ticks: f64,
}

fn processes() -> Outcome<Vec<Process>> {
    let ids = fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // Who ended meanwhile is left out.
    Ok(ids.filter_map(process).collect())
}

fn process(id: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (parent, ticks) = read(&stat)?;
    Some(Process { id, parent, ticks })
}

/// The parent, and the ticks in user and system mode together.
fn read(stat: &str) -> Option<(u32, f64)> {
    // The name in parentheses may hold blanks; the parent is the second word after it, utime and stime the 12th and 13th.
    let (_, rest) = stat.rsplit_once(')')?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |at: usize| words.get(at)?.parse::<f64>().ok();
    Some((words.get(1)?.parse().ok()?, ticks(11)? + ticks(12)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernel_is_read() {
        let stat = "12 (a (b) c) S 7 12 12 0 -1 4194560 1 2 3 4 50 25 6 7 20 0 1 0 99";
        assert_eq!(read(stat), Some((7, 75.0)));
        assert_eq!(read("12 (a) S"), None);
    }

    #[test]
    fn what_children_spend_counts_and_they_end_with_the_tree() {
        let mark = std::env::temp_dir().join(format!("larder-peers-tree-{}", std::process::id()));
        let script = format!(
            "sh -c 'n=0; while [ $n -lt 200000 ]; do n=$((n+1)); done; echo $$ > {0}.part; mv {0}.part {0}; sleep 60 & wait' & trap 'kill $!' TERM; wait",
            mark.display()
        );
        let tree = Tree::start("sh", &["-c".to_owned(), script], &[], Path::new("/dev/null")).unwrap();
        let grandchild = loop {
            match fs::read_to_string(&mark) {
                Ok(id) => break id.trim().to_owned(),
                Err(_) => std::thread::sleep(std::time::Duration::from_millis(5)),
            }
        };
        assert!(tree.cpu_us().unwrap() > 0.0);
        drop(tree);
        fs::remove_file(mark).unwrap();
        let left = fs::read_to_string(format!("/proc/{grandchild}/stat"));
        assert!(left.is_err() || left.unwrap().contains(") Z"));
    }
}
