//! Origins and clients that fail: one request once, an answer that says what happened, and limits on every wait.

mod support;

use std::time::Duration;

use gateway::Timeouts;
use larder::Profile;
use support::*;

async fn impatient() -> Scene {
    let timeouts = Timeouts {
        response_head: SHORT,
        body_idle: SHORT,
        request_head: SHORT,
        drain: SHORT,
        ..Timeouts::default()
    };
    Scene::with(Profile::Rfc, timeouts).await
}

fn post(lines: &str) -> String {
    get("/", lines).replacen("GET", "POST", 1)
}

#[tokio::test]
async fn no_origin_is_502() {
    let (addr, _gateway) = Scene::new().await.without_origin().await;
    let mut client = Peer::connect(addr).await;
    client.say(get("/", "")).await;
    let (head, body) = client.message().await;
    assert_eq!(status(&head), 502);
    assert_eq!(field(&head, "cache-control"), Some("no-store"));
    assert!(field(&head, "content-type").unwrap().starts_with("text/plain"));
    assert!(body.contains("cannot be reached"), "{body}");
}

#[tokio::test]
async fn the_layer_learns_that_the_origin_failed_and_may_answer_stale() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.say(get("/", "")).await;
    let mut origin = scene.origin().await;
    origin.head().await;
    let lines = "Cache-Control: max-age=1, stale-if-error=60\r\nContent-Length: 5\r\n";
    origin.say(format!("HTTP/1.1 200 OK\r\n{lines}\r\nfresh")).await;
    assert_eq!(client.message().await.1, "fresh");
    scene.clock.advance(Duration::from_secs(10));
    client.say(get("/", "")).await;
    origin.head().await;
    drop(origin);
    let (head, body) = client.message().await;
    assert_eq!((status(&head), body.as_str()), (200, "fresh"));
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_is_no_failure() {
    let scene = Scene::new().await;
    for method in ["GET", "POST", "PUT"] {
        let lines = if method == "PUT" {
            "Content-Length: 2\r\n"
        } else {
            ""
        };
        let request = get("/", lines).replacen("GET", method, 1) + if method == "PUT" { "hi" } else { "" };
        let mut client = scene.client().await;
        for _ in 0..20 {
            client.say(&request).await;
            // Says that it stays open, and does not. Each is a connection of its own.
            let mut origin = scene.origin().await;
            origin.head().await;
            origin
                .say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nCache-Control: no-store\r\n\r\n")
                .await;
            drop(origin);
            assert_eq!(status(&client.head().await), 200);
        }
    }
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.say(get("/", "")).await;
    let mut origin = scene.origin().await;
    for _ in 0..20 {
        origin.head().await;
        origin
            .say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: no-store\r\n\r\nhi")
            .await;
        assert_eq!(client.message().await.1, "hi");
        client.say(get("/", "")).await;
    }
    assert!(scene.is_left_alone().await);
}

#[tokio::test]
async fn a_request_that_was_read_is_not_sent_again() {
    let scene = Scene::new().await;
    for (request, reuse) in [
        (get("/", ""), false),
        (get("/", ""), true),
        (post(""), false),
        (post(""), true),
    ] {
        let mut client = scene.client().await;
        client.say(&request).await;
        let mut origin = scene.origin().await;
        if reuse {
            origin.head().await;
            origin
                .say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nCache-Control: no-store\r\n\r\n")
                .await;
            client.head().await;
            client.say(&request).await;
        }
        origin.head().await;
        drop(origin);
        let (head, body) = client.message().await;
        assert_eq!(status(&head), 502);
        assert!(body.contains("may have done"), "{body}");
        assert!(scene.is_left_alone().await, "it was sent again");
    }
}

#[tokio::test]
async fn what_is_no_http_is_502() {
    let scene = Scene::new().await;
    for response in [
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 99 Low\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ] {
        let (_, (head, body)) = scene.exchange(&get("/", ""), response).await;
        assert_eq!(status(&head), 502, "{response}");
        assert!(body.contains("no HTTP/1.1"), "{response}: {body}");
    }
}

#[tokio::test]
async fn an_origin_that_does_not_answer_is_504() {
    let scene = impatient().await;
    let mut client = scene.client().await;
    client.say(get("/", "")).await;
    let mut origin = scene.origin().await;
    let (head, body) = client.message().await;
    assert_eq!(status(&head), 504);
    assert!(body.contains("in time"), "{body}");
    origin.head().await;
    assert_eq!(origin.rest().await, "", "its connection is closed");
    assert!(scene.is_left_alone().await);
}

#[tokio::test]
async fn a_body_that_stops_is_broken_off_and_not_kept() {
    let scene = impatient().await;
    for framing in ["Content-Length: 9", "Transfer-Encoding: chunked"] {
        let mut client = scene.client().await;
        client.say(get("/stops", "")).await;
        let mut origin = scene.origin().await;
        origin.head().await;
        origin
            .say(format!(
                "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n{framing}\r\n\r\n2\r\nhi\r\n"
            ))
            .await;
        // With a length the layer reads all of it first, so that nothing but its end may have come.
        let rest = client.rest().await;
        assert!(
            rest.starts_with("HTTP/1.1 200") && !rest.ends_with("0\r\n\r\n"),
            "{rest}"
        );
    }
}

