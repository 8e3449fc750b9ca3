//! The proxies that `gateway` compares, each started with a configuration made for answering hits.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use larder_peers::Outcome;

use super::tree::Tree;

/// How long a proxy may take until it listens.
const PATIENCE: Duration = Duration::from_secs(10);

/// One of those that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proxy {
    /// No proxy: a handler that returns constant bytes.
    Bare,
    /// With `sendfile` on, as is usual, or off, which is cheaper for small bodies.
    Nginx {
        sendfile: bool,
    },
    Varnish,
    /// Larder's, in this profile.
    Gateway(&'static str),
}

impl Proxy {
    pub(super) const ALL: [Self; 6] = [
        Self::Bare,
        Self::Nginx { sendfile: true },
        Self::Nginx { sendfile: false },
        Self::Varnish,
        Self::Gateway("safe"),
        Self::Gateway("rfc"),
    ];

    pub(super) fn name(self) -> String {
        match self {
            Self::Bare => "`bare`".to_owned(),
            Self::Nginx { sendfile: true } => "nginx".to_owned(),
            Self::Nginx { sendfile: false } => "nginx, `sendfile off`".to_owned(),
            Self::Varnish => "Varnish".to_owned(),
            Self::Gateway(profile) => format!("**gateway**, `{profile}`"),
        }
    }

    /// Starts it in front of an origin at `origin` that answers with `size` bytes, with `threads` at work and its files
    /// in `folder`.
    pub(super) fn start(self, origin: u16, size: usize, threads: u32, folder: &Path) -> Outcome<Running> {
        let folder = folder.join(format!("{self:?}").replace(|sign: char| !sign.is_alphanumeric(), "-"));
        fs::create_dir_all(&folder)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let at = format!("127.0.0.1:{port}");
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let workers = [("TOKIO_WORKER_THREADS", threads.to_string())];
        let said = folder.join("said");
        let tree = match self {
            Self::Bare => {
                let bare = super::myself()?;
                let [port, size, threads] = [port.to_string(), size.to_string(), threads.to_string()];
                let arguments = [
                    "serve-bare",
                    "--port",
                    &port,
                    "--size",
                    &size,
                    "--threads",
                    &threads,
                ];
                Tree::start(&bare.display().to_string(), &words(&arguments), &[], &said)?
            }
            Self::Nginx { sendfile } => {
                let file = folder.join("nginx.conf");
                fs::write(&file, nginx(&at, origin, threads, sendfile, &folder))?;
                let arguments = [
                    "-c",
                    &file.display().to_string(),
                    "-p",
                    &folder.display().to_string(),
                ];
                Tree::start("nginx", &words(&arguments), &[], &said)?
            }
            Self::Varnish => {
                let (origin, name) = (format!("127.0.0.1:{origin}"), folder.display().to_string());
                let arguments = ["-F", "-a", &at, "-b", &origin, "-n", &name, "-s", "malloc,64m"];
                Tree::start("varnishd", &words(&arguments), &[], &said)?
            }
            Self::Gateway(profile) => {
                let origin = format!("http://127.0.0.1:{origin}");
                let arguments = [
                    "--listen",
                    &at,
                    "--origin",
                    &origin,
                    "--profile",
                    profile,
                    "--quiet",
                ];
                Tree::start(
                    &gateway()?.display().to_string(),
                    &words(&arguments),
                    &workers,
                    &said,
                )?
            }
        };
        until_it_listens(port).map_err(|()| {
            let said = fs::read_to_string(&said).unwrap_or_default();
            format!(
                "{} does not listen after {PATIENCE:?}: {}",
                self.name(),
                said.trim()
            )
        })?;
        Ok(Running { tree, port })
    }
}

/// A proxy that listens; it ends when this is dropped.
pub(super) struct Running {
    pub(super) tree: Tree,
    pub(super) port: u16,
}

/// The gateway's program: built beside this one.
pub(super) fn gateway() -> Outcome<PathBuf> {
    let program = super::myself()?.with_file_name("gateway");
    if program.exists() {
        return Ok(program);
    }
    Err("the gateway is not built; build the package `gateway` with the profile `peers`".into())
}

/// Hits from the page cache, files kept open, connections kept, nothing logged.
fn nginx(at: &str, origin: u16, threads: u32, sendfile: bool, folder: &Path) -> String {
    let sendfile = if sendfile { "on" } else { "off" };
    let folder = folder.display();
    format!(
        "daemon off;
worker_processes {threads};
pid {folder}/pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile {sendfile};
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    open_file_cache max=1000;
    open_file_cache_valid 60s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_cache_path {folder}/cache levels=1:2 keys_zone=hits:10m use_temp_path=off;
    server {{
        listen {at};
        location / {{
            proxy_pass http://127.0.0.1:{origin};
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_set_header Host $host;
            proxy_cache hits;
            proxy_cache_key $host$request_uri;
        }}
    }}
}}
"
    )
}

fn until_it_listens(port: u16) -> Result<(), ()> {
    let begun = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if begun.elapsed() > PATIENCE {
            return Err(());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
