//! Many who want one lock: how fast it changes hands, how long they wait, and what that costs the servers.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use larder_lock::{Lock, LockOptions, Locker, Outcome as Held};
use tokio::task::JoinSet;

use crate::Outcome;
use crate::contenders::{Raw, Servers, TTL, larder};

const TASKS: usize = 50;

/// What a crowd came to.
struct Crowd {
    holds: u64,
    changes_of_task: u64,
    changes_of_process: u64,
    took: Duration,
    waits_ms: Vec<f64>,
}

impl Crowd {
    fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.took.as_secs_f64()
    }

    fn p99_ms(&mut self) -> f64 {
        self.waits_ms.sort_by(f64::total_cmp);
        self.waits_ms[(self.waits_ms.len() - 1) * 99 / 100]
    }
}

/// All tasks take the lock so many times; the tasks are dealt to the lockers in turn.
async fn crowd(lockers: &[Locker], rounds: usize) -> Outcome<Crowd> {
    // Who had it last: the task, and the process.
    let last = Arc::new((AtomicUsize::new(usize::MAX), AtomicUsize::new(usize::MAX)));
    let changes = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
    let waits = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    for task in 0..TASKS {
        let process = task % lockers.len();
        let (locker, last) = (lockers[process].clone(), Arc::clone(&last));
        let (changes, waits) = (Arc::clone(&changes), Arc::clone(&waits));
        tasks.spawn(async move {
            for _ in 0..rounds {
                let asked = Instant::now();
                let options = LockOptions::new(TTL).wait(Duration::from_secs(60));
                let held = locker.with_lock(Lock::new("bench", "crowd"), options, async |_| {
                    let waited = asked.elapsed().as_secs_f64() * 1e3;
                    waits
                        .lock()
                        .unwrap_or_else(|broken| broken.into_inner())
                        .push(waited);
                    let new_task = last.0.swap(task, Ordering::Relaxed) != task;
                    let new_process = last.1.swap(process, Ordering::Relaxed) != process;
                    changes.0.fetch_add(new_task.into(), Ordering::Relaxed);
                    changes.1.fetch_add(new_process.into(), Ordering::Relaxed);
                });
                let held = held.await;
                if !matches!(held, Held::Ran(())) {
                    return Err(format!("a task did not get the lock: {held:?}"));
                }
            }
            Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    let waits_ms = std::mem::take(&mut *waits.lock().unwrap_or_else(|broken| broken.into_inner()));
    Ok(Crowd {
        holds: (TASKS * rounds) as u64,
        changes_of_task: changes.0.load(Ordering::Relaxed),
        changes_of_process: changes.1.load(Ordering::Relaxed),
        took: begun.elapsed(),
        waits_ms,
    })
}

pub(crate) async fn one_process(servers: &Servers) -> Outcome<()> {
    let (raw, locker) = (Raw::connect(servers).await?, servers.locker()?);
    let mut ratios = Vec::new();
    for round in 0..5 {
        let begun = Instant::now();
        for turn in 0..1_000 {
            raw.round(&format!("sequential-{round}-{turn}")).await?;
        }
        let limit = 1_000.0 / begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        for turn in 0..1_000 {
            larder(&locker, 1_000_000 + turn).await?;
        }
        let alone = 1_000.0 / begun.elapsed().as_secs_f64();
        let before = servers.commands();
        let mut crowd = crowd(std::slice::from_ref(&locker), 20).await?;
        let commands = (servers.commands() - before) as f64 / crowd.holds as f64;
        let changes = crowd.per_second(crowd.changes_of_task);
        ratios.push((changes / limit, changes / alone));
        println!(
            "one process: {changes:.0} changes of owner/s; raw in sequence {limit:.0}/s, larder in sequence {alone:.0}/s; \
             p99 wait {:.1} ms; {commands:.1} commands a hand-over to five servers",
            crowd.p99_ms()
        );
    }
    ratios.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (of_raw, of_larder) = ratios[ratios.len() / 2];
    println!("median: {of_raw:.2} of raw in sequence, {of_larder:.2} of larder in sequence\n");
    rslock_crowd(servers).await
}

async fn rslock_crowd(servers: &Servers) -> Outcome<()> {
    let manager = servers.rslock();
    let (last, changes) = (
        Arc::new(AtomicUsize::new(usize::MAX)),
        Arc::new(AtomicU64::new(0)),
    );
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    for task in 0..TASKS {
        let (manager, last, changes) = (manager.clone(), Arc::clone(&last), Arc::clone(&changes));
        tasks.spawn(async move {
            for _ in 0..20 {
                let Ok(guard) = manager.acquire("crowd", TTL).await else {
                    return;
                };
                let new = last.swap(task, Ordering::Relaxed) != task;
                changes.fetch_add(new.into(), Ordering::Relaxed);
                guard.release().await;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    let changes = changes.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    println!("rslock: {changes:.0} changes of owner/s\n");
    Ok(())
}

/// Five lockers with connections of their own, as five processes have them.
pub(crate) async fn five_processes(servers: &Servers) -> Outcome<()> {
    let lockers: Vec<Locker> = (0..5).map(|_| servers.locker()).collect::<Outcome<_>>()?;
    for _ in 0..3 {
        let before = servers.commands();
        let mut crowd = crowd(&lockers, 40).await?;
        let commands = (servers.commands() - before) as f64 / crowd.holds as f64;
        println!(
            "five lockers: {:.0} holds/s, {:.0} changes of process/s; p99 wait {:.1} ms; {commands:.1} commands a hand-over",
            crowd.per_second(crowd.holds),
            crowd.per_second(crowd.changes_of_process),
            crowd.p99_ms()
        );
    }
    println!();
    Ok(())
}

/// One who waits for a lock that is held for long.
pub(crate) async fn idle_waiter(servers: &Servers) -> Outcome<()> {
    let (here, there) = (servers.locker()?, servers.locker()?);
    let lock = || Lock::new("bench", "idle");
    let held = here
        .acquire(lock(), LockOptions::new(Duration::from_secs(60)))
        .await?;
    let waiter = tokio::spawn(async move {
        let options = LockOptions::new(TTL).wait(Duration::from_secs(60));
        there.acquire(lock(), options).await.map(drop)
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = servers.commands();
    tokio::time::sleep(Duration::from_secs(15)).await;
    let a_second = (servers.commands() - before) as f64 / 15.0 / servers.0.len() as f64;
    println!("an idle waiter sends {a_second:.2} commands a second to each server");
    drop(held);
    waiter.await??;
    Ok(())
}
