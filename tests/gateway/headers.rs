//! Header fields: which are stored and replayed, which end at the gateway (RFC 9110 §7.6.1, RFC 9111 §3.1).

use crate::harness::shapes::kept;
use crate::harness::{Case, case};

const FRESH: &str = "Cache-Control: max-age=100";

/// Fields that are stored and replayed as they came.
const STORED: [&str; 32] = [
    "Accept-Ranges: bytes",
    "Access-Control-Allow-Origin: *",
    "Allow: GET, HEAD",
    "Alt-Svc: clear",
    "Clear-Site-Data: \"cache\"",
    "Content-Disposition: attachment; filename=\"a, b\"",
    "Content-Encoding: gzip",
    "Content-Language: de, en",
    "Content-Location: /elsewhere",
    "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==",
    "Content-Security-Policy: default-src 'self'",
    "Content-Type: text/plain; charset=utf-8",
    "Digest: SHA-256=abc",
    "ETag: W/\"a, b\"",
    "Expires: {date+100}",
    "Last-Modified: {date-100}",
    "Link: </a>; rel=preload, </b>",
    "Location: /there",
    "P3P: CP=\"x\"",
    "Pragma: public",
    "Refresh: 5",
    "Retry-After: 120",
    "Server: x/1 (y)",
    "Strict-Transport-Security: max-age=1",
    "Vary: Accept",
    "WWW-Authenticate: Basic realm=\"a\"",
    "X-Frame-Options: DENY",
    "X-Test: a  b",
    "X-Empty:",
    "X-Obs-Text: \u{e4}\u{ff}",
    "X!#$%&'*+.^_`~: token",
    "Set-Cookie: a=1; Path=/; Expires={date+100}",
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = STORED.into_iter().enumerate().map(stored).collect();
    cases.extend(responses());
    cases.extend(requests());
    cases.extend(order());
    cases.extend(dates());
    cases.extend(hidden());
    cases
}

fn stored((number, line): (usize, &str)) -> Case {
    let (name, value) = line.split_once(':').expect("a line");
    let id = if name.starts_with("X!") {
        "of_odd_characters".to_owned()
    } else {
        name.to_ascii_lowercase().replace('-', "_")
    };
    let lines = format!("{FRESH} | {line}");
    case(format!("rfc9111_3_1_field_{number:02}_{id}_is_stored"))
        .get()
        .ok(&lines)
        .miss()
        .lines(name, &[value.trim()])
        .get()
        .hit()
        .lines(name, &[value.trim()])
}

/// RFC 9110 §7.6.1: what is the connection's is neither passed on nor stored.
fn responses() -> Vec<Case> {
    let rows = [
        ("keep_alive", "Keep-Alive: timeout=5", "Keep-Alive: timeout=5"),
        (
            "proxy_connection",
            "Proxy-Connection: keep-alive",
            "Proxy-Connection",
        ),
        ("upgrade", "Connection: Upgrade | Upgrade: h2c", "Upgrade"),
        ("te", "TE: trailers", "TE"),
        (
            "a_field_that_connection_names",
            "Connection: X-Hop | X-Hop: 1",
            "X-Hop",
        ),
        (
            "a_field_that_connection_names_in_another_case",
            "Connection: x-hOp | X-Hop: 1",
            "X-Hop",
        ),
        (
            "the_second_field_that_connection_names",
            "Connection: keep-alive, X-Hop | X-Hop: 1",
            "X-Hop",
        ),
        (
            "a_field_that_the_second_line_of_connection_names",
            "Connection: X-A | Connection: X-Hop | X-Hop: 1",
            "X-Hop",
        ),
        (
            "all_lines_of_a_field_that_connection_names",
            "Connection: X-Hop | X-Hop: 1 | X-Hop: 2",
            "X-Hop",
        ),
        (
            "a_field_that_connection_names_before_it",
            "X-Hop: 1 | Connection: X-Hop",
            "X-Hop",
        ),
    ];
    let mut cases: Vec<Case> = rows
        .iter()
        .map(|(what, lines, gone)| {
            case(format!("rfc9110_7_6_1_{what}_of_a_response_ends_here"))
                .get()
                .ok(&format!("{FRESH} | X-Kept: 1 | {lines}"))
                .miss()
                .lacks(gone)
                .has("X-Kept: 1")
                .get()
                .hit()
                .lacks(gone)
                .has("X-Kept: 1")
                .both()
        })
        .collect();
    cases.extend(
        ["Proxy-Authenticate: Basic", "Proxy-Authentication-Info: a=1"].map(|line| {
            let name = line.split_once(':').map_or(line, |(name, _)| name);
            kept(
                format!(
                    "rfc9111_3_1_{}_is_not_stored",
                    name.to_ascii_lowercase().replace('-', "_")
                ),
                &format!("{FRESH} | {line}"),
            )
            .lacks(name)
        }),
    );
    cases
}

