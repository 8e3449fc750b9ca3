//! Bodies: passed on as they come, kept only when they came whole, and what is kept holds on to nothing else.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support_flows;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Body as _;
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use larder::{CacheLayer, Larder};
use support_flows::*;
use tower::ServiceExt;

const MINUTE: Duration = Duration::from_secs(60);

fn layer(larder: &Larder) -> CacheLayer {
    larder.cache("streaming").ttl(MINUTE)
}

fn data(chunk: &'static str) -> Result<Frame<Bytes>, BoxError> {
    Ok(Frame::data(Bytes::from_static(chunk.as_bytes())))
}

/// A service that answers each request with a body of unknown length, whose frames the test sends.
fn sent_by_hand(larder: &Larder, headers: &'static [(&'static str, &'static str)]) -> (App, Count, Senders) {
    let (runs, senders) = (Count::default(), Senders::default());
    let (counted, kept) = (runs.clone(), senders.clone());
    let app = app(&layer(larder).max_body(10), move |_| {
        let (sender, body) = frames();
        kept.lock().unwrap().push(sender);
        counted.add();
        async move { response(200, headers, body) }
    });
    (app, runs, senders)
}

type Senders = Arc<Mutex<Vec<Sender>>>;

fn pop(senders: &Senders) -> Sender {
    senders.lock().unwrap().pop().unwrap()
}

async fn next(answer: &mut Answered) -> Option<Result<Frame<Bytes>, axum::Error>> {
    in_time(answer.body_mut().frame()).await
}

