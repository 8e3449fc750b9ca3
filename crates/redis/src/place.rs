//! Where the records and the entries are.

use std::fmt;

use redis::io::tcp::TcpSettings;
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisResult};

use crate::tls::Certificates;

/// Where the server is, or the servers are, that a [`RedisStore`](crate::RedisStore) is on.
///
/// | Made of | Is |
/// |---|---|
/// | `redis://[user:password@]host[:port][/database]`, `unix:///path/to/socket` | one server |
/// | `redis+sentinel://[user:password@]sentinel[:port],…/name[/database]`, [`Place::sentinel`] | the primary that Sentinels name; user and password are those of the servers |
/// | `redis+cluster://[user:password@]node[:port],…`, [`Place::cluster`] | a Cluster |
/// | a `redis::aio::ConnectionManager` (feature `connection-manager`) | what it is connected to |
/// | a `deadpool_redis::Pool` (feature `deadpool`) | the server of the pool, of which one connection is taken for good |
/// | a `redis::cluster_async::ClusterConnection` (feature `cluster`) | what it is connected to |
///
/// With the feature `tls`, each of the schemes can begin with `rediss` and then goes over TLS.
///
/// **What is weaker over what is yours.** The store believes a server's records for as long as it is the same process that
/// it asked who it is. Its own connections end with that process, and so does one that was taken out of a pool. A
/// `ConnectionManager` and a `ClusterConnection` connect again by themselves: that another server answers, or the same after
/// a restart from a snapshot, is noticed by asking twice a second, and until then entries that were forgotten may be
/// served. And nobody can listen on them: [`Coherence::Bounded`](crate::Coherence::Bounded) needs
/// [`Builder::listen_at`](crate::Builder::listen_at), with a pool too.
#[derive(Clone)]
pub struct Place(pub(crate) Kind);

#[derive(Clone)]
pub(crate) enum Kind {
    Server(String),
    Sentinel {
        name: String,
        sentinels: Vec<String>,
        server: String,
    },
    Cluster(Vec<String>),
    #[cfg(feature = "connection-manager")]
    Managed(redis::aio::ConnectionManager),
    #[cfg(feature = "deadpool")]
    Pool(deadpool_redis::Pool),
    #[cfg(feature = "cluster")]
    Spread(redis::cluster_async::ClusterConnection),
}

impl Place {
    /// A Cluster, of which the nodes at these URLs are asked for the others. User, password and TLS are those of the first.
    ///
    /// The records of a namespace are all in one slot, and so on one primary: a hit asks it alone, and each invalidation is
    /// one step. What a namespace can do is therefore bounded by one primary; a service that needs more takes several
    /// namespaces. Entries are spread over all slots.
    pub fn cluster<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Self {
        Self(Kind::Cluster(urls.into_iter().map(Into::into).collect()))
    }

    /// The primary that the Sentinels at these URLs know by `name`. Name them all: one is believed when most of them name
    /// it, asked twice a second, and when for 2 s most of them have not, nothing is read from it any more.
    ///
    /// User, password, database and TLS in these URLs are for the Sentinels; for the servers, see
    /// [`servers`](Self::servers).
    pub fn sentinel<U: Into<String>>(
        name: impl Into<String>,
        sentinels: impl IntoIterator<Item = U>,
    ) -> Self {
        Self(Kind::Sentinel {
            name: name.into(),
            sentinels: sentinels.into_iter().map(Into::into).collect(),
            server: "redis://localhost".to_owned(),
        })
    }

    /// How the servers that Sentinels name are talked to: with user, password, database and TLS of this URL; its host is not
    /// used. `redis://localhost` by default, which is without any. Of no effect without Sentinels.
    #[must_use]
    pub fn servers(mut self, url: impl Into<String>) -> Self {
        if let Kind::Sentinel { server, .. } = &mut self.0 {
            *server = url.into();
        }
        self
    }

    fn of_url(url: String) -> Self {
        if let Some((scheme, rest)) = scheme(&url, "+cluster") {
            let (user, hosts) = split_user(rest);
            let urls = hosts.trim_end_matches('/').split(',');
            return Self::cluster(urls.map(|host| format!("{scheme}://{user}{host}")));
        }
        if let Some((scheme, rest)) = scheme(&url, "+sentinel") {
            let (user, rest) = split_user(rest);
            let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
            let (name, database) = path.split_once('/').unwrap_or((path, ""));
            let sentinels = hosts.split(',').map(|host| format!("{scheme}://{host}"));
            return Self::sentinel(name, sentinels).servers(format!("{scheme}://{user}localhost/{database}"));
        }
        Self(Kind::Server(url))
    }
}

/// What `url` goes over, and what follows its scheme, if that ends with `suffix`.
fn scheme<'a>(url: &'a str, suffix: &str) -> Option<(&'a str, &'a str)> {
    let (scheme, rest) = url.split_once("://")?;
    Some((scheme.strip_suffix(suffix)?, rest))
}

