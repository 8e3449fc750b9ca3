//! Each route, as a client sees it.
#![allow(clippy::unwrap_used, reason = "a test ends with the first surprise")]

mod support;

use serde_json::json;
use support::{Answer, Client, Folder, Instance};

struct Site {
    client: Client,
    _instance: Instance,
    _folder: Folder,
}

impl Site {
    async fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let instance = Instance::start(&folder.database(), &[]).await;
        Self {
            client: Client::new(instance.address),
            _instance: instance,
            _folder: folder,
        }
    }

    async fn get(&mut self, path: &str, user: Option<&str>) -> Answer {
        self.client.get(path, user).await.unwrap()
    }

    async fn post(&mut self, path: &str, user: Option<&str>, body: &str) -> Answer {
        self.client.post(path, user, body).await.unwrap()
    }

    async fn buy(&mut self, user: &str, key: &str, product: u32) -> Answer {
        let body = json!({ "product": product }).to_string();
        let key = [("Idempotency-Key", key)];
        let path = "/api/v1/shop/purchase";
        self.client
            .send("POST", path, Some(user), &key, &body)
            .await
            .unwrap()
    }

    async fn reads(&mut self) -> u64 {
        self.get("/api/v1/db-reads", None).await.json()["reads"]
            .as_u64()
            .unwrap()
    }
}

#[tokio::test]
async fn energy_shows_in_profile_and_ratings_at_once() {
    let mut site = Site::new("energy").await;
    let profile = site.get("/api/v1/profile", Some("ada")).await;
    assert_eq!(
        (profile.header("x-cache"), profile.json()),
        ("MISS", json!({ "user": "ada", "energy": 0 }))
    );
    assert!(site.get("/api/v1/profile", Some("ada")).await.is_hit());
    assert_eq!(site.get("/api/v1/ratings", None).await.json(), json!([]));
    for (user, points, total) in [("ada", 5, 5), ("grace", 9, 9), ("ada", 1, 6)] {
        let answer = site
            .post(
                "/api/v1/energy-points",
                Some(user),
                &json!({ "points": points }).to_string(),
            )
            .await;
        assert_eq!((answer.status, &answer.json()["energy"]), (200, &json!(total)));
    }
    assert_eq!(site.get("/api/v1/profile", Some("ada")).await.json()["energy"], 6);
    let ratings = site.get("/api/v1/ratings", None).await.json();
    assert_eq!(
        ratings,
        json!([{ "user": "grace", "energy": 9 }, { "user": "ada", "energy": 6 }])
    );
    let reads = site.reads().await;
    assert!(site.get("/api/v1/ratings", None).await.is_hit());
    assert_eq!(site.reads().await, reads, "a hit reads nothing");
    for (user, body, status) in [
        (None, r#"{"points": 1}"#, 401),
        (Some("ada"), r#"{"points": 1000001}"#, 422),
    ] {
        let answer = site.post("/api/v1/energy-points", user, body).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, "application/problem+json")
        );
    }
    assert_eq!(site.get("/api/v1/profile", None).await.status, 401);
}

#[tokio::test]
async fn a_team_shows_its_new_member_at_once() {
    let mut site = Site::new("teams").await;
    for path in ["/api/v1/teams/1", "/api/v1/teams/2", "/api/v1/teams/01"] {
        assert_eq!(site.get(path, None).await.header("x-cache"), "MISS");
        assert!(site.get(path, None).await.is_hit());
    }
    let added = site
        .post("/api/v1/teams/1/members", None, r#"{"user": "ada"}"#)
        .await;
    assert_eq!((added.status, &added.json()["members"]), (200, &json!(["ada"])));
    for path in ["/api/v1/teams/1", "/api/v1/teams/01"] {
        let team = site.get(path, None).await;
        assert_eq!(
            (team.header("x-cache"), &team.json()["members"]),
            ("MISS", &json!(["ada"])),
            "{path}"
        );
    }
    assert!(site.get("/api/v1/teams/2", None).await.is_hit());
    assert_eq!(site.get("/api/v1/teams/99", None).await.status, 404);
    assert_eq!(
        site.post("/api/v1/teams/99/members", None, r#"{"user": "ada"}"#)
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn a_purchase_is_made_once_and_shows_everywhere() {
    let mut site = Site::new("shop").await;
    site.post("/api/v1/energy-points", Some("ada"), r#"{"points": 60}"#)
        .await;
    let before = site.get("/api/v1/products/1", None).await.json();
    assert_eq!(
        before,
        json!({ "id": 1, "name": "Jam", "price": 25, "stock": 1000 })
    );
    for path in ["/api/v1/products", "/api/v1/products/2", "/api/v1/ratings"] {
        site.get(path, None).await;
        assert!(site.get(path, None).await.is_hit(), "{path}");
    }
    site.get("/api/v1/profile", Some("ada")).await;
    let bought = site.buy("ada", "a", 1).await;
    assert_eq!((bought.status, bought.header("x-invalidation")), (201, ""));
    assert_eq!(
        bought.json(),
        json!({ "purchase_id": 1, "energy": 35, "stock": 999 })
    );
    assert_eq!(site.get("/api/v1/products/1", None).await.json()["stock"], 999);
    assert_eq!(site.get("/api/v1/products", None).await.json()[0]["stock"], 999);
    assert_eq!(
        site.get("/api/v1/profile", Some("ada")).await.json()["energy"],
        35
    );
    assert_eq!(site.get("/api/v1/ratings", None).await.json()[0]["energy"], 35);
    assert!(
        site.get("/api/v1/products/2", None).await.is_hit(),
        "another product is left alone"
    );

    assert_eq!(
        site.buy("ada", "a", 1).await.json(),
        bought.json(),
        "the same purchase"
    );
    assert_eq!(
        site.buy("ada", "a", 2).await.status,
        422,
        "another purchase with its key"
    );
    assert_eq!(site.buy("ada", "b", 4).await.status, 402);
    assert_eq!(site.buy("ada", "c", 99).await.status, 404);
    let problem = site
        .post("/api/v1/shop/purchase", Some("ada"), r#"{"product": 1}"#)
        .await;
    assert_eq!(
        (problem.status, problem.header("content-type")),
        (400, "application/problem+json")
    );
    site.post("/api/v1/energy-points", Some("eve"), r#"{"points": 10000}"#)
        .await;
    for number in 0..20 {
        assert_eq!(site.buy("eve", &number.to_string(), 4).await.status, 201);
    }
    assert_eq!(site.buy("eve", "one-more", 4).await.status, 409);
    assert_eq!(
        site.get("/api/v1/profile", Some("eve")).await.json()["energy"],
        4000
    );
}

#[tokio::test]
async fn content_and_assets_are_kept_and_a_slow_handler_is_slow_once() {
    let mut site = Site::new("content").await;
    let slow = "/api/v1/content/welcome?delay_ms=120";
    let began = std::time::Instant::now();
    assert_eq!(site.get(slow, None).await.json()["title"], "Welcome");
    assert!(began.elapsed().as_millis() >= 120);
    assert!(site.get(slow, None).await.is_hit());
    let logo = site.get("/assets/logo.svg", None).await;
    assert_eq!((logo.status, logo.header("content-type")), (200, "image/svg+xml"));
    let logo = site.get("/assets/logo.svg", None).await;
    assert!(logo.is_hit() && logo.header("cache-control").contains("max-age"));
    assert_eq!(site.get("/assets/../Cargo.toml", None).await.status, 404);
    assert_eq!(site.get("/api/v1/content/nothing", None).await.status, 404);
}
