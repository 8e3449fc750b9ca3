//! What a server is to be started with.

use std::fs;

use super::directory::Directory;
use super::port::Port;
use super::{RedisServer, binary};

/// How often a server is started on another port because something took the last one.
const PORTS_TRIED: usize = 20;

/// What a [`RedisServer`] is to be started with.
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until `start` is called"]
pub struct RedisServerBuilder {
    args: Vec<String>,
    password: Option<String>,
    bus: bool,
    sentinel: bool,
    tls: Option<Tls>,
}

/// What a server shows and believes, in PEM.
#[derive(Debug, Clone)]
struct Tls {
    certificate: String,
    key: String,
    authority: String,
}

impl RedisServerBuilder {
    /// Adds one word to the server's command line, after (and so over) the kit's own.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use larder_testkit::RedisServer;
    ///
    /// let small = RedisServer::builder().arg("--databases").arg("3").start();
    /// assert_eq!(small.cli(&["CONFIG", "GET", "databases"]), "databases\n3");
    /// # }
    /// ```
    pub fn arg(mut self, word: impl Into<String>) -> Self {
        self.args.push(word.into());
        self
    }

    /// A server that holds at most `bytes` bytes, and then does as `policy` says: `noeviction` refuses writes,
    /// `allkeys-lru` and others drop keys. By default there is no limit.
    ///
    /// An empty server needs about a megabyte for itself.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use larder_testkit::RedisServer;
    ///
    /// let small = RedisServer::builder().maxmemory(4 << 20, "allkeys-lru").start();
    /// assert_eq!(small.cli(&["CONFIG", "GET", "maxmemory"]), "maxmemory\n4194304");
    /// # }
    /// ```
    pub fn maxmemory(self, bytes: u64, policy: &str) -> Self {
        self.arg("--maxmemory")
            .arg(bytes.to_string())
            .arg("--maxmemory-policy")
            .arg(policy)
    }

    /// A server that asks each client for a password (`requirepass`), which is then part of its
    /// [`url`](RedisServer::url). By default there is none.
    ///
    /// # Panics
    ///
    /// When `password` has anything but ASCII letters and digits: it stands in the URL as it is.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        let password = password.into();
        let plain = !password.is_empty() && password.bytes().all(|byte| byte.is_ascii_alphanumeric());
        assert!(
            plain,
            "the password {password:?} of a test's Redis server: use letters and digits only"
        );
        self.password = Some(password);
        self
    }

    /// A server that speaks TLS alone on its port, with this certificate and key, all in PEM; its URL then begins with
    /// `rediss`. Clients must show a certificate of the `authority`; with `.arg("--tls-auth-clients").arg("no")`, none.
    /// Servers of a cluster or with Sentinels talk to each other over TLS too, and show each other the same certificate.
    ///
    /// # Panics
    ///
    /// [`start`](Self::start) does, when the server was built without TLS.
    pub fn tls(mut self, certificate: &str, key: &str, authority: &str) -> Self {
        self.tls = Some(Tls {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            authority: authority.to_owned(),
        });
        self
    }

    /// A node of a cluster, with a port for the bus as well.
    pub(crate) fn clustered(mut self) -> Self {
        self.bus = true;
        self.arg("--cluster-enabled").arg("yes")
    }

    /// A Sentinel.
    pub(crate) fn watching(mut self) -> Self {
        self.sentinel = true;
        self.arg("--sentinel")
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Panics
    ///
    /// When there is no server program, or the server ends or stays silent instead of answering.
    #[must_use]
    pub fn start(self) -> RedisServer {
        let binary = binary::find().unwrap_or_else(|missing| panic!("{missing}"));
        let directory = Directory::create().unwrap_or_else(|e| {
            panic!("cannot create a directory for a Redis server in the temporary directory: {e}")
        });
        let config = self.sentinel.then(|| {
            let path = directory.path().join("sentinel.conf");
            // It keeps in there what it knows.
            fs::write(&path, "").unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
            path.display().to_string()
        });
        let certificates = self.tls.iter().flat_map(|tls| tls.write(&directory));
        let mut server = RedisServer {
            config,
            binary,
            args: certificates.chain(self.args).collect(),
            tls: self.tls.is_some(),
            password: self.password,
            port: Port::claim(),
            bus: self.bus.then(Port::claim),
            process: None,
            directory,
        };
        for _ in 0..PORTS_TRIED {
            match server.launch() {
                Ok(()) => return server,
                Err(failure) if server.port_was_taken() => drop(failure),
                Err(failure) => panic!("{failure}"),
            }
            server.port = Port::claim();
            server.bus = self.bus.then(Port::claim);
        }
        panic!("no free port for a Redis server: {PORTS_TRIED} ports were taken one after the other");
    }
}

impl Tls {
    /// Writes the files, and answers the words that name them.
    fn write(&self, directory: &Directory) -> Vec<String> {
        let files = [
            ("--tls-cert-file", "tls.crt", &self.certificate),
            ("--tls-key-file", "tls.key", &self.key),
            ("--tls-ca-cert-file", "ca.crt", &self.authority),
        ];
        let write = |(word, name, text): (&str, &str, &String)| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
            [word.to_owned(), path.display().to_string()]
        };
        files.into_iter().flat_map(write).collect()
    }
}
