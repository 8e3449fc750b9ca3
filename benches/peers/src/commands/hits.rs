//! `hits`: warms one contender up and asks it a number of times; what `callgrind` runs under valgrind.

use larder_peers::{
    Outcome,
    args::Args,
    contenders::{named, runtime},
};

pub(crate) fn run(words: &[String]) -> Outcome<()> {
    let args = Args::read(words, &["contender", "size", "count"])?;
    let runtime = runtime()?;
    let contender = named(args.text("contender").unwrap_or("bare"))?;
    contender
        .start(args.number("size", 10_240)?, &runtime)?
        .hits(&runtime, args.number("count", 1)?)
}
