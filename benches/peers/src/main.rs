//! Measures Larder's hit path beside its peers: `in-process`, `callgrind`, `loopback`, `functions`, `gateway`, `redis`,
//! `forget` and `faults`.

mod commands;

use std::process::ExitCode;

use larder_peers::{Outcome, contenders};

const USAGE: &str = "\
larder-peers COMMAND [--flag value]...

  in-process   ns per hit, ratio to the bare handler, allocations
               --size 200,10240,102400  --rounds 25  --only a,b
  callgrind    instructions per hit (needs valgrind)
               --size 10240  --only a,b  --hits 2000,12000  --annotate NAME  --lines 40
  loopback     requests per second and server CPU per request on 127.0.0.1 (needs wrk)
               --size 10240  --only a,b  --seconds 3  --rounds 5  --connections 50
  functions    the results of functions beside moka and cached: a hit in memory, many who wait, a hit on a Redis server
               --rounds 25  --hits 100000  --waiters 1000  --only TEXT  --redis-rounds 15
  gateway      the gateway beside nginx and Varnish, answering hits on 127.0.0.1 (needs wrk, nginx and varnish)
               --size 10240  --seconds 10  --rounds 3  --connections 50  --threads 1
  redis        hits on a Redis server per second, beside a handler that does no more than a GET (needs redis-server)
               --size 10240  --concurrency 1,16,64  --rounds 9
  forget       an invalidation of a tag of one entry and of very many (needs redis-server)
               --entries 1,1000000  --rounds 9  --calls 2000
  faults       requests while the Redis server fails, beside the same without a cache (needs redis-server)
               --only killed,hung  --pairs 5  --span 2000  --bounded 0
  list         the contenders

`bare` is always measured along, because every ratio is taken to it; that of `gateway` is taken to nginx, and that
of `redis` to the raw GET.";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("larder-peers: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = words
        .split_first()
        .map_or(("help", &[][..]), |(first, rest)| (first.as_str(), rest));
    match command {
        "in-process" => commands::in_process::run(rest),
        "callgrind" => commands::callgrind::run(rest),
        "loopback" => commands::loopback::run(rest),
        "functions" => commands::functions::run(rest),
        "gateway" => commands::gateway::run(rest),
        "redis" => commands::redis::run(rest),
        "forget" => commands::forget::run(rest),
        "faults" => commands::faults::run(rest),
        // Those that the program starts itself with.
        "hits" => commands::hits::run(rest),
        "serve" => commands::serve::run(rest),
        "serve-bare" => commands::gateway::serve_bare(rest),
        "list" => {
            contenders::all().iter().for_each(|one| println!("{}", one.name));
            Ok(())
        }
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        other => Err(format!("unknown command `{other}`\n\n{USAGE}").into()),
    }
}
