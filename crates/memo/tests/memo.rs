//! What a request remembers, and which keys go into one query.
#![allow(clippy::unwrap_used, reason = "a test ends with the first surprise")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use http::Request;
use larder_memo::{Batch, Loader, Memo, MemoLayer};
use tokio::time::timeout;
use tower::{Layer, ServiceExt, service_fn};

#[derive(Clone, Default)]
struct Runs(Arc<AtomicUsize>);

impl Runs {
    async fn run(&self) -> Result<usize, &'static str> {
        tokio::task::yield_now().await;
        Ok(self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

#[tokio::test]
async fn a_key_is_loaded_once_and_each_type_has_its_own() {
    let (memo, runs) = (Memo::new(), Runs::default());
    let load = |key: &'static str| memo.get_or_load(key, || runs.run());
    let (one, two, other) = tokio::join!(load("a"), load("a"), load("b"));
    assert_eq!(one, two);
    assert_ne!(one, other);
    assert_eq!(load("a").await, one);
    assert_eq!(runs.0.load(Ordering::SeqCst), 2);
    let text = memo
        .get_or_load("a", async || Ok::<_, Infallible>("text".to_owned()))
        .await;
    assert_eq!(text, Ok("text".to_owned()));
}

#[tokio::test]
async fn an_error_a_panic_and_a_dropped_caller_are_not_remembered() {
    let (memo, runs) = (Memo::new(), Runs::default());
    let failing = memo.get_or_load("a", async || Err::<usize, _>("no"));
    let waiting = memo.get_or_load("a", || runs.run());
    assert_eq!(tokio::join!(failing, waiting), (Err("no"), Ok(1)));
    let hung = memo.get_or_load("b", std::future::pending::<Result<usize, &str>>);
    assert!(timeout(Duration::ZERO, hung).await.is_err());
    assert_eq!(memo.get_or_load("b", || runs.run()).await, Ok(2));
    let panics = {
        let memo = memo.clone();
        tokio::spawn(async move {
            memo.get_or_load("c", async || -> Result<usize, &str> { panic!("it panics") })
                .await
        })
    };
    assert!(panics.await.unwrap_err().is_panic());
    assert_eq!(memo.get_or_load("c", || runs.run()).await, Ok(3));
}

#[tokio::test]
async fn it_is_bounded() {
    let (memo, runs) = (Memo::new(), Runs::default());
    for key in 0..Memo::MOST {
        memo.get_or_load(key, || runs.run()).await.unwrap();
    }
    let beyond = || memo.get_or_load(Memo::MOST, || runs.run());
    assert_ne!(beyond().await, beyond().await);
    assert_eq!(memo.get_or_load(0_usize, || runs.run()).await, Ok(1));
}

#[tokio::test]
async fn each_request_has_its_own() {
    let runs = Runs::default();
    let service = service_fn(move |request: Request<()>| {
        let runs = runs.clone();
        async move {
            let memo = request.extensions().get::<Memo>().unwrap().clone();
            memo.get_or_load("a", || runs.run()).await?;
            memo.get_or_load("a", || runs.run()).await
        }
    });
    let service = MemoLayer::new().layer(MemoLayer::new().layer(service));
    assert_eq!(service.clone().oneshot(Request::new(())).await, Ok(1));
    assert_eq!(service.oneshot(Request::new(())).await, Ok(2));
}

#[derive(Default)]
struct Squares {
    queries: Arc<Mutex<Vec<Vec<u64>>>>,
    fails: Arc<AtomicBool>,
}

impl Batch for Squares {
    type Key = u64;
    type Value = u64;
    type Error = &'static str;

    async fn load(&self, mut keys: Vec<u64>) -> Result<HashMap<u64, u64>, &'static str> {
        keys.sort_unstable();
        self.queries.lock().unwrap().push(keys.clone());
        tokio::task::yield_now().await;
        if self.fails.load(Ordering::SeqCst) {
            return Err("no");
        }
        Ok(keys
            .into_iter()
            .filter(|key| *key < 100)
            .map(|key| (key, key * key))
            .collect())
    }
}

#[tokio::test]
async fn the_keys_of_one_tick_are_one_query() {
    let squares = Squares::default();
    let queries = Arc::clone(&squares.queries);
    let loader = Loader::new(squares);
    let spawned: Vec<_> = (3..6)
        .map(|key| {
            let loader = loader.clone();
            tokio::spawn(async move { loader.load(key).await })
        })
        .collect();
    let here = tokio::join!(loader.load(1), loader.load(2), loader.load(1), loader.load(100));
    assert_eq!(here, (Ok(Some(1)), Ok(Some(4)), Ok(Some(1)), Ok(None)));
    for (key, task) in (3..6).zip(spawned) {
        assert_eq!(task.await.unwrap(), Ok(Some(key * key)));
    }
    assert_eq!(*queries.lock().unwrap(), [vec![1, 2, 3, 4, 5, 100]]);
    assert_eq!(loader.load(7).await, Ok(Some(49)));
    assert_eq!(queries.lock().unwrap().len(), 2, "what came later is another");
}

#[tokio::test]
async fn many_are_split_at_the_most_and_those_missing_are_left_out() {
    let squares = Squares::default();
    let queries = Arc::clone(&squares.queries);
    let loader = Loader::new(squares).most(2);
    let found = loader.load_many([1, 2, 2, 3, 100, 4]).await.unwrap();
    assert_eq!(found, HashMap::from([(1, 1), (2, 4), (3, 9), (4, 16)]));
    assert_eq!(*queries.lock().unwrap(), [vec![1, 2], vec![3, 100], vec![4]]);
    assert_eq!(loader.load_many([]).await, Ok(HashMap::new()));
}

#[tokio::test]
async fn an_error_reaches_all_who_wait() {
    let squares = Squares::default();
    let fails = Arc::clone(&squares.fails);
    fails.store(true, Ordering::SeqCst);
    let loader = Loader::new(squares);
    let (one, many) = tokio::join!(loader.load(1), loader.load_many([2, 3]));
    assert_eq!((one, many), (Err(Arc::new("no")), Err(Arc::new("no"))));
    fails.store(false, Ordering::SeqCst);
    assert_eq!(loader.load(1).await, Ok(Some(1)), "and no one after it");
}

#[tokio::test]
async fn who_leaves_takes_no_one_along() {
    let squares = Squares::default();
    let queries = Arc::clone(&squares.queries);
    let loader = Loader::new(squares);
    // The one that opened the query leaves before it begins.
    let mut cx = Context::from_waker(Waker::noop());
    let mut first = Box::pin(loader.load(1));
    assert!(first.as_mut().poll(&mut cx).is_pending());
    let second = loader.load(2);
    drop(first);
    assert_eq!(
        timeout(Duration::from_secs(20), second).await.unwrap(),
        Ok(Some(4))
    );
    // All leave: nothing is left of their query, and the next has one of its own.
    let before = queries.lock().unwrap().len();
    let mut left = Box::pin(loader.load(3));
    assert!(left.as_mut().poll(&mut cx).is_pending());
    drop(left);
    assert_eq!(
        timeout(Duration::from_secs(20), loader.load(4)).await.unwrap(),
        Ok(Some(16))
    );
    assert_eq!(queries.lock().unwrap()[before..], [vec![4]]);
}
