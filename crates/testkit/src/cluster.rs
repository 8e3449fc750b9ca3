//! A real Redis (or Valkey) Cluster of three primaries.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::proxy::FaultProxy;
use crate::server::{RedisServer, RedisServerBuilder};
use crate::wait;

/// How many primaries there are: the fewest that a cluster can elect with.
const NODES: usize = 3;

/// How many slots keys are hashed to.
const SLOTS: usize = 16_384;

/// How long a node is asked that may have been stopped.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the nodes may take to agree. Two seconds of it are a delay that Redis itself demands.
const DEADLINE: Duration = Duration::from_secs(30);

/// How long a node of a replicated cluster is silent before the others take it to be down, in milliseconds: more than the
/// pauses of a busy machine.
const DOWN_AFTER: &str = "2000";

/// A running Cluster: three primaries, each with a third of the slots, without replicas unless they were
/// [asked for](RedisClusterBuilder::replicated).
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
    /// One for each of the nodes, or none.
    replicas: Vec<RedisServer>,
}

/// What a [`RedisCluster`] is to be started with.
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until `start` is called"]
pub struct RedisClusterBuilder {
    node: RedisServerBuilder,
    proxied: bool,
    replicated: bool,
}

impl RedisClusterBuilder {
    /// The settings of each node: memory, password, [TLS](RedisServerBuilder::tls), and further words on its command line.
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

    /// Gives each primary a replica, which takes over some two seconds after the primary was lost. By default there is
    /// none. Not together with [proxies](Self::proxied).
    pub fn replicated(mut self) -> Self {
        self.replicated = true;
        self
    }

