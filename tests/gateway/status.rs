//! Status codes: which are kept, and what passes (RFC 9111 §3, §4.2.2).

use crate::harness::{Case, case};

/// Final statuses, known and unknown. Not among them: 206 and 304, which are no whole responses, and 412 and 416, which
/// answer what one request asked.
const FINAL: [u16; 48] = [
    200, 201, 202, 203, 204, 205, 299, 300, 301, 302, 303, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406,
    409, 410, 411, 413, 414, 415, 418, 422, 423, 424, 428, 429, 451, 499, 500, 501, 502, 503, 504, 505, 507,
    508, 511, 599, 600, 799, 999,
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for status in FINAL {
        cases.push(fresh(status));
        cases.push(stale(status));
        cases.push(unsaid(status));
    }
    cases.extend([206, 304].map(no_whole));
    cases.push(of_one_request(412));
    cases.push(of_one_request(416));
    cases
}

/// §3: a final status with an explicit lifetime.
fn fresh(status: u16) -> Case {
    let case = case(format!("rfc9111_3_status_{status}_with_a_lifetime_is_kept"))
        .get()
        .origin(status, "Cache-Control: max-age=3600");
    empty_where(status, case)
        .miss()
        .get()
        .hit()
        .wait(3599)
        .get()
        .hit()
}

fn stale(status: u16) -> Case {
    let case = case(format!(
        "rfc9111_4_2_status_{status}_past_its_lifetime_is_not_reused"
    ))
    .get()
    .origin(status, "Cache-Control: max-age=3600");
    empty_where(status, case).miss().wait(3600).get().miss()
}

/// Without a lifetime and without `Last-Modified` nothing is known of any.
fn unsaid(status: u16) -> Case {
    let case = case(format!(
        "rfc9111_4_2_2_status_{status}_without_a_lifetime_is_not_kept"
    ))
    .get()
    .origin(status, "");
    empty_where(status, case).miss().get().miss().both()
}

/// RFC 9110 §15.3.6: there is no content in a 205.
fn empty_where(status: u16, case: Case) -> Case {
    if status == 205 { case.says("") } else { case }
}

/// What answers a range or a condition of the client does not answer a plain request.
fn no_whole(status: u16) -> Case {
    let lines = "Cache-Control: max-age=3600 | ETag: \"a\" | Content-Range: bytes 0-3/100";
    case(format!("rfc9111_3_status_{status}_is_not_kept"))
        .get()
        .with("Range: bytes=0-3 | If-None-Match: \"a\"")
        .origin(status, lines)
        .miss()
        .get()
        .miss()
}

fn of_one_request(status: u16) -> Case {
    case(format!("rfc9110_15_5_status_{status}_is_not_for_others"))
        .get()
        .with("Range: bytes=100-200 | If-Match: \"b\"")
        .origin(status, "Cache-Control: max-age=3600")
        .miss()
        .get()
        .miss()
}
