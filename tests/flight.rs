//! One fill per key: who leads, who waits, and that nobody is left waiting or gets what is not for them.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support_flows;

use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use larder::{CacheHints, Identity, Larder, MemoryStore};
use larder_testkit::{FailingStore, Mode};
use support_flows::*;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

const MINUTE: Duration = Duration::from_secs(60);
/// How long the handlers take that are to be told from an instant.
const WORK: Duration = Duration::from_millis(80);

/// Who joined a flight has left it, and nobody else came: the table holds no key.
#[track_caller]
fn assert_no_flights(larder: &Larder) {
    let shown = format!("{larder:?}");
    assert!(shown.contains("flights: 0,"), "{shown}");
}

/// A handler that counts its runs, waits at the gate and answers with the number of its run.
fn numbered(
    runs: &Count,
    gate: &Gate,
) -> impl Fn(Request<Body>) -> std::pin::Pin<Box<dyn Future<Output = Response<Body>> + Send>> + Clone + use<>
{
    let (runs, gate) = (runs.clone(), gate.clone());
    move |_| {
        let (runs, gate) = (runs.clone(), gate.clone());
        Box::pin(async move {
            let run = runs.add();
            gate.pass().await;
            ok(run)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_requests_are_one_run() {
    let (larder, _) = fake();
    let (runs, gate) = (Count::default(), Gate::default());
    let app = app(&larder.cache("thousand").ttl(MINUTE), numbered(&runs, &gate));
    let all: Vec<_> = (0..1000).map(|_| spawn(&app, get("/"))).collect();
    settle().await;
    gate.open();
    let mut collapsed = 0;
    for answer in all {
        let answer = answer.await.unwrap().unwrap();
        collapsed += usize::from(cache_status(&answer).contains("; collapsed"));
        assert_eq!(text(answer).await, "1");
    }
    assert_eq!((runs.get(), collapsed), (1, 999));
    assert_no_flights(&larder);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_requests_on_many_threads_are_one_run() {
    let (larder, _) = fake();
    let (runs, gate) = (Count::default(), Gate::default());
    let app = app(&larder.cache("threads").ttl(MINUTE), numbered(&runs, &gate));
    let all: Vec<_> = (0..1000).map(|_| spawn(&app, get("/"))).collect();
    runs.reach(1).await;
    gate.open();
    let mut misses = 0;
    for answer in all {
        let answer = in_time(answer).await.unwrap().unwrap();
        misses += usize::from(x_cache(&answer) == "MISS");
        assert_eq!(text(answer).await, "1");
    }
    assert_eq!((runs.get(), misses), (1, 1));
    assert_no_flights(&larder);
}

/// One request is held up wherever it can be while another is served from beginning to end: it must not run the
/// handler again because it looked before the other's entry was there and joined when the other's flight was over.
#[tokio::test(start_paused = true)]
async fn a_request_that_is_overtaken_by_a_whole_flight_uses_its_entry() {
    for polls in 0.. {
        let store = FailingStore::new(MemoryStore::with_capacity(1 << 20));
        store.set_all(Mode::Later);
        let (larder, _) = with_store(store, |_| {});
        let (runs, gate) = (Count::default(), Gate::default());
        gate.open();
        let app = app(&larder.cache("overtaken").ttl(MINUTE), numbered(&runs, &gate));
        let request = || {
            let app = app.clone();
            ByHand::new(async move { see(&app, "/").await.1 })
        };
        let mut slow = request();
        assert_eq!(slow.poll_up_to(polls), None);
        if runs.get() > 0 {
            assert!(polls > 4, "only {polls} places to hold it up at");
            return;
        }
        let mut fast = request();
        let mut answers = [fast.poll_up_to(50), None];
        for _ in 0..50 {
            answers[1] = answers[1].take().or_else(|| slow.poll_up_to(1));
            answers[0] = answers[0].take().or_else(|| fast.poll_up_to(1));
        }
        assert_eq!(
            answers,
            [Some("1".into()), Some("1".into())],
            "held up after {polls} polls"
        );
        assert_no_flights(&larder);
    }
}

/// What a client does with an answer: reads it frame by frame, with a pause after each.
async fn read_slowly(answer: Answered) -> String {
    let mut body = answer.into_body();
    let mut all = Vec::new();
    while let Some(frame) = body.frame().await {
        all.extend_from_slice(&frame.unwrap().into_data().unwrap());
        yield_now().await;
    }
    String::from_utf8(all).unwrap()
}

/// Drops the leader after it was polled `polls` times, while three others wait; answers whether it had come to its
/// end before.
async fn drop_leader_after(polls: usize, streamed: bool) -> bool {
    let store = FailingStore::new(MemoryStore::with_capacity(1 << 20));
    store.set_all(Mode::Later);
    let (larder, _) = with_store(store, |_| {});
    let runs = Count::default();
    let counted = runs.clone();
    let app = app(&larder.cache("dropped").ttl(MINUTE), move |_| {
        let run = counted.add().to_string();
        async move {
            yield_now().await;
            yield_now().await;
            if streamed {
                response(200, &[], chunks(["run ".to_owned(), run, ".".to_owned()]))
            } else {
                ok(format!("run {run}."))
            }
        }
    });
    let whole = || {
        let app = app.clone();
        ByHand::new(async move { read_slowly(ask(&app, get("/")).await).await })
    };
    let mut leader = whole();
    if leader.poll_up_to(polls).is_some() {
        return true;
    }
    let mut waiters = [whole(), whole(), whole()];
    let mut answers = [const { None }; 3];
    // The store may have taken the entry in before the leader learnt of it: then it is there for the others.
    let expected = runs.get() + usize::from(larder.size().entries == 0);
    for round in 0..200 {
        for (waiter, answer) in waiters.iter_mut().zip(&mut answers) {
            if answer.is_none() {
                *answer = waiter.poll_up_to(1);
            }
        }
        if round == 30 {
            // By now they have joined, or one of them leads.
            drop(std::mem::replace(
                &mut leader,
                ByHand::new(std::future::pending()),
            ));
        }
        // What was left to the background goes on.
        yield_now().await;
    }
    let all = [(); 3].map(|()| Some(format!("run {expected}.")));
    assert_eq!(answers, all, "dropped after {polls} polls, streamed: {streamed}");
    assert_eq!(
        runs.get(),
        expected,
        "dropped after {polls} polls, streamed: {streamed}"
    );
    larder.idle().await;
    assert_no_flights(&larder);
    false
}

#[tokio::test(start_paused = true)]
async fn the_lead_passes_on_wherever_the_leader_is_dropped() {
    for streamed in [false, true] {
        let mut polls = 0;
        while !drop_leader_after(polls, streamed).await {
            polls += 1;
        }
        // Two for each of look-up, capture and put, two in the handler, and the reading of the body.
        let least = if streamed { 9 } else { 8 };
        assert!(polls > least, "only {polls} places to drop it at");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_panic_nobody_hangs_and_all_run_at_once() {
    let (larder, _) = fake();
    let (runs, gate) = (Count::default(), Gate::default());
    let (counted, entrance) = (runs.clone(), gate.clone());
    let app = app(&larder.cache("panic").ttl(MINUTE), move |_| {
        let (runs, gate) = (counted.clone(), entrance.clone());
        async move {
            let run = runs.add();
            if run == 1 {
                gate.pass().await;
                panic!("on purpose");
            }
            sleep(WORK).await;
            ok(run)
        }
    });
    let leader = spawn(&app, get("/"));
    settle().await;
    let waiters: Vec<_> = (0..20).map(|_| spawn(&app, get("/"))).collect();
    settle().await;
    assert_eq!(runs.get(), 1);
    let began = Instant::now();
    gate.open();
    assert!(leader.await.unwrap_err().is_panic());
    for waiter in waiters {
        assert_eq!(x_cache(&waiter.await.unwrap().unwrap()), "MISS");
    }
    assert!(
        began.elapsed() < WORK * 2,
        "one after the other: {:?}",
        began.elapsed()
    );
    assert_no_flights(&larder);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_hangs_holds_a_waiter_up_to_the_limit() {
    let (larder, _) = fake();
    let runs = Count::default();
    let counted = runs.clone();
    let limit = Duration::from_secs(3);
    let app = app(&larder.cache("hang").ttl(MINUTE).wait(limit), move |_| {
        let run = counted.add();
        async move {
            if run == 1 {
                std::future::pending::<()>().await;
            }
            ok(run)
        }
    });
    let leader = spawn(&app, get("/"));
    settle().await;
    let began = Instant::now();
    assert_eq!(see(&app, "/").await, pair("MISS", 2));
    assert_eq!(began.elapsed(), limit);
    // What the waiter's own handler made is kept, so that nobody else waits.
    assert_eq!(see(&app, "/").await, pair("HIT", 2));
    assert_eq!(began.elapsed(), limit);
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    assert_no_flights(&larder);
}

#[tokio::test(start_paused = true)]
async fn requests_for_what_cannot_be_kept_are_not_served_one_after_the_other() {
    let (larder, clock) = fake();
    let app = app(&larder.cache("uncacheable").ttl(MINUTE), |_| async {
        sleep(WORK).await;
        response(200, &[("cache-control", "no-store")], "for you alone")
    });
    let burst = async || {
        let began = Instant::now();
        let all: Vec<_> = (0..20).map(|_| spawn(&app, get("/"))).collect();
        for answer in all {
            assert_eq!(
                seen(answer.await.unwrap().unwrap()).await,
                pair("MISS", "for you alone")
            );
        }
        began.elapsed()
    };
    // The first burst learns it: the others wait for one run. Timers are exact to a millisecond.
    let (two, one) = (
        WORK * 2 + Duration::from_millis(5),
        WORK + Duration::from_millis(5),
    );
    let took = burst().await;
    assert!(took <= two, "{took:?}");
    let took = burst().await;
    assert!(took <= one, "the key is remembered, and it took {took:?}");
    // For a while only: what can be kept by then is made once again.
    clock.advance(Duration::from_secs(11));
    let took = burst().await;
    assert!((WORK * 2..=two).contains(&took), "{took:?}");
    assert_no_flights(&larder);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_never_gets_another_variant() {
    let (larder, _) = fake();
    let (runs, gate) = (Count::default(), Gate::default());
    let (counted, entrance) = (runs.clone(), gate.clone());
    let app = app(&larder.cache("variants").ttl(MINUTE), move |request| {
        let (runs, gate) = (counted.clone(), entrance.clone());
        async move {
            runs.add();
            gate.pass().await;
            let language = header(request.headers(), "accept-language").to_owned();
            response(200, &[("vary", "Accept-Language")], language)
        }
    });
    let languages = ["en", "de", "fr", "it", "es"];
    let all: Vec<_> = (0..50)
        .map(|n| {
            let language = languages[n % languages.len()];
            (language, spawn(&app, get_with("/", "accept-language", language)))
        })
        .collect();
    settle().await;
    assert_eq!(runs.get(), 1, "nobody knew that it varies");
    gate.open();
    for (language, answer) in all {
        assert_eq!(text(answer.await.unwrap().unwrap()).await, language);
    }
    assert_eq!(runs.get(), languages.len(), "one run for each variant");
    assert_no_flights(&larder);
}

#[tokio::test(start_paused = true)]
async fn identities_do_not_share_a_flight() {
    let (larder, _) = fake();
    let (runs, gate) = (Count::default(), Gate::default());
    let (counted, entrance) = (runs.clone(), gate.clone());
    let layer = larder.user_cache("profile", |parts: &http::request::Parts| {
        let user = header(&parts.headers, "authorization").to_owned();
        async move { Identity::new(user) }
    });
    let app = app(&layer, move |request| {
        let (runs, gate) = (counted.clone(), entrance.clone());
        async move {
            runs.add();
            gate.pass().await;
            ok(header(request.headers(), "authorization"))
        }
    });
    let all: Vec<_> = (0..20)
        .map(|n| {
            let user = if n % 2 == 0 { "ada" } else { "grace" };
            (user, spawn(&app, get_with("/", "authorization", user)))
        })
        .collect();
    settle().await;
    assert_eq!(runs.get(), 2, "one run for each identity, at the same time");
    gate.open();
    for (user, answer) in all {
        assert_eq!(text(answer.await.unwrap().unwrap()).await, user);
    }
    assert_eq!(runs.get(), 2);
    assert_no_flights(&larder);
}

/// The ways to forget an entry at `/a/b?c`.
#[derive(Debug, Clone, Copy)]
enum By {
    Tag,
    Layer,
    Prefix,
    Uri,
    All,
}

impl By {
    async fn forget(self, larder: &Larder) {
        let done = match self {
            Self::Tag => larder.invalidate_tag("named").await,
            Self::Layer => larder.invalidate_tag(larder::Tag::layer("invalidated")).await,
            Self::Prefix => larder.invalidate_prefix("/a").await,
            Self::Uri => larder.invalidate_uri("/a/b?c").await,
            Self::All => larder.invalidate_all().await,
        };
        done.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn after_an_invalidation_nobody_joins_the_old_flight_or_gets_its_result() {
    for by in [By::Tag, By::Layer, By::Prefix, By::Uri, By::All] {
        let (larder, _) = fake();
        let (runs, gate) = (Count::default(), Gate::default());
        let (counted, entrance) = (runs.clone(), gate.clone());
        let layer = larder.cache("invalidated").ttl(MINUTE).tag("named");
        let app = app(&layer, move |_| {
            let (runs, gate) = (counted.clone(), entrance.clone());
            async move {
                let run = runs.add();
                if run == 1 {
                    gate.pass().await;
                }
                ok(run)
            }
        });
        let leader = spawn(&app, get("/a/b?c"));
        settle().await;
        let joined_before = spawn(&app, get("/a/b?c"));
        settle().await;
        let began = Instant::now();
        by.forget(&larder).await;
        // The old handler hangs still.
        assert_eq!(see(&app, "/a/b?c").await, pair("MISS", 2), "{by:?}");
        assert_eq!(began.elapsed(), Duration::ZERO, "{by:?}");
        gate.open();
        let old = leader.await.unwrap().unwrap();
        assert!(
            cache_status(&old).ends_with("; detail=stamp"),
            "{}",
            cache_status(&old)
        );
        assert_eq!(text(old).await, "1");
        // It asked before the invalidation: old or new, it is answered.
        joined_before.await.unwrap().unwrap();
        let (x_cache, run) = see(&app, "/a/b?c").await;
        assert_eq!(x_cache, "HIT");
        assert_ne!(run, "1", "{by:?}");
        assert_no_flights(&larder);
    }
}

/// Only the handler knows the tag, so a later request cannot know that the flight under way is worthless: it may wait
/// for it, but does not get what it made.
#[tokio::test(start_paused = true)]
async fn what_a_flight_made_is_judged_by_the_tags_that_its_handler_named() {
    let (larder, _) = fake();
    let (runs, gate) = (Count::default(), Gate::default());
    let (counted, entrance) = (runs.clone(), gate.clone());
    let app = app(&larder.cache("hinted").ttl(MINUTE), move |_| {
        let (runs, gate) = (counted.clone(), entrance.clone());
        async move {
            let run = runs.add();
            if run == 1 {
                gate.pass().await;
            }
            let mut response = ok(run);
            CacheHints::new().tag("hinted").apply_to(&mut response);
            response
        }
    });
    let leader = spawn(&app, get("/"));
    settle().await;
    larder.invalidate_tag("hinted").await.unwrap();
    let later: Vec<_> = (0..3).map(|_| spawn(&app, get("/"))).collect();
    settle().await;
    gate.open();
    assert_eq!(text(leader.await.unwrap().unwrap()).await, "1");
    for answer in later {
        assert_eq!(text(answer.await.unwrap().unwrap()).await, "2");
    }
    assert_eq!(see(&app, "/").await, pair("HIT", 2));
    assert_no_flights(&larder);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_past_an_invalidation_for_a_handler_that_hangs_runs_its_own() {
    let (larder, _) = fake();
    let runs = Count::default();
    let counted = runs.clone();
    let app = app(&larder.cache("hinted").ttl(MINUTE), move |_| {
        let run = counted.add();
        async move {
            if run == 1 {
                std::future::pending::<()>().await;
            }
            let mut response = ok(run);
            CacheHints::new().tag("hinted").apply_to(&mut response);
            response
        }
    });
    let leader = spawn(&app, get("/"));
    settle().await;
    larder.invalidate_tag("hinted").await.unwrap();
    assert_eq!(see(&app, "/").await, pair("MISS", 2));
    leader.abort();
}

tokio::task_local! {
    static REQUEST: u32;
}

#[tokio::test(start_paused = true)]
async fn a_handler_runs_in_the_future_of_a_request() {
    let (larder, _) = fake();
    let gate = Gate::default();
    let entrance = gate.clone();
    let app = app(&larder.cache("local").ttl(MINUTE), move |_| {
        let gate = entrance.clone();
        async move {
            // Whose this is it tells before and after it waited.
            let before = REQUEST.get();
            gate.pass().await;
            ok(format!("{before} {}", REQUEST.get()))
        }
    });
    let first = tokio::spawn(REQUEST.scope(1, app.clone().oneshot(get("/"))));
    settle().await;
    let second = tokio::spawn(REQUEST.scope(2, app.clone().oneshot(get("/"))));
    settle().await;
    // The second takes over the lead.
    first.abort();
    settle().await;
    gate.open();
    assert_eq!(text(second.await.unwrap().unwrap()).await, "2 2");
    assert_no_flights(&larder);
}

/// Without a runtime there is nothing to spawn on: a miss is made and kept all the same.
#[test]
fn nothing_is_spawned_for_a_miss() {
    let (larder, _) = fake();
    let app = app(&larder.cache("plain").ttl(MINUTE), |request| async move {
        match request.uri().path() {
            "/streamed" => response(200, &[], chunks(["in ", "parts"])),
            _ => ok("in one"),
        }
    });
    for (uri, body) in [("/", "in one"), ("/streamed", "in parts")] {
        for outcome in ["MISS", "HIT"] {
            let app = app.clone();
            let mut request = ByHand::new(async move {
                let answer = ask(&app, get(uri)).await;
                let seen = x_cache(&answer).to_owned();
                (seen, answer.into_body().collect().await.unwrap().to_bytes())
            });
            assert_eq!(request.poll_up_to(10), Some((outcome.to_owned(), body.into())));
        }
    }
    assert_no_flights(&larder);
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_service_is_passed_through_and_the_waiters_go_on() {
    let (larder, _) = fake();
    let (runs, gate) = (Count::default(), Gate::default());
    let (counted, entrance) = (runs.clone(), gate.clone());
    let app = fallible(&larder.cache("error").ttl(MINUTE), move |_| {
        let (runs, gate) = (counted.clone(), entrance.clone());
        async move {
            let run = runs.add();
            if run == 1 {
                gate.pass().await;
                return Err("the service failed".into());
            }
            sleep(WORK).await;
            Ok(ok(run))
        }
    });
    let leader = spawn(&app, get("/"));
    settle().await;
    let waiters: Vec<_> = (0..10).map(|_| spawn(&app, get("/"))).collect();
    settle().await;
    assert_eq!(runs.get(), 1);
    let began = Instant::now();
    gate.open();
    let error = leader.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the service failed");
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap().unwrap().status(), 200);
    }
    assert!(began.elapsed() < WORK * 2, "{:?}", began.elapsed());
    assert_no_flights(&larder);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_takes_longer_than_it_is_fresh_is_for_all_who_waited() {
    let (larder, clock) = fake();
    let runs = Count::default();
    let (sender, body) = frames();
    let first = std::sync::Arc::new(std::sync::Mutex::new(Some(body)));
    let count = runs.clone();
    let handler = move |_| {
        let body = first
            .lock()
            .unwrap()
            .take()
            .unwrap_or_else(|| Body::from("again"));
        count.add();
        std::future::ready(Response::new(body))
    };
    let app = app(&larder.cache("slow").ttl(Duration::from_secs(1)), handler);
    let leads = ask(&app, get("/")).await;
    let waits = [spawn(&app, get("/")), spawn(&app, get("/"))];
    settle().await;
    clock.advance(Duration::from_secs(2));
    sender.send(Ok(http_body::Frame::data("slow".into()))).unwrap();
    drop(sender);
    assert_eq!(text(leads).await, "slow");
    for answer in waits {
        assert_eq!(text(answer.await.unwrap().unwrap()).await, "slow");
    }
    assert_eq!(runs.get(), 1);
    assert_no_flights(&larder);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_what_was_too_large_where_it_answers_more_queries_than_one() {
    let (larder, _) = fake();
    let (runs, gate) = (Count::default(), Gate::default());
    gate.open();
    let (count, open) = (runs.clone(), gate.clone());
    let handler = move |_| {
        count.add();
        let open = open.clone();
        async move {
            open.pass().await;
            let headers = [("cache-control", "max-age=60"), ("no-vary-search", "params")];
            response(200, &headers, chunks(["more than that"]))
        }
    };
    let layer = larder.gateway_cache("large", larder::Profile::Safe).max_body(3);
    let app = app(&layer, handler);
    text(ask(&app, get("/?a")).await).await;
    gate.close();
    let all = [spawn(&app, get("/?a")), spawn(&app, get("/?a"))];
    settle().await;
    assert_eq!(runs.get(), 3);
    gate.open();
    for answer in all {
        text(answer.await.unwrap().unwrap()).await;
    }
}
