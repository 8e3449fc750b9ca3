//! What goes on to the origin and back: targets, hosts, methods, status codes, header lines and bodies.

mod support;

use support::*;

#[tokio::test]
async fn targets_go_on_byte_for_byte() {
    let scene = Scene::new().await;
    for target in [
        "/",
        "//a//b",
        "/a/../b/./c",
        "/%2f%2F%00%zz",
        "/a;v=1,2'()*+&=@:!$",
        "/[|]^{}\"\\",
        "/ä?ö",
        "/?",
        "/a?",
        "/a?b?c/d",
        "/a?x=[|]^{}\\`'",
        "*",
    ] {
        let (asked, _) = scene.exchange(&get(target, ""), NOTHING).await;
        assert_eq!(
            asked.lines().next(),
            Some(format!("GET {target} HTTP/1.1").as_str())
        );
    }
}

#[tokio::test]
async fn ignored_cookies_neither_count_nor_go_on() {
    let scene = Scene::of(|config| config.ignore_cookies(true)).await;
    let fresh = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nCache-Control: max-age=60\r\n\r\njam";
    let (asked, _) = scene.exchange(&get("/", "Cookie: a=1\r\n"), fresh).await;
    assert_eq!(field(&asked, "cookie"), None);
    let mut client = scene.client().await;
    client.say(get("/", "Cookie: a=2\r\n")).await;
    let (head, body) = client.message().await;
    assert_eq!(field(&head, "cache-status"), Some("larder; hit; ttl=60"));
    assert_eq!(body, "jam");
}

#[tokio::test]
async fn what_is_no_uri_is_answered_400() {
    let scene = Scene::new().await;
    for target in [
        "/\x01",
        "/\x7f",
        "/<",
        "/>",
        "/`",
        "/?\"",
        "?a",
        "a",
        "http:///a",
        "a.example:80",
    ] {
        let mut client = scene.client().await;
        client.say(get(target, "")).await;
        assert_eq!(status(&client.head().await), 400, "{target:?}");
    }
    assert!(scene.is_left_alone().await);
}

#[tokio::test]
async fn the_absolute_form_wins_over_host() {
    let scene = Scene::new().await;
    let (asked, _) = scene
        .exchange(&get("http://Other.example:81//a?b", ""), NOTHING)
        .await;
    assert_eq!(asked.lines().next(), Some("GET //a?b HTTP/1.1"));
    assert_eq!(field(&asked, "host"), Some("Other.example:81"));
    assert_eq!(asked.to_lowercase().matches("host:").count(), 1);
}

#[tokio::test]
async fn host_goes_on_and_is_one() {
    let scene = Scene::new().await;
    let (asked, _) = scene.exchange(&get("/", ""), NOTHING).await;
    assert_eq!(field(&asked, "host"), Some("shop.example"));
    let (asked, _) = scene.exchange("GET / HTTP/1.0\r\n\r\n", NOTHING).await;
    assert!(field(&asked, "host").unwrap().starts_with("127.0.0.1:"));
    assert_eq!(field(&asked, "via"), Some("1.0 larder"));
    for request in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
        "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let mut client = scene.client().await;
        client.say(request).await;
        let (head, body) = client.message().await;
        assert_eq!(status(&head), 400, "{request}");
        assert_eq!(field(&head, "cache-control"), Some("no-store"));
        assert!(body.contains("Host"), "{body}");
    }
    assert!(scene.is_left_alone().await);
}

#[tokio::test]
async fn unknown_methods_and_statuses_go_on() {
    let scene = Scene::new().await;
    for method in ["M-SEARCH", "FROB", "get", "OPTIONS", "TRACE", "PURGE", "DELETE"] {
        let request = get("/", "").replacen("GET", method, 1);
        let (asked, (head, _)) = scene.exchange(&request, NOTHING).await;
        assert!(asked.starts_with(&format!("{method} / HTTP/1.1")), "{asked}");
        assert_eq!(status(&head), 200);
    }
    for code in [203, 299, 402, 418, 499, 520, 599, 600, 999] {
        let response = NOTHING.replacen("200 OK", &format!("{code} Odd Reason"), 1);
        let (_, (head, _)) = scene.exchange(&get("/", ""), &response).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {code} Odd Reason")), "{head}");
    }
}

#[tokio::test]
async fn connect_is_not_forwarded() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client
        .say("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n")
        .await;
    assert_eq!(status(&client.head().await), 501);
    assert!(scene.is_left_alone().await);
}

#[tokio::test]
async fn what_is_for_one_hop_stays_there() {
    let scene = Scene::new().await;
    let lines = "Connection: keep-alive, X-Mine, Cache-Control\r\nKeep-Alive: timeout=9\r\nX-Mine: 1\r\nX-End: 1\r\n\
                 TE: trailers\r\nUpgrade: h2c\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: x\r\n\
                 Cache-Control: no-store\r\nVia: 1.0 before\r\nX-End: 2\r\n";
    let response = "HTTP/1.1 200 OK\r\nB: 1\r\nKeep-Alive: timeout=9\r\nConnection: X-Yours, close\r\nX-Yours: 1\r\n\
                    A: 1\r\nUpgrade: h2c\r\nProxy-Authenticate: x\r\nA: 2\r\nC: 1\r\nCache-Control: no-store\r\n\
                    Set-Cookie: d=1\r\nSet-Cookie: e=2\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
                    2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n";
    let mut client = scene.client().await;
    client.say(get("/", lines)).await;
    let mut origin = scene.origin().await;
    let asked = origin.head().await.to_lowercase();
    for gone in [
        "connection",
        "keep-alive",
        "x-mine",
        "te",
        "upgrade",
        "proxy-authorization",
    ] {
        assert_eq!(field(&asked, gone), None, "{gone} in {asked}");
    }
    assert!(asked.contains("cache-control: no-store"), "{asked}");
    assert!(
        asked.contains("\r\nvia: 1.0 before\r\nvia: 1.1 larder"),
        "{asked}"
    );
    assert!(asked.contains("\r\nx-end: 1\r\nx-end: 2"), "{asked}");

    origin.say(response).await;
    let head = client.head().await.to_lowercase();
    let names: Vec<_> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split(':').next())
        .collect();
    let expected = [
        "b",
        "a",
        "a",
        "c",
        "cache-control",
        "set-cookie",
        "set-cookie",
        "via",
    ];
    assert_eq!(names[..expected.len()], expected, "{head}");
    for gone in [
        "connection",
        "keep-alive",
        "x-yours",
        "upgrade",
        "proxy-authenticate",
        "trailer",
    ] {
        assert_eq!(field(&head, gone), None, "{gone} in {head}");
    }
    assert_eq!(
        client.exactly("2\r\nhi\r\n0\r\n\r\n".len()).await,
        "2\r\nhi\r\n0\r\n\r\n"
    );
}