async fn next_data(answer: &mut Answered) -> Bytes {
    next(answer).await.unwrap().unwrap().into_data().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_body_of_unknown_length_is_passed_on_as_it_comes_and_kept_at_its_end() {
    let (larder, _) = fake();
    let (app, runs, senders) = sent_by_hand(&larder, &[]);
    let mut answer = ask(&app, get("/")).await;
    assert_eq!(x_cache(&answer), "MISS");
    assert!(
        !answer.headers().contains_key("etag"),
        "nothing to make it of yet"
    );
    let sender = pop(&senders);
    sender.send(data("one ")).unwrap();
    assert_eq!(next_data(&mut answer).await, "one ", "before there was a second");
    sender.send(data("two")).unwrap();
    assert_eq!(next_data(&mut answer).await, "two");
    assert_eq!(larder.size().entries, 0, "not before its end");
    drop(sender);
    assert!(next(&mut answer).await.is_none());
    let hit = ask(&app, get("/")).await;
    assert!(
        header(hit.headers(), "etag").starts_with('"'),
        "{:?}",
        hit.headers()
    );
    assert_eq!(hit.body().size_hint().exact(), Some(7));
    assert_eq!(seen(hit).await, pair("HIT", "one two"));
    assert_eq!(runs.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_streamed_body_gets_it_at_its_end() {
    let (larder, _) = fake();
    let (app, runs, senders) = sent_by_hand(&larder, &[]);
    let first = ask(&app, get("/")).await;
    let waiter = spawn(&app, get("/"));
    settle().await;
    let sender = pop(&senders);
    sender.send(data("whole")).unwrap();
    drop(sender);
    assert_eq!(text(first).await, "whole");
    assert_eq!(seen(waiter.await.unwrap().unwrap()).await, pair("HIT", "whole"));
    assert_eq!(runs.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_above_the_limit_passes_and_is_not_kept() {
    let (larder, _) = fake();
    let (app, runs, senders) = sent_by_hand(&larder, &[]);
    for run in 1..=2 {
        let mut answer = ask(&app, get("/")).await;
        let sender = pop(&senders);
        for chunk in ["12345", "67890", "1", "more"] {
            sender.send(data(chunk)).unwrap();
            assert_eq!(next_data(&mut answer).await, chunk);
        }
        drop(sender);
        assert!(next(&mut answer).await.is_none());
        assert_eq!((runs.get(), larder.size().entries), (run, 0));
    }
    // One of exactly the limit is kept.
    let answer = ask(&app, get("/")).await;
    let sender = pop(&senders);
    sender.send(data("12345")).unwrap();
    sender.send(data("67890")).unwrap();
    drop(sender);
    assert_eq!(text(answer).await, "1234567890");
    assert_eq!(see(&app, "/").await, pair("HIT", "1234567890"));
}

#[tokio::test(start_paused = true)]
async fn a_known_length_above_the_limit_passes_untouched() {
    let (larder, _) = fake();
    let app = app(&layer(&larder).max_body(10), |request| async move {
        let body = if request.uri() == "/kept" {
            "1234567890"
        } else {
            "12345678901"
        };
        response(200, &[], body)
    });
    for _ in 0..2 {
        let answer = ask(&app, get("/")).await;
        assert!(cache_status(&answer).ends_with("; detail=too_large"));
        assert_eq!(answer.body().size_hint().exact(), Some(11));
        assert_eq!(seen(answer).await, pair("MISS", "12345678901"));
    }
    assert_eq!(see(&app, "/kept").await, pair("MISS", "1234567890"));
    assert_eq!(see(&app, "/kept").await, pair("HIT", "1234567890"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_midway_fails_at_the_client_and_is_not_kept() {
    // Of unknown length, and of a length that is known, so that it is read before it is answered.
    for headers in [&[][..], &[("content-length", "8")][..]] {
        let (larder, _) = fake();
        let (app, runs, senders) = sent_by_hand(&larder, headers);
        let request = spawn(&app, get("/"));
        runs.reach(1).await;
        let sender = pop(&senders);
        sender.send(data("one ")).unwrap();
        sender.send(Err("the database went away".into())).unwrap();
        let mut answer = request.await.unwrap().unwrap();
        assert_eq!(next_data(&mut answer).await, "one ");
        let error = next(&mut answer).await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "the database went away");
        assert_eq!(larder.size().entries, 0, "{headers:?}");
        drop(answer);
        drop(sender);
        // The next fills, at once.
        let next = spawn(&app, get("/"));
        runs.reach(2).await;
        next.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_client_goes_midway_nothing_is_kept_and_the_next_fills() {
    for headers in [&[][..], &[("content-length", "8")][..]] {
        let (larder, _) = fake();
        let (app, runs, senders) = sent_by_hand(&larder, headers);
        let request = app.clone().oneshot(get("/"));
        let first = tokio::spawn(async move { request.await.unwrap().into_body().collect().await });
        runs.reach(1).await;
        let sender = pop(&senders);
        sender.send(data("one ")).unwrap();
        settle().await;
        let waiter = spawn(&app, get("/"));
        settle().await;
        assert_eq!(runs.get(), 1);
        first.abort();
        settle().await;
        assert!(sender.is_closed(), "the handler's body is dropped as well");
        assert_eq!((runs.get(), larder.size().entries), (2, 0), "the waiter fills");
        let sender = pop(&senders);
        sender.send(data("one two!")).unwrap();
        drop(sender);
        assert_eq!(text(waiter.await.unwrap().unwrap()).await, "one two!");
        assert_eq!(see(&app, "/").await, pair("HIT", "one two!"));
    }
}

/// A handler that says another length than that of its body: the client gets what it made, and nobody else does.
#[tokio::test(start_paused = true)]
async fn a_body_that_is_not_as_long_as_was_said_is_not_kept() {
    let (larder, _) = fake();
    let app = app(&layer(&larder), |request| async move {
        let (length, body) = match request.uri().path() {
            "/short" => ("10", chunks(["12", "34"])),
            "/long" => ("3", chunks(["12", "34"])),
            "/short-and-known" => ("10", Body::from("1234")),
            "/long-and-known" => ("3", Body::from("1234")),
            _ => ("4", chunks(["12", "34"])),
        };
        response(200, &[("content-length", length)], body)
    });
    for uri in ["/short", "/long", "/short-and-known", "/long-and-known"] {
        for _ in 0..2 {
            let answer = ask(&app, get(uri)).await;
            let status = cache_status(&answer).to_owned();
            assert!(status.ends_with("; detail=incomplete"), "{uri}: {status}");
            assert_eq!(seen(answer).await, pair("MISS", "1234"), "{uri}");
        }
    }
    assert_eq!(see(&app, "/right").await, pair("MISS", "1234"));
    assert_eq!(see(&app, "/right").await, pair("HIT", "1234"));
}

#[tokio::test(start_paused = true)]
async fn trailers_pass_through_and_are_not_kept() {
    for headers in [
        &[][..],
        &[("content-length", "4")][..],
        &[("trailer", "x-checksum")][..],
    ] {
        let (larder, _) = fake();
        let (app, runs, senders) = sent_by_hand(&larder, headers);
        for run in 1..=2 {
            let request = spawn(&app, get("/"));
            runs.reach(run).await;
            let sender = pop(&senders);
            sender.send(data("body")).unwrap();
            let mut trailers = HeaderMap::new();
            trailers.insert("x-checksum", HeaderValue::from_static("17"));
            sender.send(Ok(Frame::trailers(trailers.clone()))).unwrap();
            drop(sender);
            let answer = request.await.unwrap().unwrap();
            assert_eq!(x_cache(&answer), "MISS");
            let whole = answer.into_body().collect().await.unwrap();
            assert_eq!(whole.trailers(), Some(&trailers), "{headers:?}");
            assert_eq!(whole.to_bytes(), "body");
        }
        assert_eq!((runs.get(), larder.size().entries), (2, 0), "{headers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_stream_is_untouched() {
    let (larder, _) = fake();
    let kind = &[("content-type", "Text/Event-Stream; charset=utf-8")];
    let (app, runs, senders) = sent_by_hand(&larder, kind);
    let mut answer = ask(&app, get("/")).await;
    assert!(cache_status(&answer).ends_with("; detail=streaming"));
    for name in ["etag", "age", "cache-control"] {
        assert!(!answer.headers().contains_key(name), "{name}");
    }
    let sender = pop(&senders);
    for _ in 0..3 {
        // The very same chunk: no copy is taken, and none is made.
        let chunk = Bytes::from("data: an event\n\n".to_owned());
        sender.send(Ok(Frame::data(chunk.clone()))).unwrap();
        assert_eq!(next_data(&mut answer).await.as_ptr(), chunk.as_ptr());
    }
    // It goes on for ever, and meanwhile another runs.
    let other = ask(&app, get("/")).await;
    assert_eq!(x_cache(&other), "MISS");
    assert_eq!((runs.get(), larder.size().entries), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn another_protocol_is_untouched() {
    #[derive(Clone, Debug, PartialEq)]
    struct OnUpgrade(u32);

    let (larder, _) = fake();
    let runs = Count::default();
    let counted = runs.clone();
    let app = app(&layer(&larder), move |request| {
        counted.add();
        async move {
            let headers = [("connection", "upgrade"), ("upgrade", "websocket")];
            let mut response = response(101, &headers, Body::empty());
            response.extensions_mut().insert(OnUpgrade(7));
            // What the client asked for has reached the handler, if it asked.
            if let Some(value) = request.headers().get("upgrade") {
                response.headers_mut().insert("x-seen", value.clone());
            }
            response
        }
    });
    // As it should be asked for, and as a handler may answer all the same.
    for (request, outcome) in [
        (get_with("/", "upgrade", "websocket"), "BYPASS"),
        (get("/"), "MISS"),
        (get("/"), "MISS"),
    ] {
        let asked = request.headers().contains_key("upgrade");
        let answer = ask(&app, request).await;
        assert_eq!(
            (answer.status(), x_cache(&answer)),
            (StatusCode::SWITCHING_PROTOCOLS, outcome)
        );
        let detail = if asked { "upgrade" } else { "streaming" };
        assert!(cache_status(&answer).ends_with(&format!("; detail={detail}")));
        assert_eq!(header(answer.headers(), "upgrade"), "websocket");
        assert_eq!(header(answer.headers(), "connection"), "upgrade");
        assert_eq!(answer.headers().contains_key("x-seen"), asked);
        assert_eq!(answer.extensions().get(), Some(&OnUpgrade(7)));
    }
    assert_eq!((runs.get(), larder.size().entries), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn hits_share_one_piece_of_memory_that_is_no_part_of_a_larger_one() {
    let (larder, _) = fake();
    // What a handler read into, such as the buffer of a connection: its body is a small part of it.
    let buffer = Bytes::from(vec![b'x'; 1 << 20]);
    let slice = buffer.slice(1000..2000);
    let within = buffer.as_ptr_range();
    let app = app(&layer(&larder), move |request| {
        let slice = slice.clone();
        async move {
            let parts = [slice.slice(..600), slice.slice(600..)];
            response(
                200,
                &[],
                match request.uri().path() {
                    "/streamed" => chunks(parts),
                    "/one-chunk" => chunks([slice]),
                    _ => Body::new(Full::new(slice)),
                },
            )
        }
    });
    let mut kept = Vec::new();
    for uri in ["/whole", "/streamed", "/one-chunk"] {
        assert_eq!(bytes(ask(&app, get(uri)).await).await.len(), 1000);
        let mut hits = Vec::new();
        for _ in 0..2 {
            let mut answer = ask(&app, get(uri)).await;
            assert_eq!(x_cache(&answer), "HIT");
            hits.push(next_data(&mut answer).await);
        }
        assert_eq!(hits[0].as_ptr(), hits[1].as_ptr(), "{uri}");
        assert_eq!(hits[0], buffer[1000..2000]);
        assert!(!within.contains(&hits[0].as_ptr()), "{uri}");
        kept.extend(hits.pop());
    }
    drop(app);
    drop(larder);
    assert!(buffer.is_unique(), "nothing that is kept holds on to it");
    for body in kept {
        // Its memory is its own by now, and shows how large it is.
        assert_eq!(body.try_into_mut().unwrap().capacity(), 1000);
    }
}
