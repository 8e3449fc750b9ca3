//! Messages on the wire: targets, bodies cut short or of any size, requests at the same time (RFC 9110, RFC 9112,
//! RFC 9111 §3.3).

use crate::harness::{Case, Delivery, case};

const FRESH: &str = "Cache-Control: max-age=100";

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = bodies();
    cases.extend(lengths());
    cases.extend(cut());
    cases.extend(hosts());
    cases.extend(OTHER_TARGETS.into_iter().enumerate().map(targets));
    cases.extend(methods());
    cases.extend(errors());
    cases.extend(flights());
    cases
}

fn bodies() -> Vec<Case> {
    vec![
        case("rfc9112_7_1_a_chunked_body_is_kept")
            .get()
            .ok(FRESH)
            .delivered(Delivery::Chunked)
            .miss()
            .get()
            .hit()
            .both(),
        case("rfc9112_7_1_an_empty_chunked_body_is_kept")
            .get()
            .ok(FRESH)
            .says("")
            .delivered(Delivery::Chunked)
            .miss()
            .get()
            .hit(),
        case("rfc9112_6_3_a_body_that_ends_with_the_connection_passes")
            .get()
            .ok(FRESH)
            .delivered(Delivery::UntilClose)
            .miss()
            .get()
            .any()
            .status(200),
        case("rfc9110_8_6_an_empty_body_is_kept")
            .get()
            .ok(FRESH)
            .says("")
            .miss()
            .get()
            .hit()
            .lines("Content-Length", &["0"])
            .both(),
    ]
}

fn lengths() -> Vec<Case> {
    let long = "0123456789abcdef".repeat(16 << 10);
    vec![
        case("rfc9110_8_6_a_long_body_is_kept")
            .get()
            .ok(FRESH)
            .says(&long)
            .miss()
            .get()
            .hit()
            .both(),
        case("rfc9110_8_6_a_long_chunked_body_is_kept")
            .get()
            .ok(FRESH)
            .says(&long)
            .delivered(Delivery::Chunked)
            .miss()
            .get()
            .hit(),
        case("rfc9110_8_6_a_body_of_4_mib_passes")
            .get()
            .ok(FRESH)
            .says(&long.repeat(16))
            .miss()
            .both(),
        case("rfc9110_8_6_a_body_of_odd_bytes_is_kept")
            .get()
            .ok(FRESH)
            .says("\0\r\n\r\n\u{ff}0\r\n")
            .miss()
            .get()
            .hit(),
        case("rfc9110_8_6_a_204_has_no_body")
            .get()
            .origin(204, FRESH)
            .miss()
            .body("")
            .get()
            .hit()
            .body(""),
        case("rfc9110_9_3_3_the_body_of_a_post_passes")
            .post()
            .body_sent(&long)
            .miss()
            .sent_body(&long),
    ]
}

/// RFC 9111 §3.3: what ended before its end is not the whole.
fn cut() -> Vec<Case> {
    [("body", Delivery::Cut), ("chunked_body", Delivery::CutChunk)]
        .into_iter()
        .flat_map(|(what, delivery)| {
            [
                case(format!("rfc9111_3_3_a_{what}_cut_short_is_not_kept"))
                    .get()
                    .ok(FRESH)
                    .delivered(delivery)
                    .reached()
                    .broken()
                    .get()
                    .miss()
                    .both(),
                case(format!(
                    "rfc9111_3_3_a_{what}_cut_short_does_not_replace_what_is_stored"
                ))
                .get()
                .ok("Cache-Control: max-age=10 | ETag: \"a\"")
                .miss()
                .wait(20)
                .get()
                .ok(FRESH)
                .delivered(delivery)
                .reached()
                .broken()
                .get()
                .reached()
                .status(200),
                case(format!("rfc9111_3_3_a_{what}_cut_short_is_shared_with_nobody"))
                    .get()
                    .ok(FRESH)
                    .delivered(delivery)
                    .held()
                    .reached()
                    .broken()
                    .get()
                    .waiting()
                    .miss()
                    .release(1)
                    .release(2),
            ]
        })
        .collect()
}

fn hosts() -> [Case; 9] {
    let raw = |case: Case, request: &str| case.get().raw(request);
    let stored = |name: &str| case(name).get_at("/a").ok(FRESH).miss();
    [
        raw(
            case("rfc9112_3_2_two_hosts_are_refused"),
            "GET / HTTP/1.1\r\nHost: gateway.test\r\nHost: evil.test\r\n\r\n",
        )
        .own(&[400])
        .both(),
        raw(
            case("rfc9112_3_2_the_same_host_twice_is_refused"),
            "GET / HTTP/1.1\r\nHost: gateway.test\r\nHost: gateway.test\r\n\r\n",
        )
        .own(&[400]),
        raw(case("rfc9112_3_2_no_host_is_refused"), "GET / HTTP/1.1\r\n\r\n")
            .own(&[400])
            .both(),
        raw(
            stored("rfc9112_3_2_2_the_absolute_form_is_the_same_target"),
            "GET http://gateway.test/a HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
        )
        .hit()
        .both(),
        raw(
            stored("rfc9112_3_2_2_the_absolute_form_beats_the_host"),
            "GET http://gateway.test/a HTTP/1.1\r\nHost: evil.test\r\n\r\n",
        )
        .hit(),
        raw(
            stored("rfc9112_3_2_2_the_absolute_form_of_another_host"),
            "GET http://other.test/a HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
        )
        .miss()
        .both(),
        stored("rfc9111_2_another_host_is_another_target")
            .get_at("/a")
            .with("Host: other.test")
            .miss()
            .both(),
        stored("rfc9110_4_2_3_a_host_in_another_case_is_the_same")
            .get_at("/a")
            .with("Host: GATEWAY.test")
            .hit(),
        stored("rfc9111_2_another_port_is_another_target")
            .get_at("/a")
            .with("Host: gateway.test:8080")
            .miss()
            .both(),
    ]
}

