//! Servers that are talked to over TLS: one, the nodes of a Cluster, Sentinels and what they watch.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

mod support;

use std::time::{Duration, Instant};

use larder_redis::{Builder, Coherence, Place, RedisStore};
use larder_testkit::server::RedisServerBuilder;
use larder_testkit::{RedisCluster, RedisSentinel, RedisServer};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use support::{answers, at_once, eventually, fill, fill_in_time, forget, hit, shop};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new([]).unwrap();
    // Another name than those that it signs, or they are taken for signed by themselves.
    params
        .distinguished_name
        .push(DnType::CommonName, "the authority of the test");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for `host`, and its key.
fn certificate(authority: &Authority, host: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([host.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn of(authority: &Authority, host: &str) -> RedisServerBuilder {
    let (certificate, key) = certificate(authority, host);
    RedisServer::builder().tls(&certificate, &key, &authority.pem())
}

/// The store, connected: a handshake without optimisation may take longer than a store waits for it, on a busy machine.
async fn connected(builder: Builder) -> RedisStore {
    let begun = Instant::now();
    loop {
        match builder.clone().connect().await {
            Ok(store) => return store,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(20), "{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_believed_by_its_authority_and_for_its_name() {
    let (ours, other) = (authority(), authority());
    let open = |builder: RedisServerBuilder| builder.arg("--tls-auth-clients").arg("no").start();
    let server = open(of(&ours, "127.0.0.1"));
    assert!(server.url().starts_with("rediss://"));
    let shop = |server: &RedisServer, authority: &Authority| shop(server.url()).authority(authority.pem());

    let store = connected(shop(&server, &ours)).await;
    fill(&store, "key", "jam").await;
    assert_eq!(hit(&store, "key").await.as_deref(), Some("jam"));
    let bounded = shop(&server, &ours).coherence(Coherence::Bounded(Duration::from_secs(5)));
    let bounded = connected(bounded).await;
    eventually("a hit asks nobody", async || {
        hit(&bounded, "key").await;
        at_once(&bounded, "key").as_deref() == Some("jam")
    })
    .await;
    forget(&store).await.unwrap();
    eventually("the change is told", async || at_once(&bounded, "key").is_none()).await;

    let wrong_host = open(of(&ours, "127.0.0.2"));
    for (server, authority) in [(&server, &other), (&wrong_host, &ours)] {
        let error = shop(server, authority).connect().await.unwrap_err().to_string();
        assert!(error.contains("certificate"), "{error}");
    }
    // The authorities of the machine do not know it either.
    let error = RedisStore::connect(server.url()).await.unwrap_err().to_string();
    assert!(error.contains("cannot be used"), "{error}");
    assert!(shop(&server, &ours).authority("no PEM").open().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_may_ask_who_the_service_is() {
    let ours = authority();
    let server = of(&ours, "127.0.0.1").password("s3cret").start();
    let shop = || shop(server.url()).authority(ours.pem());
    let (certificate, key) = certificate(&ours, "shop");
    let store = connected(shop().certificate(certificate, key)).await;
    fill(&store, "key", "jam").await;
    assert_eq!(hit(&store, "key").await.as_deref(), Some("jam"));
    assert!(shop().connect().await.is_err());
    let (certificate, key) = self::certificate(&authority(), "shop");
    assert!(shop().certificate(certificate, key).connect().await.is_err());
}

/// An authority, and a certificate of its own for this service.
struct Known {
    authority: Authority,
    certificate: (String, String),
}

impl Known {
    fn new() -> Self {
        let authority = authority();
        Self {
            certificate: certificate(&authority, "shop"),
            authority,
        }
    }

    fn shop(&self, place: impl Into<Place>) -> Builder {
        let (certificate, key) = self.certificate.clone();
        let builder = shop(place).authority(self.authority.pem());
        builder.certificate(certificate, key)
    }

    /// Who believes another authority finds nobody to believe; who shows a certificate of another, or none, is refused.
    async fn is_needed_at(&self, place: &Place) {
        let other = Self::new();
        let wrong = self.shop(place.clone()).authority(other.authority.pem());
        let ours = || shop(place.clone()).authority(self.authority.pem());
        let (certificate, key) = other.certificate.clone();
        let stranger = ours().certificate(certificate, key);
        // Each tries for two seconds.
        let (wrong, stranger, nobody) = tokio::join!(wrong.connect(), stranger.connect(), ours().connect());
        let error = wrong.unwrap_err().to_string();
        assert!(error.contains("certificate"), "{error}");
        assert!(stranger.is_err() && nobody.is_err());
    }
}

/// Hits of one instance on what another filled, with and without asking, until the other forgets.
async fn hits_and_forgets(writer: &RedisStore, reader: &RedisStore, bounded: &RedisStore) {
    for n in 0..30 {
        fill_in_time(writer, &n.to_string(), "jam").await;
    }
    eventually("entries are found wherever they are", async || {
        let mut hits = 0;
        for n in 0..30 {
            hits += usize::from(hit(reader, &n.to_string()).await.is_some());
        }
        hits == 30
    })
    .await;
    eventually("a hit asks nobody", async || {
        hit(bounded, "0").await;
        at_once(bounded, "0").as_deref() == Some("jam")
    })
    .await;
    eventually("it is forgotten", async || forget(writer).await.is_ok()).await;
    for n in 0..30 {
        assert_eq!(hit(reader, &n.to_string()).await, None);
    }
    eventually("the change is told", async || at_once(bounded, "0").is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_of_a_cluster_are_talked_to_over_tls() {
    let known = Known::new();
    let node = of(&known.authority, "127.0.0.1");
    let mut cluster = RedisCluster::builder().node(node).replicated().start();
    let hosts = cluster.urls().join(",").replace("rediss://", "").replace('/', "");
    let place = Place::from(format!("rediss+cluster://{hosts}"));
    known.is_needed_at(&place).await;
    let shop = || known.shop(place.clone());
    let (writer, reader) = (connected(shop()).await, shop().memory(0));
    let bounded = shop().coherence(Coherence::Bounded(Duration::from_secs(5)));
    let (reader, bounded) = (connected(reader).await, connected(bounded).await);
    hits_and_forgets(&writer, &reader, &bounded).await;
    let owner = cluster.owner_of("{shop}:root");
    tokio::task::block_in_place(|| cluster.lose(owner));
    answers(&reader).await;
    hits_and_forgets(&writer, &reader, &bounded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_and_their_primary_are_talked_to_over_tls() {
    let known = Known::new();
    let (certificate, key) = certificate(&known.authority, "127.0.0.1");
    let redis = RedisSentinel::builder().tls(&certificate, &key, &known.authority.pem());
    let mut redis = redis.start();
    let hosts = redis.urls().join(",").replace("rediss://", "").replace('/', "");
    let place = Place::from(format!("rediss+sentinel://{hosts}/{}", redis.name()));
    // The Sentinels by TLS, and what they name without it.
    let open = Place::sentinel(redis.name(), redis.urls());
    let open = known.shop(open);
    let (open, ()) = tokio::join!(open.connect(), known.is_needed_at(&place));
    assert!(open.is_err(), "the primary speaks TLS alone");
    let shop = || known.shop(place.clone());
    let (writer, reader) = (connected(shop()).await, shop().memory(0));
    let bounded = shop().coherence(Coherence::Bounded(Duration::from_secs(5)));
    let (reader, bounded) = (connected(reader).await, connected(bounded).await);
    hits_and_forgets(&writer, &reader, &bounded).await;
    tokio::task::block_in_place(|| redis.lose_primary());
    answers(&reader).await;
    hits_and_forgets(&writer, &reader, &bounded).await;
}
