//! A client reads what it wrote, in front of a store whose hits may be behind.
#![allow(clippy::unwrap_used, reason = "a test ends with the first surprise")]

mod support;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::{get as on_get, post};
use http::header::COOKIE;
use larder::store::{
    Answer as Later, Capture, Entry, Forgotten, Key, Lookup, Put, SharedEntry, StoreError, StoreErrorKind,
    Strength, Validity,
};
use larder::{CacheLayer, Larder, MemoryStore, Size, Store, Tag};
use support::{Answer, Calls, get_with, request, send};

/// Shows what it showed before, whatever was forgotten since, to those who do not ask strictly.
#[derive(Debug, Clone)]
struct Behind {
    store: Arc<MemoryStore>,
    shown: Arc<Mutex<HashMap<Vec<u8>, SharedEntry>>>,
    forgets: Arc<Mutex<bool>>,
}

impl Behind {
    fn new() -> Self {
        Self {
            store: Arc::new(MemoryStore::with_capacity(1 << 20)),
            shown: Arc::default(),
            forgets: Arc::new(Mutex::new(true)),
        }
    }
}

impl Store for Behind {
    fn name(&self) -> &'static str {
        "behind"
    }

    fn lookup(&self, key: &[u8]) -> Later<Result<Lookup, StoreError>> {
        let mut shown = self.shown.lock().unwrap();
        if let Some(entry) = shown.get(key) {
            return Later::Ready(Ok(Lookup::Found(Arc::clone(entry))));
        }
        let found = self.store.lookup(key);
        if let Later::Ready(Ok(Lookup::Found(entry))) = &found {
            shown.insert(key.to_vec(), Arc::clone(entry));
        }
        found
    }

    fn lookup_strictly(&self, key: &[u8]) -> Later<Result<Lookup, StoreError>> {
        self.store.lookup(key)
    }

    fn capture(&self, tags: &[Tag]) -> Later<Result<Capture, StoreError>> {
        self.store.capture(tags)
    }

    fn put(&self, key: Key, entry: Entry, capture: Capture) -> Later<Put> {
        self.store.put(key, entry, capture)
    }

    fn validity(&self, entry: &SharedEntry) -> Later<Result<Validity, StoreError>> {
        self.store.validity(entry)
    }

    fn forget(&self, tags: &[Tag], strength: Strength) -> Later<Result<Forgotten, StoreError>> {
        if *self.forgets.lock().unwrap() {
            self.store.forget(tags, strength)
        } else {
            Later::Ready(Err(StoreError::new(
                StoreErrorKind::Timeout,
                "it does not answer",
            )))
        }
    }

    fn forget_everything(&self, strength: Strength) -> Later<Result<Forgotten, StoreError>> {
        self.store.forget_everything(strength)
    }

    fn size(&self) -> Size {
        self.store.size()
    }
}

/// A page that counts how often it was made and shows the cookies that it saw, and a route that changes it.
fn site(store: &Behind, soft: bool, layer: impl Fn(&Larder) -> CacheLayer) -> Router {
    let larder = Larder::new(store.clone());
    let made = Calls::default();
    let page = move |headers: HeaderMap| {
        let cookie = headers.get(COOKIE).map(|line| line.to_str().unwrap().to_owned());
        let text = format!("{} {}", made.next(), cookie.unwrap_or_default());
        async move { text }
    };
    let change = larder.invalidate_layer().read_your_writes(Duration::from_secs(7));
    let change = if soft { change.soft() } else { change };
    Router::new()
        .route("/", on_get(page).layer(layer(&larder)))
        .route("/", post(|| async {}).layer::<_, Infallible>(change))
}

fn shared(larder: &Larder) -> CacheLayer {
    larder
        .public_cache("page")
        .stale_while_revalidate(Duration::from_secs(60))
}

async fn see(app: &Router, cookies: &[&str]) -> (String, String) {
    let lines: Vec<(&str, &str)> = cookies.iter().map(|line| ("cookie", *line)).collect();
    let answer = send(app, get_with("/", &lines)).await;
    (answer.text().to_owned(), answer.became())
}

async fn change(app: &Router) -> Answer {
    send(app, request("POST", "/", &[])).await
}

fn pair(text: &str, became: &str) -> (String, String) {
    (text.to_owned(), became.to_owned())
}

#[tokio::test]
async fn who_changed_it_sees_the_change_and_others_may_be_behind() {
    let app = site(&Behind::new(), false, shared);
    assert_eq!(see(&app, &[]).await, pair("1 ", "MISS"));
    assert_eq!(see(&app, &[]).await, pair("1 ", "HIT"));
    let answer = change(&app).await;
    assert_eq!(
        answer.header("set-cookie"),
        "larder-read=validate; Max-Age=7; Path=/; HttpOnly; SameSite=Lax"
    );
    assert_eq!(see(&app, &[]).await, pair("1 ", "HIT"), "the store is behind");
    let token = ["larder-read=validate"];
    // The handler does not see the cookie, and what it makes is for all.
    assert_eq!(see(&app, &token).await, pair("2 ", "MISS tag"));
    assert_eq!(see(&app, &token).await, pair("2 ", "HIT"));
    for cookies in [
        &["larder-read=validate; session=1"][..],
        &["session=1", "larder-read=validate"],
    ] {
        assert_eq!(see(&app, cookies).await.1, "BYPASS cookie", "{cookies:?}");
    }
}

#[tokio::test]
async fn after_an_invalidation_that_failed_the_reads_of_who_changed_it_go_past_the_cache() {
    let store = Behind::new();
    let app = site(&store, false, shared);
    assert_eq!(see(&app, &[]).await, pair("1 ", "MISS"));
    *store.forgets.lock().unwrap() = false;
    let answer = change(&app).await;
    assert!(answer.header("set-cookie").starts_with("larder-read=bypass; "));
    assert_eq!(see(&app, &[]).await, pair("1 ", "HIT"));
    let token = ["larder-read=bypass"];
    assert_eq!(
        see(&app, &token).await,
        pair("2 larder-read=bypass", "BYPASS read_token")
    );
}

#[tokio::test]
async fn who_changed_it_is_not_served_what_was_forgotten_softly() {
    let app = site(&Behind::new(), true, shared);
    assert_eq!(see(&app, &[]).await, pair("1 ", "MISS"));
    change(&app).await;
    assert_eq!(see(&app, &["larder-read=validate"]).await, pair("2 ", "MISS tag"));
}

#[tokio::test]
async fn a_layer_that_ignores_cookies_heeds_the_token_and_nobody_gets_one_where_nothing_changed() {
    let app = site(&Behind::new(), false, |larder| shared(larder).ignore_cookies());
    see(&app, &["session=1"]).await;
    assert_eq!(see(&app, &["session=2"]).await, pair("1 ", "HIT"));
    change(&app).await;
    assert_eq!(
        see(&app, &["session=2; larder-read=validate"]).await,
        pair("2 ", "MISS tag")
    );
    let larder = Larder::in_memory(1 << 20);
    let layer = larder.invalidate_layer().read_your_writes(Duration::from_secs(7));
    let refuses = post(|| async { http::StatusCode::BAD_REQUEST }).layer::<_, Infallible>(layer);
    let refused = send(&Router::new().route("/", refuses), request("POST", "/", &[])).await;
    assert_eq!(refused.header("set-cookie"), "");
}
