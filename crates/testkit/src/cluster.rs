//! A real Redis (or Valkey) Cluster of three primaries.

use std::sync::LazyLock;
use std::time::Duration;

use crate::proxy::FaultProxy;
use crate::server::{RedisServer, RedisServerBuilder};
use crate::wait;

/// How many primaries there are: the fewest that a cluster can elect with.
const NODES: usize = 3;

/// How many slots keys are hashed to.
const SLOTS: usize = 16_384;

/// How long the nodes may take to agree. Two seconds of it are a delay that Redis itself demands.
const DEADLINE: Duration = Duration::from_secs(30);

/// A running Cluster: three primaries, each with a third of the slots, without replicas.
///
/// Its nodes are [`RedisServer`]s and end as those do. It takes about two seconds to start, which is a delay that Redis
/// itself demands: tests that only need some cluster take the [shared](Self::shared) one. It needs Redis 7 or later.
///
/// ```
/// # #[cfg(unix)] {
/// use larder_testkit::RedisCluster;
///
/// let cluster = RedisCluster::start();
/// let node = cluster.owner_of("shelf");
/// cluster.node(node).cli(&["SET", "shelf", "jam"]);
/// assert_eq!(cluster.urls().len(), 3);
/// # }
/// ```
#[derive(Debug)]
pub struct RedisCluster {
    // Before the nodes: what they announce goes first.
    proxies: Vec<FaultProxy>,
    nodes: Vec<RedisServer>,
}

/// What a [`RedisCluster`] is to be started with.
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until `start` is called"]
pub struct RedisClusterBuilder {
    node: RedisServerBuilder,
    proxied: bool,
}

impl RedisClusterBuilder {
    /// The settings of each node: memory, password, and further words on its command line.
    pub fn node(mut self, node: RedisServerBuilder) -> Self {
        self.node = node;
        self
    }

    /// Puts a [`FaultProxy`] in front of each node, and has the nodes announce it, so that clients never go past it. By
    /// default there is none.
    pub fn proxied(mut self) -> Self {
        self.proxied = true;
        self
    }

    /// Starts the nodes, makes a cluster of them, and waits until each says that all slots are served.
    ///
    /// # Panics
    ///
    /// As [`RedisServerBuilder::start`], and when the nodes do not agree in thirty seconds.
    #[must_use]
    pub fn start(self) -> RedisCluster {
        let node = || self.node.clone().clustered().start();
        let mut nodes: Vec<RedisServer> = (0..NODES).map(|_| node()).collect();
        let proxies: Vec<FaultProxy> = nodes
            .iter()
            .filter(|_| self.proxied)
            .map(|node| FaultProxy::before(node.addr()))
            .collect();
        for (node, proxy) in nodes.iter_mut().zip(&proxies) {
            node.announce(proxy.addr().port());
        }
        let cluster = RedisCluster { proxies, nodes };
        cluster.join();
        cluster.wait_until_whole();
        cluster
    }
}

impl RedisCluster {
    /// Starts a cluster with the kit's own settings.
    ///
    /// # Panics
    ///
    /// As [`RedisClusterBuilder::start`].
    #[must_use]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Starts from settings of your own.
    pub fn builder() -> RedisClusterBuilder {
        RedisClusterBuilder::default()
    }

    /// One cluster for all tests of this process that do not break it: started by the first that asks, and gone with
    /// the process. Each test needs keys of its own.
    ///
    /// # Panics
    ///
    /// As [`RedisClusterBuilder::start`].
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<RedisCluster> = LazyLock::new(RedisCluster::start);
        &SHARED
    }

    /// The addresses for a cluster client, in the order of the nodes: those of the proxies where there are some.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let nodes = self.nodes.iter().enumerate();
        nodes
            .map(|(n, node)| match self.proxies.get(n) {
                Some(proxy) => node.url_at(proxy.addr()),
                None => node.url(),
            })
            .collect()
    }

    /// The three nodes.
    #[must_use]
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// A node: to ask, to [stop](RedisServer::stop) and to let go on.
    ///
    /// # Panics
    ///
    /// When `node` is not below three.
    #[must_use]
    pub fn node(&self, node: usize) -> &RedisServer {
        &self.nodes[node]
    }

    /// A node: to [kill](RedisServer::kill) and to [restart](RedisServer::restart). A restarted node knows its place in
    /// the cluster; [`wait_until_whole`](Self::wait_until_whole) waits until it serves its slots again.
    ///
    /// # Panics
    ///
    /// When `node` is not below three.
    #[must_use]
    pub fn node_mut(&mut self, node: usize) -> &mut RedisServer {
        &mut self.nodes[node]
    }

    /// The proxy in front of a node.
    ///
    /// # Panics
    ///
    /// When `node` is not below three, or the cluster was started without
    /// [proxies](RedisClusterBuilder::proxied).
    #[must_use]
    pub fn proxy(&self, node: usize) -> &FaultProxy {
        assert!(
            !self.proxies.is_empty(),
            "the test's Redis Cluster has no proxies: start it with `builder().proxied()`"
        );
        &self.proxies[node]
    }

    /// The node that holds `key`.
    ///
    /// # Panics
    ///
    /// When no node answers.
    #[must_use]
    pub fn owner_of(&self, key: &str) -> usize {
        let words = ["CLUSTER", "KEYSLOT", key];
        let slot = self
            .nodes
            .iter()
            .find_map(|node| node.command(&words, DEADLINE).ok()?.parse::<usize>().ok());
        let Some(slot) = slot else {
            panic!("no node of the test's Redis Cluster answers {words:?}");
        };
        (0..NODES)
            .rfind(|node| first_slot(*node) <= slot)
            .unwrap_or_default()
    }

    /// Waits until every node says that all slots are served.
    ///
    /// # Panics
    ///
    /// When that does not happen in thirty seconds.
    pub fn wait_until_whole(&self) {
        for node in &self.nodes {
            wait::until("a node of the test's Redis Cluster joins", DEADLINE, || {
                whole(node)
            });
        }
    }

    fn join(&self) {
        for (n, node) in self.nodes.iter().enumerate() {
            let (first, last) = (first_slot(n), first_slot(n + 1) - 1);
            node.cli(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]);
            // Each its own number, or they have to find out first that they share one.
            node.cli(&["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()]);
        }
        let (first, others) = self.nodes.split_at(1);
        for (node, other) in first
            .iter()
            .flat_map(|node| others.iter().map(move |other| (node, other)))
        {
            node.cli(&[
                "CLUSTER",
                "MEET",
                "127.0.0.1",
                &other.addr().port().to_string(),
                &other.bus_port().to_string(),
            ]);
        }
    }
}

/// The first slot of a node; that of the node after the last is the end of all.
fn first_slot(node: usize) -> usize {
    node * SLOTS / NODES
}

fn whole(node: &RedisServer) -> Result<(), String> {
    let info = node
        .command(&["CLUSTER", "INFO"], DEADLINE)
        .map_err(|e| e.to_string())?;
    let says = |line: String| info.lines().any(|said| said.trim() == line);
    let whole = says("cluster_state:ok".to_owned())
        && says(format!("cluster_slots_ok:{SLOTS}"))
        && says(format!("cluster_known_nodes:{NODES}"));
    if whole { Ok(()) } else { Err(info) }
}