/// Targets of which neither answers for the other.
const OTHER_TARGETS: [(&str, &str); 22] = [
    ("/a", "/A"),
    ("/a", "/a/"),
    ("/a", "//a"),
    ("/a/b", "/a%2Fb"),
    ("/a", "/a%00"),
    ("/a;v=1", "/a;v=2"),
    ("/a", "/a;v=1"),
    ("/a", "/a?"),
    ("/a?b", "/a?b="),
    ("/a?b=1", "/a?b=2"),
    ("/a?b=1", "/a?B=1"),
    ("/a?b=1", "/a?b=1&"),
    ("/a?b=1&c=2", "/a?c=2&b=1"),
    ("/a?b=1&c=2", "/a?b=1;c=2"),
    ("/a?b=1&c=2", "/a?b=1%26c=2"),
    ("/a?b=1&b=2", "/a?b=2&b=1"),
    ("/a?b=1+2", "/a?b=1%2B2"),
    ("/a?utm_source=1", "/a?utm_source=2"),
    ("/account", "/account/x.css"),
    ("/a%3Fb=1", "/a?b=1"),
    ("/a%C3%A4", "/a%E4"),
    ("/b/../a", "/a"),
];

fn targets((number, (first, second)): (usize, (&str, &str))) -> Case {
    case(format!("rfc9110_4_2_3_target_{number:02}_is_not_the_other"))
        .get_at(first)
        .ok(FRESH)
        .miss()
        .get_at(second)
        .ok(FRESH)
        .miss()
        .get_at(first)
        .hit_of(1)
        .get_at(second)
        .hit_of(2)
        .both()
}

fn methods() -> Vec<Case> {
    let mut cases: Vec<Case> = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "FOO", "QUERY"]
        .map(|method| {
            case(format!("rfc9110_9_1_{}_passes", method.to_lowercase()))
                .ask(method, "/a?b=1")
                .body_sent("sent")
                .origin(299, FRESH)
                .miss()
                .sent_method(method)
                .sent_body("sent")
                .get_at("/a?b=1")
                .miss()
                .both()
        })
        .into();
    // A GET whose body the origin reads is not the request of those who send none.
    cases.push(
        case("rfc9110_9_3_1_a_get_with_a_body_answers_no_other")
            .get()
            .body_sent("poison")
            .ok(FRESH)
            .reached()
            .get()
            .miss()
            .both(),
    );
    cases
}

fn errors() -> [Case; 6] {
    [
        case("rfc9110_15_6_3_an_origin_that_closes_is_a_502")
            .get()
            .closes()
            .own(&[502])
            .get()
            .miss()
            .both(),
        case("rfc9110_15_6_3_an_origin_that_is_gone_is_a_502")
            .down()
            .get()
            .own(&[502, 504]),
        case("rfc9110_15_6_3_a_post_to_an_origin_that_closes_is_a_502")
            .post()
            .closes()
            .own(&[502]),
        case("rfc9111_4_2_2_an_error_of_one_request_is_not_for_others")
            .get()
            .with("X-Odd: \u{e4}")
            .origin(400, "Last-Modified: {date-100000}")
            .miss()
            .get()
            .miss()
            .both(),
        case("rfc9111_4_2_2_what_looks_like_a_file_is_not_kept")
            .get_at("/account/style.css")
            .ok("Content-Type: text/css")
            .miss()
            .get_at("/account/style.css")
            .miss()
            .both(),
        case("rfc9111_4_2_2_an_unknown_status_passes")
            .get()
            .origin(999, "")
            .miss()
            .status(999)
            .both(),
    ]
}

/// RFC 9111 §4: requests for the same at the same time may share one answer, if it may be reused.
fn flights() -> Vec<Case> {
    let two = |name: &str, lines: &str| case(name).get().ok(lines).held().miss().get().waiting();
    let refused = [
        ("private", "Cache-Control: private, max-age=100"),
        ("no_store", "Cache-Control: no-store"),
        ("nothing", ""),
        ("a_star", "Cache-Control: max-age=100 | Vary: *"),
        ("no_cache", "Cache-Control: no-cache"),
    ];
    let mut cases: Vec<Case> = refused
        .iter()
        .map(|(what, lines)| {
            two(
                &format!("rfc9111_4_whoever_waits_does_not_get_what_is_not_reusable_{what}"),
                lines,
            )
            .miss()
            .release(1)
            .release(2)
            .both()
        })
        .collect();
    cases.extend([
        two("rfc9111_4_whoever_waits_gets_what_is_reusable", FRESH)
            .hit_of(1)
            .release(1)
            .release(2)
            .both(),
        case("rfc9111_4_1_whoever_waits_gets_its_own_variant")
            .get()
            .with("Accept: a")
            .ok("Cache-Control: max-age=100 | Vary: Accept")
            .held()
            .miss()
            .get()
            .with("Accept: b")
            .ok("Cache-Control: max-age=100 | Vary: Accept")
            .waiting()
            .miss()
            .release(1)
            .release(2)
            .both(),
        two(
            "rfc9111_7_3_whoever_waits_gets_no_cookie",
            "Cache-Control: max-age=100 | Set-Cookie: a=1",
        )
        .miss()
        .lacks("Set-Cookie")
        .release(1)
        .release(2)
        .safe(),
        case("rfc9111_4_requests_for_others_do_not_wait")
            .get_at("/a")
            .ok(FRESH)
            .held()
            .miss()
            .get_at("/b")
            .ok(FRESH)
            .miss()
            .release(1),
    ]);
    cases
}