#[tokio::test]
async fn a_response_streams() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.say(get("/", "")).await;
    let mut origin = scene.origin().await;
    origin.head().await;
    origin
        .say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=60\r\n\r\n")
        .await;
    client.head().await;
    for chunk in ["3\r\none\r\n", "3\r\ntwo\r\n"] {
        origin.say(chunk).await;
        assert_eq!(client.exactly(chunk.len()).await, chunk);
    }
    origin.say("0\r\n\r\n").await;
    assert_eq!(client.exactly(5).await, "0\r\n\r\n");
    client.say(get("/", "")).await;
    let (head, body) = client.message().await;
    assert!(field(&head, "cache-status").unwrap().contains("hit"), "{head}");
    assert_eq!(body, "onetwo");
}

#[tokio::test]
async fn a_request_streams() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client
        .say(get("/", "Transfer-Encoding: chunked\r\n").replacen("GET", "POST", 1))
        .await;
    let mut origin = scene.origin().await;
    assert_eq!(field(&origin.head().await, "transfer-encoding"), Some("chunked"));
    for chunk in ["3\r\none\r\n", "3\r\ntwo\r\n"] {
        client.say(chunk).await;
        assert_eq!(origin.exactly(chunk.len()).await, chunk);
    }
    client.say("0\r\n\r\n").await;
    assert_eq!(origin.exactly(5).await, "0\r\n\r\n");
    origin.say(NOTHING).await;
    assert_eq!(status(&client.head().await), 200);
}

#[tokio::test]
async fn a_body_on_get_goes_on_and_nothing_is_kept() {
    let scene = Scene::new().await;
    let kept =
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\nCache-Control: max-age=60\r\n\r\n";
    for (lines, body) in [
        ("Content-Length: 5\r\n", "hello"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    ] {
        for method in ["GET", "HEAD"] {
            let request = get("/fat", lines).replacen("GET", method, 1);
            let mut client = scene.client().await;
            client.say(format!("{request}{body}")).await;
            let mut origin = scene.origin().await;
            let asked = origin.head().await;
            let name = lines.split(':').next().unwrap();
            assert!(field(&asked, name).is_some(), "{asked}");
            assert_eq!(origin.exactly(body.len()).await, body);
            origin.say(kept).await;
            let head = client.head().await;
            assert!(field(&head, "cache-status").unwrap().contains("bypass"), "{head}");
        }
    }
}

#[tokio::test]
async fn two_lengths_of_a_body_are_none() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    let lines = "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n";
    client
        .say(get("/", lines).replacen("GET", "POST", 1) + "5\r\nhello\r\n0\r\n\r\n")
        .await;
    let mut origin = scene.origin().await;
    let asked = origin.head().await;
    assert_eq!(field(&asked, "content-length"), None);
    assert_eq!(origin.exactly(15).await, "5\r\nhello\r\n0\r\n\r\n");
    let mut client = scene.client().await;
    client.say(get("/", "Transfer-Encoding: gzip, chunked\r\n")).await;
    assert_eq!(status(&client.head().await), 501);
}

#[tokio::test]
async fn a_body_is_asked_for_with_100() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    let lines = "Content-Length: 5\r\nExpect: 100-continue\r\n";
    client.say(get("/", lines).replacen("GET", "PUT", 1)).await;
    let mut origin = scene.origin().await;
    assert!(origin.head().await.starts_with("PUT / "));
    assert_eq!(status(&client.head().await), 100);
    client.say("hello").await;
    assert_eq!(origin.exactly(5).await, "hello");
    origin
        .say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        .await;
    origin.say(NOTHING).await;
    assert_eq!(status(&client.head().await), 200);
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.say(get("/", "").replacen("GET", "HEAD", 1)).await;
    let mut origin = scene.origin().await;
    origin.head().await;
    origin
        .say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nCache-Control: no-store\r\n\r\n")
        .await;
    assert_eq!(field(&client.head().await, "content-length"), Some("5"));
    assert!(client.is_silent().await);
}

#[tokio::test]
async fn folded_and_spaced_lines_of_an_origin_are_mended() {
    let scene = Scene::new().await;
    let response = NOTHING.replacen("\r\n", "\r\nA : 1\r\nB: one\r\n  two\r\n", 1);
    let (_, (head, _)) = scene.exchange(&get("/", ""), &response).await;
    assert_eq!(field(&head, "a"), Some("1"));
    let words: Vec<_> = field(&head, "b").unwrap().split_whitespace().collect();
    assert_eq!(words, ["one", "two"]);
}
