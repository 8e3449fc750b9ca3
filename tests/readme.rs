//! What the documents say is what happens: the README's commands, run by a shell against the real example, and the
//! places that ARCHITECTURE.md names.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

#[test]
fn the_commands_of_the_readme_print_what_it_shows() {
    assert!(
        Command::new("curl").arg("--version").output().is_ok(),
        "no curl found, with which the README's commands are run: apt-get install curl"
    );
    let readme = read("README.md");
    let steps: Vec<(&str, &str)> = steps(&readme);
    assert!(steps.len() >= 6, "{} steps in the README", steps.len());
    let quickstart = Quickstart::start();
    for (commands, shown) in steps {
        let commands = commands.replace("127.0.0.1:3000", &quickstart.address);
        assert!(!commands.contains("3000"), "another address: {commands}");
        let output = Command::new("sh").args(["-c", &commands]).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap().replace('\r', "");
        assert_eq!(
            printed.trim_end(),
            shown,
            "\n{commands}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// The README tells to run the example as it is tested here.
#[test]
fn the_readme_starts_the_example_on_the_port_of_its_commands() {
    let readme = read("README.md");
    assert!(readme.contains("```sh\ncargo run --example quickstart\n```"));
    assert!(read("examples/quickstart.rs").contains("\"127.0.0.1:3000\""));
}

#[test]
fn the_architecture_names_the_lines_where_it_is_decided() {
    let text = read("ARCHITECTURE.md");
    let (_, rest) = text
        .split_once("`crates/cache-layer/src/flow.rs`, function `decide`, lines ")
        .unwrap();
    let lines: String = rest
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '–')
        .collect();
    let (first, last) = lines.split_once('–').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    assert!(last - first < 60, "{lines} is no place");
    let flow = read("crates/cache-layer/src/flow.rs");
    let decide = flow.lines().position(|line| line.contains("fn decide")).unwrap() + 1;
    let end = decide + flow.lines().skip(decide).position(|line| line == "}").unwrap() + 1;
    assert!(
        first <= decide && end <= last,
        "`decide` is in lines {decide}–{end} of flow.rs; ARCHITECTURE.md says {lines}"
    );
}

/// The page of the answers explains every word that a header, a metric or a log can say.
#[test]
fn every_word_of_the_vocabulary_is_in_the_guide() {
    let status = read("crates/cache-layer/src/status.rs");
    let words: Vec<&str> = status
        .split("pub const fn as_str(")
        .skip(1)
        .flat_map(|function| function.split_once("\n    }\n").unwrap().0.lines())
        .filter_map(|line| line.split_once("=> \"")?.1.split_once('"'))
        .map(|(word, _)| word)
        .collect();
    assert!(words.len() >= 9 + 5 + 12 + 13, "{words:?}");
    let guide = read("src/guide/answers.rs");
    for word in words {
        assert!(
            guide.contains(&format!("//! | `{word}` | ")),
            "no row for `{word}` in src/guide/answers.rs"
        );
    }
}

/// The documents name files; each is there.
#[test]
fn files_named_in_the_documents_exist() {
    for document in ["README.md", "ARCHITECTURE.md"] {
        let text = read(document);
        let linked = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
        for target in linked.filter(|target| !target.contains("://") && !target.starts_with('#')) {
            assert!(root().join(target).exists(), "{document} links to {target}");
        }
        let quoted = text.split('`').skip(1).step_by(2);
        for path in quoted.filter(|word| word.ends_with(".rs") && word.contains('/')) {
            assert!(root().join(path).exists(), "{document} names {path}");
        }
    }
}

/// The commands with `curl`, each with what it prints: a block `sh`, and the block `text` that follows it.
fn steps(readme: &str) -> Vec<(&str, &str)> {
    let blocks: Vec<(&str, &str)> = readme
        .split("\n```")
        .skip(1)
        .step_by(2)
        .map(|block| block.split_once('\n').unwrap())
        .collect();
    let commands = blocks
        .iter()
        .enumerate()
        .filter(|(_, (kind, text))| *kind == "sh" && text.contains("curl"));
    commands
        .map(|(at, (_, commands))| match blocks.get(at + 1) {
            Some(("text", shown)) => (*commands, *shown),
            _ => panic!("no output is shown for: {commands}"),
        })
        .collect()
}

/// The example, until it is dropped.
struct Quickstart {
    process: Child,
    address: String,
    /// Open as long as the example may print.
    _printed: BufReader<ChildStdout>,
}

impl Quickstart {
    fn start() -> Self {
        let mut command = Command::new(program());
        command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LARDER_") {
                command.env_remove(name);
            }
        }
        let mut process = command.spawn().unwrap();
        let mut printed = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        let read = printed.read_line(&mut line);
        let address = line
            .trim()
            .strip_prefix("listening on http://")
            .map(str::to_owned);
        let started = Self {
            process,
            address: address.unwrap_or_default(),
            _printed: printed,
        };
        assert!(
            !started.address.is_empty(),
            "the example did not start ({read:?}): {line:?}"
        );
        started
    }
}

impl Drop for Quickstart {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The example's program, which cargo builds with the tests, or is asked to where only this test was to be built.
fn program() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let folder = this.parent().and_then(Path::parent).unwrap();
    let program = folder
        .join("examples")
        .join(format!("quickstart{}", std::env::consts::EXE_SUFFIX));
    if !program.exists() {
        // The folder has the profile's name, but for `dev`.
        let profile = folder.file_name().unwrap().to_str().unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--package", "larder", "--example", "quickstart"])
            .args(["--profile", if profile == "debug" { "dev" } else { profile }])
            .arg("--target-dir")
            .arg(folder.parent().unwrap());
        assert!(cargo.current_dir(root()).status().unwrap().success());
    }
    program
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
