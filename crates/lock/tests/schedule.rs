//! The schedule: each tick is done by one of several instances, whatever their clocks say; in paused time and on a server.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_lock::{Lock, LockNode, Locker, LossCause, Outcome, Schedule};
use support::{Fault, Nodes, ms};
use tokio::time::{Instant, sleep, timeout};

const PERIOD: Duration = Duration::from_secs(60);

fn schedule() -> Schedule {
    Schedule::every(PERIOD, Lock::new("task", "clean-up"))
}

/// An instance whose wall clock is ahead by so much. All of them begin in the middle of a tick.
fn instance(nodes: &Nodes, ahead: Duration) -> Locker {
    let begun = Instant::now();
    let nodes = nodes.0.iter().map(|node| Arc::clone(node) as Arc<dyn LockNode>);
    nodes
        .fold(Locker::builder(), larder_lock::LockerBuilder::shared_node)
        .wall_clock(move || PERIOD * 1000 + PERIOD / 2 + begun.elapsed() + ahead)
        .build()
}

/// Who did which tick, and when.
type Done = Arc<Mutex<Vec<(usize, Duration)>>>;

/// Runs instances with clocks that are ahead by so much, each with work that takes so long, for ten ticks.
async fn ten_ticks(aheads: &[Duration], takes: Duration, schedule: &Schedule) -> Vec<(usize, Duration)> {
    let nodes = Nodes::new(3);
    let done = Done::default();
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for (number, ahead) in aheads.iter().enumerate() {
        let (locker, schedule, done) = (instance(&nodes, *ahead), schedule.clone(), Arc::clone(&done));
        tasks.spawn(async move {
            loop {
                schedule.tick(&locker).await;
                let work = async |_| {
                    done.lock().unwrap().push((number, begun.elapsed()));
                    sleep(takes).await;
                };
                let outcome = schedule.run(&locker, work).await;
                assert!(
                    matches!(outcome, Outcome::Ran(()) | Outcome::Busy { .. }),
                    "{outcome:?}"
                );
            }
        });
    }
    sleep(PERIOD * 10).await;
    tasks.shutdown().await;
    done.lock().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn each_tick_is_done_once_by_instances_whose_clocks_differ() {
    let seconds = Duration::from_secs;
    for takes in [Duration::ZERO, seconds(20), seconds(50)] {
        let aheads = [seconds(0), ms(3), seconds(7), seconds(1)];
        let done = ten_ticks(&aheads, takes, &schedule()).await;
        assert_eq!(done.len(), 10, "{takes:?}: {done:?}");
        for (tick, (_, at)) in done.iter().enumerate() {
            let due = PERIOD / 2 + PERIOD * u32::try_from(tick).unwrap();
            assert!(
                *at + seconds(8) >= due && *at <= due + seconds(8),
                "{tick}: {at:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_at_least_for_a_brief_task_is_done_by_all() {
    let aheads = [Duration::ZERO, ms(3), ms(9)];
    let done = ten_ticks(&aheads, Duration::ZERO, &schedule().at_least_for(Duration::ZERO)).await;
    assert_eq!(done.len(), 30, "what `at_least_for` is there for");
}

#[tokio::test(start_paused = true)]
async fn ticks_that_pass_while_work_is_under_way_are_left_out() {
    let long = schedule().at_most_for(PERIOD * 5);
    let done = ten_ticks(&[Duration::ZERO, ms(3)], PERIOD * 2 + PERIOD / 2, &long).await;
    assert!((3..=4).contains(&done.len()), "{done:?}");
    let gaps = done.windows(2).map(|pair| pair[1].1 - pair[0].1);
    assert!(gaps.min().unwrap() >= PERIOD * 2, "two at once: {done:?}");
}

#[tokio::test(start_paused = true)]
async fn work_that_hangs_is_stopped_and_the_next_tick_is_done() {
    let nodes = Nodes::new(3);
    let locker = instance(&nodes, Duration::ZERO);
    let schedule = schedule().at_most_for(PERIOD / 2);
    schedule.tick(&locker).await;
    let outcome = schedule
        .run(&locker, async |_| std::future::pending::<()>().await)
        .await;
    let stopped = matches!(
        outcome,
        Outcome::Lost {
            value: None,
            cause: LossCause::MaxHold
        }
    );
    assert!(stopped, "{outcome:?}");
    schedule.tick(&locker).await;
    assert!(matches!(
        schedule.run(&locker, async |_| ()).await,
        Outcome::Ran(())
    ));
    nodes.set(0..2, Fault::Down);
    schedule.tick(&locker).await;
    let outcome = schedule.run(&locker, async |_| ()).await;
    assert!(matches!(outcome, Outcome::Unavailable(_)), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_misses_no_tick_for_long() {
    let nodes = Nodes::new(1);
    let hour = Duration::from_secs(3600);
    let step = Arc::new(Mutex::new(Duration::ZERO));
    let begun = Instant::now();
    let locker = {
        let step = Arc::clone(&step);
        Locker::builder()
            .shared_node(Arc::clone(&nodes.0[0]) as Arc<dyn LockNode>)
            .wall_clock(move || hour * 1000 + begun.elapsed() + *step.lock().unwrap())
            .build()
    };
    let hourly = Schedule::every(hour, Lock::new("task", 1));
    let tick = tokio::spawn(async move { hourly.tick(&locker).await });
    sleep(Duration::from_secs(10)).await;
    *step.lock().unwrap() = hour;
    assert!(timeout(Duration::from_secs(60), tick).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_interval_of_tokio_will_do() {
    let nodes = Nodes::new(3);
    let done = Arc::new(Mutex::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (locker, done) = (nodes.locker(), Arc::clone(&done));
        tasks.spawn(async move {
            let task = Schedule::every(PERIOD, Lock::new("task", "report"));
            let mut interval = tokio::time::interval(PERIOD);
            loop {
                interval.tick().await;
                let outcome = task.run(&locker, async |_| *done.lock().unwrap() += 1).await;
                assert!(
                    matches!(outcome, Outcome::Ran(()) | Outcome::Busy { .. }),
                    "{outcome:?}"
                );
            }
        });
    }
    sleep(PERIOD * 5 - ms(1)).await;
    tasks.shutdown().await;
    assert_eq!(*done.lock().unwrap(), 5);
}

#[cfg(all(unix, feature = "redis"))]
mod queue {
    //! A queue of due tasks in a sorted set of Redis, as the guide has it.

    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use larder_lock::LockOptions;
    use larder_testkit::RedisServer;
    use redis::aio::MultiplexedConnection;

    use super::*;
    use crate::support::servers::Servers;
    use crate::support::soon;

    /// Does what is due, each task in one instance, and returns how many it did.
    async fn work_off(
        locker: &Locker,
        redis: &mut MultiplexedConnection,
        now: i64,
        runs: &Mutex<BTreeMap<String, usize>>,
    ) -> redis::RedisResult<usize> {
        let mut done = 0;
        let due: Vec<String> = redis::cmd("ZRANGEBYSCORE")
            .arg(("due", "-inf", now, "LIMIT", 0, 100))
            .query_async(redis)
            .await?;
        for task in due {
            let lock = Lock::new("reminder", &task);
            let options = LockOptions::new(Duration::from_secs(10));
            let outcome = locker.with_lock(lock, options, async |_| {
                // Another may have done it since it was read.
                let mut score = redis::cmd("ZSCORE");
                let due: Option<i64> = score.arg(("due", &task)).query_async(redis).await?;
                if due.is_none_or(|due| due > now) {
                    return Ok(false);
                }
                *runs.lock().unwrap().entry(task.clone()).or_default() += 1;
                // After the work: who dies before leaves it to another.
                let mut gone = redis::cmd("ZREM");
                gone.arg(("due", &task)).query_async::<()>(redis).await?;
                Ok::<_, redis::RedisError>(true)
            });
            // Otherwise another is at it, or nobody can be: it stays in the queue.
            if let Outcome::Ran(result) = outcome.await {
                done += usize::from(result?);
            }
        }
        Ok(done)
    }

    async fn connect(server: &RedisServer) -> MultiplexedConnection {
        let client = redis::Client::open(server.url()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    #[tokio::test]
    async fn what_is_due_is_done_once_by_one_of_five() {
        let servers = Servers::start(1).await;
        for task in 0..60 {
            let due = if task < 50 { 1_000 } else { 3_000 };
            servers.0[0].cli(&["ZADD", "due", &due.to_string(), &format!("task-{task}")]);
        }
        let runs: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
        let total = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..5 {
            let (locker, mut redis) = (servers.locker(), connect(&servers.0[0]).await);
            let (runs, total) = (Arc::clone(&runs), Arc::clone(&total));
            tasks.spawn(async move {
                while total.load(Ordering::SeqCst) < 50 {
                    let done = work_off(&locker, &mut redis, 2_000, &runs);
                    total.fetch_add(done.await.unwrap(), Ordering::SeqCst);
                }
            });
        }
        while let Some(ended) = soon(tasks.join_next()).await {
            ended.unwrap();
        }
        let runs = runs.lock().unwrap();
        assert_eq!(runs.len(), 50);
        assert!(runs.values().all(|times| *times == 1), "{runs:?}");
        assert_eq!(
            servers.0[0].cli(&["ZCARD", "due"]),
            "10",
            "what is not due is left"
        );
    }
}