    /// Starts the nodes, makes a cluster of them, and waits until each says that all slots are served.
    ///
    /// # Panics
    ///
    /// As [`RedisServerBuilder::start`], and when the nodes do not agree in thirty seconds.
    #[must_use]
    pub fn start(self) -> RedisCluster {
        assert!(
            !(self.proxied && self.replicated),
            "a test's Redis Cluster has proxies or replicas"
        );
        let mut node = self.node.clone().clustered();
        if self.replicated {
            // The last is so that a replica waits for no others that might want the same data.
            let settings = [
                ["--cluster-node-timeout", DOWN_AFTER],
                ["--cluster-replica-validity-factor", "0"],
                ["--repl-diskless-sync-delay", "0"],
            ];
            node = settings.into_iter().flatten().fold(node, RedisServerBuilder::arg);
        }
        let node = || node.clone().start();
        let mut nodes: Vec<RedisServer> = (0..NODES).map(|_| node()).collect();
        let proxies: Vec<FaultProxy> = nodes
            .iter()
            .filter(|_| self.proxied)
            .map(|node| FaultProxy::before(node.addr()))
            .collect();
        for (node, proxy) in nodes.iter_mut().zip(&proxies) {
            node.announce(proxy.addr().port());
        }
        let replicas = (0..NODES).filter(|_| self.replicated).map(|_| node()).collect();
        let cluster = RedisCluster {
            proxies,
            nodes,
            replicas,
        };
        cluster.join();
        cluster.wait_until_whole();
        cluster.follow();
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

    /// The replica of a node.
    ///
    /// # Panics
    ///
    /// When `node` is not below three, or the cluster was started without
    /// [replicas](RedisClusterBuilder::replicated).
    #[must_use]
    pub fn replica(&self, node: usize) -> &RedisServer {
        assert!(
            !self.replicas.is_empty(),
            "the test's Redis Cluster has no replicas: start it with `builder().replicated()`"
        );
        &self.replicas[node]
    }

    /// Kills a node and waits until its replica has taken over, which the others need some two seconds for.
    ///
    /// # Panics
    ///
    /// As [`replica`](Self::replica), and when that is not done in thirty seconds.
    pub fn lose(&mut self, node: usize) {
        self.nodes[node].kill();
        let (replica, left) = (
            self.replica(node),
            self.nodes.iter().filter(|node| node.pid().is_some()),
        );
        wait::until(
            "a replica of the test's Redis Cluster takes over",
            DEADLINE,
            || is_primary(replica),
        );
        for node in left.chain([replica]) {
            wait::until(
                "a node of the test's Redis Cluster knows who took over",
                DEADLINE,
                || says(node, &["cluster_state:ok".to_owned()]),
            );
        }
    }

    /// Has the replica of a node and the node change places, without the loss of a write; or change back.
    ///
    /// # Panics
    ///
    /// As [`replica`](Self::replica), and when that is not done in thirty seconds.
    pub fn swap(&self, node: usize) {
        let (node, replica) = (&self.nodes[node], self.replica(node));
        let (before, after) = if is_primary(node).is_ok() {
            (node, replica)
        } else {
            (replica, node)
        };
        let mut asked: Option<Instant> = None;
        wait::until(
            "nodes of the test's Redis Cluster change places",
            DEADLINE,
            || {
                // Asked again, they begin again; and after five seconds they have given up.
                if asked.is_none_or(|asked| asked.elapsed() > Duration::from_secs(6)) {
                    let failover = after.command(&["CLUSTER", "FAILOVER"], DEADLINE);
                    failover.map_err(|e| e.to_string())?;
                    asked = Some(Instant::now());
                }
                is_primary(after)
            },
        );
        wait::until("a node of the test's Redis Cluster follows", DEADLINE, || {
            crate::sentinel::follows(before)
        });
    }

    /// Moves the slot of `key` to another node while it is in use: `meanwhile` is called when both nodes know of it, and again
    /// when all keys were moved. On return all nodes know.
    ///
    /// # Panics
    ///
    /// When a node does not do as it is told.
    pub fn move_slot(&self, key: &str, to: usize, mut meanwhile: impl FnMut()) {
        let from = self.owner_of(key);
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        let slot = source.cli(&["CLUSTER", "KEYSLOT", key]);
        let (source_id, target_id) = (source.cli(&["CLUSTER", "MYID"]), target.cli(&["CLUSTER", "MYID"]));
        target.cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source_id]);
        source.cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target_id]);
        meanwhile();
        let port = target.addr().port().to_string();
        loop {
            let names = source.cli(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
            if names.is_empty() {
                break;
            }
            for name in names.lines() {
                source.cli(&["MIGRATE", "127.0.0.1", &port, name, "0", "10000"]);
            }
        }
        meanwhile();
        for node in [target, source].into_iter().chain(&self.nodes) {
            node.cli(&["CLUSTER", "SETSLOT", &slot, "NODE", &target_id]);
        }
    }

    /// The node that holds `key`; where it does not answer, the one that held it at first.
    ///
    /// # Panics
    ///
    /// When no node answers.
    #[must_use]
    pub fn owner_of(&self, key: &str) -> usize {
        let holds = |node: &RedisServer| node.command(&["EXISTS", key], PATIENCE).is_ok();
        if let Some(node) = self.nodes.iter().position(holds) {
            return node;
        }
        let words = ["CLUSTER", "KEYSLOT", key];
        let slot = self
            .nodes
            .iter()
            .find_map(|node| node.command(&words, PATIENCE).ok()?.parse::<usize>().ok());
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
            let known = NODES + self.replicas.len();
            wait::until("a node of the test's Redis Cluster joins", DEADLINE, || {
                whole(node, known)
            });
        }
    }

    /// Has each replica follow its primary.
    fn follow(&self) {
        for (node, replica) in self.nodes.iter().zip(&self.replicas) {
            let id = node.cli(&["CLUSTER", "MYID"]);
            // Told again, it would begin again.
            wait::until("a replica of the test's Redis Cluster is told", DEADLINE, || {
                let told = replica.command(&["CLUSTER", "REPLICATE", &id], DEADLINE);
                told.map_err(|e| e.to_string())
            });
        }
        for replica in &self.replicas {
            wait::until("a replica of the test's Redis Cluster follows", DEADLINE, || {
                crate::sentinel::follows(replica)
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
        for (node, other) in first.iter().flat_map(|node| {
            others
                .iter()
                .chain(&self.replicas)
                .map(move |other| (node, other))
        }) {
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

fn whole(node: &RedisServer, known: usize) -> Result<(), String> {
    says(
        node,
        &[
            "cluster_state:ok".to_owned(),
            format!("cluster_slots_ok:{SLOTS}"),
            format!("cluster_known_nodes:{known}"),
        ],
    )
}

/// Whether a node says all these lines of the cluster.
fn says(node: &RedisServer, lines: &[String]) -> Result<(), String> {
    let info = node
        .command(&["CLUSTER", "INFO"], DEADLINE)
        .map_err(|e| e.to_string())?;
    let said = |line: &String| info.lines().any(|said| said.trim() == line);
    if lines.iter().all(said) { Ok(()) } else { Err(info) }
}

fn is_primary(node: &RedisServer) -> Result<(), String> {
    let role = node.command(&["ROLE"], DEADLINE).map_err(|e| e.to_string())?;
    if role.starts_with("master") {
        Ok(())
    } else {
        Err(role)
    }
}
