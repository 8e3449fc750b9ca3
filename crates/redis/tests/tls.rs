//! A server that is talked to over TLS.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

mod support;

use std::time::Duration;

use larder_redis::{Coherence, RedisStore};
use larder_testkit::RedisServer;
use larder_testkit::server::RedisServerBuilder;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use support::{at_once, eventually, fill, forget, hit, shop};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_believed_by_its_authority_and_for_its_name() {
    let (ours, other) = (authority(), authority());
    let open = |builder: RedisServerBuilder| builder.arg("--tls-auth-clients").arg("no").start();
    let server = open(of(&ours, "127.0.0.1"));
    assert!(server.url().starts_with("rediss://"));
    let shop = |server: &RedisServer, authority: &Authority| shop(server.url()).authority(authority.pem());

    let store = shop(&server, &ours).connect().await.unwrap();
    fill(&store, "key", "jam").await;
    assert_eq!(hit(&store, "key").await.as_deref(), Some("jam"));
    let bounded = shop(&server, &ours).coherence(Coherence::Bounded(Duration::from_secs(5)));
    let bounded = bounded.connect().await.unwrap();
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
    let store = shop().certificate(certificate, key).connect().await.unwrap();
    fill(&store, "key", "jam").await;
    assert_eq!(hit(&store, "key").await.as_deref(), Some("jam"));
    assert!(shop().connect().await.is_err());
    let (certificate, key) = self::certificate(&authority(), "shop");
    assert!(shop().certificate(certificate, key).connect().await.is_err());
}
