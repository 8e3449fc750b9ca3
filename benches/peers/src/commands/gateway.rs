//! `gateway`: Larder's gateway beside nginx and Varnish, each answering hits on 127.0.0.1, in turns.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    thread,
};

use larder_peers::{
    Outcome,
    args::Args,
    origin::Origin,
    stats::{median, median_ratio},
};
use tokio::net::TcpListener;

use super::{
    proxies::{self, Proxy, Running},
    wrk,
};

pub(crate) fn run(words: &[String]) -> Outcome<()> {
    let args = Args::read(words, &["size", "seconds", "rounds", "connections", "threads"])?;
    for (program, package) in [("wrk", "wrk"), ("nginx", "nginx"), ("varnishd", "varnish")] {
        super::installed(program, package)?;
    }
    proxies::gateway()?;
    let (size, seconds) = (args.number("size", 10_240)?, args.number("seconds", 10)?);
    let (rounds, connections) = (args.number("rounds", 3_u32)?, args.number("connections", 50)?);
    let threads = args.number("threads", 1)?;
    let origin = Origin::new(size);
    let port = serve(&origin, 0, 1)?;
    let folder = Folder::new()?;
    let mut lanes: Vec<Lane> = Proxy::ALL.map(Lane::new).into();
    for round in 1..=rounds {
        for lane in &mut lanes {
            eprintln!("round {round}: {}", lane.proxy.name());
            // Alone: another that only waits has timers still.
            let running = lane.proxy.start(port, size, threads, &folder.0)?;
            lane.drive(&running, &origin, seconds, connections)?;
        }
    }
    println!(
        "\n{size} bytes, {connections} connections, {threads} threads, {rounds} rounds of {seconds} s\n"
    );
    print(&lanes);
    Ok(())
}

/// `serve-bare`: the floor, which is a handler without a proxy.
pub(crate) fn serve_bare(words: &[String]) -> Outcome<()> {
    let args = Args::read(words, &["size", "port", "threads"])?;
    let origin = Origin::new(args.number("size", 10_240)?);
    serve(&origin, args.number("port", 0)?, args.number("threads", 1)?)?;
    loop {
        thread::park();
    }
}

/// Serves `origin` on threads of its own, and says on which port.
fn serve(origin: &Origin, port: u16, threads: usize) -> Outcome<u16> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, port)))?;
    let port = listener.local_addr()?.port();
    let router = origin.router();
    thread::spawn(move || runtime.block_on(async { axum::serve(listener, router).await }));
    Ok(port)
}

/// A folder for their files, which goes with this.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Outcome<Self> {
        let folder = std::env::temp_dir().join(format!("larder-peers-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        // Both others have users of their own when they are started by root.
        open(&folder)?;
        Ok(Self(folder))
    }
}

fn open(folder: &Path) -> Outcome<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?)
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _removed = fs::remove_dir_all(&self.0);
    }
}

/// One proxy, and what each round gave.
struct Lane {
    proxy: Proxy,
    per_second: Vec<f64>,
    cpu_us: Vec<f64>,
    p50_ms: Vec<f64>,
    p99_ms: Vec<f64>,
}

impl Lane {
    const fn new(proxy: Proxy) -> Self {
        Self {
            proxy,
            per_second: Vec::new(),
            cpu_us: Vec::new(),
            p50_ms: Vec::new(),
            p99_ms: Vec::new(),
        }
    }

    fn drive(&mut self, running: &Running, origin: &Origin, seconds: u64, connections: u32) -> Outcome<()> {
        // The first is the miss, and all threads and buffers are there after a second.
        wrk::drive(running.port, None, 1, connections)?;
        let (calls, cpu) = (origin.calls(), running.tree.cpu_us()?);
        let load = wrk::drive(running.port, None, seconds, connections)?;
        let spent = running.tree.cpu_us()? - cpu;
        let asked = origin.calls() - calls;
        if asked > 0 {
            return Err(format!(
                "{}: the origin was asked {asked} times under load",
                self.proxy.name()
            )
            .into());
        }
        self.per_second.push(load.per_second);
        self.cpu_us.push(spent / load.requests);
        self.p50_ms.push(load.p50_ms);
        self.p99_ms.push(load.p99_ms);
        Ok(())
    }
}

fn print(lanes: &[Lane]) {
    println!(
        "| proxy | requests/s | server CPU µs per request | ×nginx | ×nginx, `sendfile off` | p50 ms | p99 ms |\n\
         |---|---:|---:|---:|---:|---:|---:|"
    );
    let nginx = |sendfile| {
        let lane = lanes.iter().find(|lane| lane.proxy == Proxy::Nginx { sendfile });
        lane.map_or(&[][..], |lane| &lane.cpu_us)
    };
    for lane in lanes {
        println!(
            "| {} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} |",
            lane.proxy.name(),
            median(&lane.per_second),
            median(&lane.cpu_us),
            median_ratio(&lane.cpu_us, nginx(true)),
            median_ratio(&lane.cpu_us, nginx(false)),
            median(&lane.p50_ms),
            median(&lane.p99_ms),
        );
    }
}
