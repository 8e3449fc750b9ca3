//! `callgrind`: instructions per hit as the difference of two run lengths, which is exact and needs no quiet machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use larder_peers::{
    Outcome,
    args::Args,
    contenders::{Contender, named},
};

/// A costly contender is counted over this many times fewer hits.
const COSTLY: u64 = 20;

pub(crate) fn run(words: &[String]) -> Outcome<()> {
    let args = Args::read(words, &["size", "only", "hits", "annotate", "lines"])?;
    super::installed("valgrind", "valgrind")?;
    let sizes = args.numbers("size", &[10_240])?;
    let hits = args.numbers("hits", &[2_000, 12_000])?;
    let &[short, long] = hits.as_slice() else {
        return Err("--hits needs two run lengths, such as 2000,12000".into());
    };
    if short >= long {
        return Err("--hits needs the shorter run first".into());
    }
    if let Some(name) = args.text("annotate") {
        return annotate(named(name)?, sizes[0], long, args.number("lines", 40)?);
    }
    for size in sizes {
        println!("\n{size} bytes, instructions per hit\n");
        println!("| contender | instructions | ×bare |\n|---|---:|---:|");
        let mut bare = None;
        for contender in args.contenders()? {
            let count = per_hit(contender, size, short, long)?;
            let ratio = ratio(count, *bare.get_or_insert(count));
            println!("| {} | {count} | {ratio:.2} |", contender.name);
        }
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss)]
fn ratio(count: u64, bare: u64) -> f64 {
    count as f64 / bare as f64
}

fn per_hit(contender: Contender, size: usize, short: u64, long: u64) -> Outcome<u64> {
    let fewer = if contender.costly { COSTLY } else { 1 };
    let (short, long) = (short / fewer, long / fewer);
    let less = Profile::of(contender, size, short)?.instructions()?;
    let more = Profile::of(contender, size, long)?.instructions()?;
    Ok((more - less) / (long - short))
}

fn annotate(contender: Contender, size: usize, hits: u64, lines: usize) -> Outcome<()> {
    let profile = Profile::of(contender, size, hits)?;
    println!(
        "{} at {size} bytes: the whole run of {hits} hits\n",
        contender.name
    );
    let output = Command::new("callgrind_annotate")
        .arg("--auto=no")
        .arg(profile.path())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .filter(|line| line.contains('%'))
        .take(lines)
        .for_each(|line| println!("{}", line.trim_end()));
    Ok(())
}

/// One run's output file, removed when dropped.
struct Profile(PathBuf);

impl Profile {
    fn of(contender: Contender, size: usize, hits: u64) -> Outcome<Self> {
        let file = format!(
            "larder-peers-{}-{}-{size}-{hits}.out",
            std::process::id(),
            contender.name
        );
        let profile = Self(std::env::temp_dir().join(file));
        let output = Command::new("valgrind")
            .arg("--tool=callgrind")
            .arg(format!("--callgrind-out-file={}", profile.0.display()))
            .arg(super::myself()?)
            .args(["hits", "--contender", contender.name])
            .args(["--size", &size.to_string(), "--count", &hits.to_string()])
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            return Err(format!(
                "{} under valgrind: {}",
                contender.name,
                text.lines().last().unwrap_or("failed")
            )
            .into());
        }
        Ok(profile)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn instructions(&self) -> Outcome<u64> {
        let text = fs::read_to_string(&self.0)?;
        let total = text.lines().find_map(|line| {
            line.strip_prefix("summary: ")
                .or_else(|| line.strip_prefix("totals: "))
        });
        let total = total.ok_or("no total in callgrind's output")?;
        Ok(total.trim().parse()?)
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // Nothing to do about a file that cannot be removed from the temporary folder.
        let _gone = fs::remove_file(&self.0);
    }
}
