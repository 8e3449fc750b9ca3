//! The committed inputs of a fuzz target, run as an ordinary test by the crate whose parser it is.

use std::fs;
use std::path::Path;

/// Runs `check` on every file in the corpus of `target`. It is in the repository and in no package: outside, nothing is
/// run.
pub(crate) fn run(target: &str, check: fn(&[u8])) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    if !fuzz.is_dir() {
        return;
    }
    let corpus = fuzz.join("corpus").join(target);
    let files = fs::read_dir(&corpus).unwrap_or_else(|e| panic!("{}: {e}", corpus.display()));
    let mut inputs = 0;
    for file in files {
        let file = file.unwrap().path();
        // What was run last is the one that failed.
        println!("{}", file.display());
        check(&fs::read(&file).unwrap());
        inputs += 1;
    }
    assert!(inputs > 0, "{} has no inputs", corpus.display());
}