fn requests() -> Vec<Case> {
    let rows = [
        ("keep_alive", "Keep-Alive: timeout=5", "Keep-Alive"),
        (
            "proxy_connection",
            "Proxy-Connection: keep-alive",
            "Proxy-Connection",
        ),
        (
            "a_field_that_connection_names",
            "Connection: X-Hop | X-Hop: 1",
            "X-Hop",
        ),
        (
            "the_second_field_that_connection_names",
            "Connection: close, x-hop | X-Hop: 1",
            "X-Hop",
        ),
        (
            "a_field_that_the_second_line_of_connection_names",
            "Connection: X-A | Connection: X-Hop | X-Hop: 1",
            "X-Hop",
        ),
        (
            "proxy_authorization",
            "Proxy-Authorization: Basic YTpi",
            "Proxy-Authorization",
        ),
    ];
    let mut cases: Vec<Case> = rows
        .iter()
        .map(|(what, lines, gone)| {
            case(format!("rfc9110_7_6_1_{what}_of_a_request_ends_here"))
                .get()
                .with(&format!("X-Kept: 1 | {lines}"))
                .miss()
                .sent("X-Kept: 1")
                .unsent(gone)
        })
        .collect();
    cases.push(
        case("rfc9110_7_6_1_a_field_of_the_connection_of_a_post_ends_here")
            .post()
            .with("Connection: X-Hop | X-Hop: 1 | X-Kept: 1")
            .miss()
            .unsent("X-Hop")
            .sent("X-Kept: 1")
            .both(),
    );
    cases.push(
        case("rfc9110_7_6_3_a_gateway_says_via_to_the_origin")
            .get()
            .miss()
            .sent("Via"),
    );
    cases
}

/// RFC 9110 §5.3: the order of lines of one name means something.
fn order() -> [Case; 4] {
    [
        kept(
            "rfc9110_5_3_lines_of_a_name_keep_their_order",
            "Cache-Control: max-age=100 | X-A: 2 | X-B: b | X-A: 1 | X-A: 2",
        )
        .lines("X-A", &["2", "1", "2"]),
        kept(
            "rfc9110_5_3_cookies_are_lines_of_their_own",
            "Cache-Control: max-age=100 | Set-Cookie: b=2 | Set-Cookie: a=1",
        )
        .lines("Set-Cookie", &["b=2", "a=1"]),
        kept(
            "rfc9110_5_3_lines_of_cache_control_are_replayed",
            "Cache-Control: max-age=100 | Cache-Control: public",
        )
        .lines("Cache-Control", &["max-age=100", "public"]),
        case("rfc9110_5_3_lines_of_a_request_keep_their_order")
            .get()
            .with("X-A: 2 | X-A: 1")
            .miss()
            .sent("X-A: 2")
            .sent("X-A: 1"),
    ]
}

/// RFC 9111 §4: Date and Expires say when the origin answered, not when the cache did.
fn dates() -> [Case; 5] {
    [
        kept(
            "rfc9110_6_6_1_date_is_replayed_unchanged",
            "Cache-Control: max-age=100 | Date: {date-5}",
        )
        .lines("Date", &["{date-5}"])
        .wait(50)
        .get()
        .hit()
        .lines("Date", &["{date-55}"])
        .both(),
        kept(
            "rfc9111_5_3_expires_is_not_moved_by_time",
            "Cache-Control: max-age=100 | Expires: {date+7}",
        )
        .wait(50)
        .get()
        .hit()
        .lines("Expires", &["{date-43}"]),
        kept(
            "rfc9110_6_6_1_a_date_of_rfc850_is_replayed_unchanged",
            "Cache-Control: max-age=100 | Date: {rfc850-5}",
        )
        .lines("Date", &["{rfc850-5}"]),
        kept(
            "rfc9111_5_3_an_unreadable_expires_is_replayed_unchanged",
            "Cache-Control: max-age=100 | Expires: 0",
        )
        .lines("Expires", &["0"]),
        case("rfc9110_6_6_1_a_response_without_a_date_gets_one")
            .get()
            .ok(FRESH)
            .undated()
            .miss()
            .has("Date")
            .get()
            .hit()
            .has("Date"),
    ]
}

/// The profile `Safe`: what is not in the key does not reach the origin with a request that may be answered for others.
fn hidden() -> Vec<Case> {
    let lines = [
        "X-Forwarded-Host: evil.test",
        "X-Forwarded-Proto: evil",
        "X-Forwarded-Scheme: evil",
        "X-Forwarded-Port: 6666",
        "X-Forwarded-Prefix: /evil",
        "X-Original-URL: /evil",
        "X-Rewrite-URL: /evil",
        "X-HTTP-Method-Override: DELETE",
        "X-Host: evil.test",
        "Forwarded: host=evil.test",
        "Origin: http://evil.test",
        "Referer: http://evil.test/",
        "User-Agent: evil/1",
        "X-Anything: evil",
    ];
    lines
        .iter()
        .map(|line| {
            let name = line.split_once(':').map_or(*line, |(name, _)| name);
            case(format!(
                "rfc9111_7_1_{}_does_not_poison",
                name.to_ascii_lowercase().replace('-', "_")
            ))
            .get()
            .with(line)
            .ok(FRESH)
            .miss()
            .unsent(line)
            .get()
            .hit()
            .safe()
        })
        .collect()
}
