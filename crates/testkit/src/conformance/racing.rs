//! Readers, fills and invalidations at the same time, and a checker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use larder_store::{Kept, Key, Lookup, Store, Strength, Tag};

use super::{Found, Subject, body_of, entry, pause, tag};

const TAGS: usize = 4;
const KEYS: usize = 8;
const FILLERS: usize = 3;
const READERS: usize = 2;
const INVALIDATIONS: usize = 600;
const LEAST: u64 = 200;

/// The data that responses are made of: one version for each tag, and which version the last completed invalidation
/// of the tag made obsolete what is older than.
#[derive(Default)]
struct World {
    data: [AtomicU64; TAGS],
    floor: [AtomicU64; TAGS],
    done: AtomicBool,
    hits: AtomicU64,
    stored: AtomicU64,
}

impl World {
    fn floors(&self) -> [u64; TAGS] {
        self.floor.each_ref().map(|floor| floor.load(Ordering::SeqCst))
    }

    /// Changes the data of some tags, forgets them, and says so.
    async fn change<S: Store>(&self, store: &Subject<S>, which: &[usize], everything: bool) {
        let versions: Vec<u64> = which
            .iter()
            .map(|n| self.data[*n].fetch_add(1, Ordering::SeqCst) + 1)
            .collect();
        if everything {
            store.forget_everything(Strength::Hard).await;
        } else {
            let tags: Vec<Tag> = which.iter().map(|n| own_tag(*n)).collect();
            store.forget(&tags, Strength::Hard).await;
        }
        for (n, version) in which.iter().zip(versions) {
            self.floor[*n].fetch_max(version, Ordering::SeqCst);
        }
    }
}

fn own_tag(n: usize) -> Tag {
    tag(&format!("data {n}"))
}

/// The two tags of a key: one is known before the fill, the other only when the response is there.
fn own_tags(key: usize) -> [usize; 2] {
    [key % TAGS, (key + 1 + key / TAGS) % TAGS]
}

fn name(key: usize) -> String {
    format!("key {key}")
}

/// With all of it at the same time, no look-up finds data that is older than the last completed invalidation of its
/// tag when the look-up began; and the store is of use meanwhile, that is, many look-ups find something.
pub async fn nothing_stale_under_load<S: Store>(store: Arc<S>) {
    let world = Arc::new(World::default());
    let mut tasks = Vec::new();
    for n in 0..FILLERS {
        tasks.push(tokio::spawn(fills(
            Subject(Arc::clone(&store)),
            Arc::clone(&world),
            n,
        )));
    }
    for n in 0..READERS {
        tasks.push(tokio::spawn(reads(
            Subject(Arc::clone(&store)),
            Arc::clone(&world),
            n,
        )));
    }
    let changer = tokio::spawn(changes(Subject(Arc::clone(&store)), Arc::clone(&world)));
    tasks.push(changer);
    for task in tasks {
        if let Err(error) = task.await {
            world.done.store(true, Ordering::SeqCst);
            std::panic::resume_unwind(error.into_panic());
        }
    }
    let (hits, stored) = (
        world.hits.load(Ordering::SeqCst),
        world.stored.load(Ordering::SeqCst),
    );
    assert!(
        hits >= LEAST && stored >= LEAST,
        "of use under load: at least {LEAST} hits and as many kept fills, not {hits} and {stored}"
    );
}

/// Fills the keys over and over, as requests do: capture, read the data, put.
async fn fills<S: Store>(store: Subject<S>, world: Arc<World>, seed: usize) {
    let mut key = seed;
    while !world.done.load(Ordering::SeqCst) {
        key = (key + 1) % KEYS;
        if !matches!(store.lookup(&name(key)).await, Found::Nothing) {
            tokio::task::yield_now().await;
            continue;
        }
        let [known, dynamic] = own_tags(key);
        let capture = store.capture(&[own_tag(known)]).await;
        let body = [known, dynamic].map(|n| world.data[n].load(Ordering::SeqCst));
        if seed == 0 {
            // One of them is slow, so that invalidations do overtake it.
            pause(Duration::from_micros(200));
        }
        let body = body.map(u64::to_be_bytes).concat();
        let made = entry(body, &[own_tag(known), own_tag(dynamic)]);
        let put = store
            .0
            .put(Key::from(name(key).as_bytes()), made, capture)
            .wait()
            .await;
        world
            .stored
            .fetch_add(u64::from(put.kept == Kept::Stored), Ordering::SeqCst);
    }
}

/// Looks the keys up, and compares what is found with what was completely forgotten before.
async fn reads<S: Store>(store: Subject<S>, world: Arc<World>, seed: usize) {
    let mut key = seed;
    while !world.done.load(Ordering::SeqCst) {
        key = (key + 1) % KEYS;
        check(&store, &world, key).await;
        tokio::task::yield_now().await;
    }
}

async fn check<S: Store>(store: &Subject<S>, world: &World, key: usize) {
    let floors = world.floors();
    match store.0.lookup(name(key).as_bytes()).wait().await {
        Ok(Lookup::Found(entry) | Lookup::Fetched(entry)) => {
            world.hits.fetch_add(1, Ordering::SeqCst);
            let body = body_of(&entry);
            for (n, bytes) in own_tags(key).into_iter().zip(body.chunks_exact(8)) {
                let version = bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                if version < floors[n] {
                    world.done.store(true, Ordering::SeqCst);
                    panic!(
                        "stale: {key} was found with version {version} of {}, forgotten up to {} before",
                        own_tag(n),
                        floors[n]
                    );
                }
            }
        }
        Ok(_) => {}
        Err(e) => panic!("`lookup` failed: {e}"),
    }
}

/// Changes the data, one tag or two or all of it, and looks at once whether anything older is found.
async fn changes<S: Store>(store: Subject<S>, world: Arc<World>) {
    for n in 0..INVALIDATIONS {
        match n % 10 {
            9 => world.change(&store, &[0, 1, 2, 3], true).await,
            8 => world.change(&store, &[n % TAGS, (n + 1) % TAGS], false).await,
            _ => world.change(&store, &[n / 2 % TAGS], false).await,
        }
        for key in 0..KEYS {
            check(&store, &world, key).await;
        }
        pause(Duration::from_micros(300));
    }
    world.done.store(true, Ordering::SeqCst);
}
