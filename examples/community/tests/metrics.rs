//! What Prometheus fetches from a site that is used.
#![allow(clippy::unwrap_used, reason = "a test ends with the first surprise")]

mod support;

use std::net::{Ipv4Addr, TcpListener};

use support::{Client, Folder, Instance};

#[tokio::test]
async fn prometheus_fetches_what_the_site_counted() {
    let folder = Folder::new("metrics");
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let instance = Instance::start(&folder.database(), &["--metrics", &address.to_string()]).await;
    let mut client = Client::new(instance.address);
    for _ in 0..2 {
        client.get("/api/v1/ratings", None).await.unwrap();
    }
    client.get("/api/v1/ratings", Some("ada")).await.unwrap();
    let page = Client::new(address).get("/metrics", None).await.unwrap();
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, "text/plain; version=0.0.4")
    );
    let text = String::from_utf8(page.body).unwrap();
    for line in [
        "larder_cache_requests_total{cache=\"ratings\",outcome=\"hit_l1\"} 1",
        "larder_cache_requests_total{cache=\"ratings\",outcome=\"miss\"} 1",
        "larder_cache_bypass_total{cache=\"ratings\",reason=\"authorization\"} 1",
        "# TYPE larder_cache_load_duration_seconds histogram",
        "larder_cache_load_duration_seconds_count{cache=\"ratings\",mode=\"foreground\",result=\"ok\"} 1",
    ] {
        assert!(text.lines().any(|own| own == line), "{line} is not in\n{text}");
    }
}