/// What is before the hosts, with the `@`.
fn split_user(rest: &str) -> (&str, &str) {
    rest.rsplit_once('@')
        .map_or(("", rest), |(user, _)| rest.split_at(user.len() + 1))
}

impl From<String> for Place {
    fn from(url: String) -> Self {
        Self::of_url(url)
    }
}

impl From<&String> for Place {
    fn from(url: &String) -> Self {
        Self::of_url(url.clone())
    }
}

impl From<&str> for Place {
    fn from(url: &str) -> Self {
        Self::of_url(url.to_owned())
    }
}

#[cfg(feature = "connection-manager")]
impl From<redis::aio::ConnectionManager> for Place {
    fn from(manager: redis::aio::ConnectionManager) -> Self {
        Self(Kind::Managed(manager))
    }
}

#[cfg(feature = "deadpool")]
impl From<deadpool_redis::Pool> for Place {
    fn from(pool: deadpool_redis::Pool) -> Self {
        Self(Kind::Pool(pool))
    }
}

#[cfg(feature = "cluster")]
impl From<redis::cluster_async::ClusterConnection> for Place {
    fn from(connection: redis::cluster_async::ClusterConnection) -> Self {
        Self(Kind::Spread(connection))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No URL, which may have a password in it.
        f.write_str(match &self.0 {
            Kind::Server(_) => "Place(a server)",
            Kind::Sentinel { .. } => "Place(by Sentinels)",
            Kind::Cluster(_) => "Place(a cluster)",
            #[cfg(feature = "connection-manager")]
            Kind::Managed(_) => "Place(a connection manager)",
            #[cfg(feature = "deadpool")]
            Kind::Pool(_) => "Place(a pool)",
            #[cfg(feature = "cluster")]
            Kind::Spread(_) => "Place(a cluster connection)",
        })
    }
}

/// How servers are talked to, at whatever address.
#[derive(Clone)]
pub(crate) struct Manner(ConnectionInfo);

impl Manner {
    pub(crate) fn read(url: &str, certificates: &Certificates) -> RedisResult<Self> {
        let info = url.into_connection_info()?;
        // Otherwise small commands wait for the acknowledgement of those before.
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        Ok(Self(certificates.client(info)?.get_connection_info().clone()))
    }

    /// The server that was named.
    pub(crate) fn client(&self) -> RedisResult<Client> {
        Client::open(self.0.clone())
    }

    /// Host and port of the server that was named; of a socket its path and 0.
    pub(crate) fn address(&self) -> (String, u16) {
        host_and_port(self.0.addr())
    }

    /// The same at another address.
    pub(crate) fn at(&self, host: &str, port: u16) -> RedisResult<Client> {
        let host = host.to_owned();
        let addr = match self.0.addr() {
            ConnectionAddr::TcpTls {
                insecure, tls_params, ..
            } => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            _ => ConnectionAddr::Tcp(host, port),
        };
        Client::open(self.0.clone().set_addr(addr))
    }
}

/// Host and port; of a socket its path and 0.
pub(crate) fn host_and_port(addr: &ConnectionAddr) -> (String, u16) {
    match addr {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => (host.clone(), *port),
        other => (other.to_string(), 0),
    }
}

/// Host and port of what a server names, where no host is that of the server that was asked.
pub(crate) fn address(named: &str, asked: &str) -> Option<(String, u16)> {
    let (host, port) = named.rsplit_once(':')?;
    Some((host_or(host, asked), port.parse().ok()?))
}

pub(crate) fn host_or(host: &str, asked: &str) -> String {
    if host.is_empty() || host == "?" {
        asked
    } else {
        host
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_server_a_cluster_or_sentinels() {
        let Kind::Cluster(urls) = Place::from("redis+cluster://u:p@a:1,b:2/").0 else {
            panic!("a cluster");
        };
        assert_eq!(urls, ["redis://u:p@a:1", "redis://u:p@b:2"]);
        let Kind::Sentinel {
            name,
            sentinels,
            server,
        } = Place::from("rediss+sentinel://:p@a:1,b/main/3").0
        else {
            panic!("sentinels");
        };
        assert_eq!(sentinels, ["rediss://a:1", "rediss://b"]);
        assert_eq!(
            (name.as_str(), server.as_str()),
            ("main", "rediss://:p@localhost/3")
        );
        assert!(matches!(Place::from("redis://a/1").0, Kind::Server(url) if url == "redis://a/1"));
    }

    #[test]
    fn an_address_without_a_host_is_at_the_server_that_was_asked() {
        assert_eq!(address("10.0.0.1:7000", "x"), Some(("10.0.0.1".to_owned(), 7000)));
        assert_eq!(address(":7000", "x"), Some(("x".to_owned(), 7000)));
        assert_eq!(address("?:7000", "x"), Some(("x".to_owned(), 7000)));
        assert_eq!(address("::1:7000", "x"), Some(("::1".to_owned(), 7000)));
        assert_eq!(address("nonsense", "x"), None);
        assert_eq!(address("a:99999", "x"), None);
    }
}