#[tokio::test]
async fn a_body_cut_short_is_broken_off_and_not_kept() {
    let scene = Scene::new().await;
    for framing in ["Content-Length: 9", "Transfer-Encoding: chunked"] {
        for _ in 0..2 {
            let mut client = scene.client().await;
            client.say(get("/short", "")).await;
            let mut origin = scene.origin().await;
            origin.head().await;
            origin
                .say(format!(
                    "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n{framing}\r\n\r\n2\r\nhi\r\n"
                ))
                .await;
            drop(origin);
            let rest = client.rest().await;
            assert!(rest.starts_with("HTTP/1.1 200") && rest.contains("hi"), "{rest}");
            assert!(!rest.ends_with("0\r\n\r\n"), "{rest}");
        }
    }
}

#[tokio::test]
async fn what_follows_a_whole_body_is_not_taken_for_a_response() {
    let scene = Scene::new().await;
    let long = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: no-store\r\n\r\nhi, HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let mut client = scene.client().await;
    for _ in 0..3 {
        client.say(get("/", "")).await;
        let mut origin = scene.origin().await;
        origin.head().await;
        origin.say(long).await;
        assert_eq!(client.message().await.1, "hi");
    }
}

#[tokio::test]
async fn a_clients_body_that_stops_is_408_and_one_that_breaks_off_is_not_passed_off_as_whole() {
    let scene = impatient().await;
    let mut client = scene.client().await;
    client.say(post("Content-Length: 9\r\n") + "part").await;
    let mut origin = scene.origin().await;
    origin.head().await;
    assert_eq!(status(&client.head().await), 408);
    assert_eq!(origin.rest().await, "part");

    let mut client = scene.client().await;
    client
        .say(post("Transfer-Encoding: chunked\r\n") + "4\r\npart\r\n")
        .await;
    let mut origin = scene.origin().await;
    origin.head().await;
    drop(client);
    assert_eq!(origin.rest().await, "4\r\npart\r\n");
}

#[tokio::test]
async fn a_slow_body_is_not_a_slow_answer() {
    // Far enough apart for a busy machine: more than the head may take in all, less than a body may stop.
    let second = Duration::from_secs(1);
    let timeouts = Timeouts {
        response_head: second,
        body_idle: second,
        ..Timeouts::default()
    };
    let scene = Scene::with(Profile::Rfc, timeouts).await;
    let mut client = scene.client().await;
    client.say(post("Transfer-Encoding: chunked\r\n")).await;
    let mut origin = scene.origin().await;
    origin.head().await;
    for _ in 0..5 {
        tokio::time::sleep(second / 4).await;
        client.say("2\r\nhi\r\n").await;
        assert_eq!(origin.exactly(7).await, "2\r\nhi\r\n");
    }
    client.say("0\r\n\r\n").await;
    origin.say(NOTHING).await;
    assert_eq!(status(&client.head().await), 200);
}

#[tokio::test]
async fn a_head_that_trickles_is_cut_off() {
    let scene = impatient().await;
    let mut client = scene.client().await;
    client.say("GET / HT").await;
    let trickle = async {
        // Fails as soon as the gateway has closed.
        loop {
            client.say("X").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            if !client.is_open() {
                return;
            }
        }
    };
    soon(trickle).await;
    let mut kept = scene.client().await;
    assert!(kept.is_silent().await, "who has said nothing may take longer");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let scene = impatient().await;
    let mut client = scene.client().await;
    client.say(get("/", "")).await;
    let mut origin = scene.origin().await;
    origin.head().await;
    origin
        .say("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n\r\n")
        .await;
    origin.pour().await;
}

#[tokio::test]
async fn what_is_under_way_is_answered_before_the_end() {
    let mut scene = Scene::new().await;
    let (mut idle, mut client) = (scene.client().await, scene.client().await);
    idle.say(get("/", "")).await;
    let mut origin = scene.origin().await;
    origin.head().await;
    origin
        .say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nCache-Control: no-store\r\n\r\n")
        .await;
    idle.head().await;
    client.say(get("/", "")).await;
    origin.head().await;
    origin
        .say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nCache-Control: no-store\r\n\r\nha")
        .await;
    client.head().await;
    scene.stop();
    assert_eq!(idle.rest().await, "", "closed, since nothing is under way");
    origin.say("lf").await;
    assert_eq!(client.rest().await, "half");
    scene.stopped().await;
}

#[tokio::test]
async fn what_takes_too_long_does_not_hold_up_the_end() {
    let timeouts = Timeouts {
        drain: SHORT,
        ..Timeouts::default()
    };
    let mut scene = Scene::with(Profile::Safe, timeouts).await;
    let mut client = scene.client().await;
    client.say(get("/", "")).await;
    let mut origin = scene.origin().await;
    origin.head().await;
    scene.stop();
    assert_eq!(client.rest().await, "");
    scene.stopped().await;
}
