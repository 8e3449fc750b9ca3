//! Credentials and cookies: whose responses are shared, and with whom (RFC 9111 §3.5, §7.3).

use crate::harness::{Case, case};

const BASIC: &str = "Authorization: Basic YTpi";
const FRESH: &str = "Cache-Control: max-age=100";

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = SHARED
        .into_iter()
        .map(|(name, lines)| authorized(name, lines).hit())
        .collect();
    cases.extend(
        OWN.into_iter()
            .map(|(name, lines)| authorized(name, lines).miss().both()),
    );
    cases.extend(plain());
    cases.extend(cookies());
    cases.extend(safe());
    cases
}

/// The answer to a request with credentials, and a request without.
fn authorized(name: &str, lines: &str) -> Case {
    case(format!("rfc9111_3_5_{name}"))
        .get()
        .with(BASIC)
        .ok(lines)
        .miss()
        .sent(BASIC)
        .get()
}

const SHARED: [(&str, &str); 6] = [
    ("public_shares_it", "Cache-Control: public, max-age=100"),
    (
        "public_in_capitals_shares_it",
        "Cache-Control: max-age=100, PUBLIC",
    ),
    ("s_maxage_shares_it", "Cache-Control: s-maxage=100"),
    (
        "s_maxage_beside_max_age_shares_it",
        "Cache-Control: max-age=1, s-maxage=100",
    ),
    (
        "must_revalidate_shares_it",
        "Cache-Control: max-age=100, must-revalidate",
    ),
    (
        "public_on_another_line_shares_it",
        "Cache-Control: max-age=100 | Cache-Control: public",
    ),
];

const OWN: [(&str, &str); 8] = [
    ("max_age_does_not_share_it", "Cache-Control: max-age=100"),
    ("expires_does_not_share_it", "Expires: {date+100}"),
    ("a_guess_does_not_share_it", "Last-Modified: {date-10000}"),
    (
        "immutable_does_not_share_it",
        "Cache-Control: max-age=100, immutable",
    ),
    (
        "proxy_revalidate_does_not_share_it",
        "Cache-Control: max-age=100, proxy-revalidate",
    ),
    (
        "a_longer_name_does_not_share_it",
        "Cache-Control: max-age=100, x-public",
    ),
    (
        "private_beats_public",
        "Cache-Control: public, private, max-age=100",
    ),
    (
        "no_store_beats_public",
        "Cache-Control: public, no-store, max-age=100",
    ),
];

fn plain() -> [Case; 4] {
    [
        authorized("one_does_not_get_what_another_got", FRESH)
            .with("Authorization: Basic Yzpk")
            .miss(),
        authorized("the_same_credentials_get_no_copy_either", FRESH)
            .with(BASIC)
            .miss(),
        // A request with credentials on a cold target leaves no mark for others.
        authorized("what_is_not_shared_leaves_no_mark", FRESH)
            .ok(FRESH)
            .miss()
            .get()
            .hit(),
        // What anybody may have, whoever has credentials may have too; the origin may be asked all the same.
        case("rfc9111_3_5_what_is_shared_stays_when_credentials_come")
            .get()
            .ok(FRESH)
            .miss()
            .get()
            .with(BASIC)
            .any()
            .get()
            .hit_of(1)
            .both(),
    ]
}

/// RFC 9111 §7.3: a cookie alone forbids nothing; an origin says so.
fn cookies() -> [Case; 6] {
    let both = "Cache-Control: max-age=100 | Set-Cookie: a=1 | Set-Cookie: b=2";
    [
        case("rfc9111_7_3_set_cookie_is_kept")
            .get()
            .ok(both)
            .miss()
            .get()
            .hit()
            .lines("Set-Cookie", &["a=1", "b=2"]),
        case("rfc9111_5_2_2_4_set_cookie_is_left_out_where_no_cache_names_it")
            .get()
            .ok("Cache-Control: max-age=100, no-cache=\"Set-Cookie\" | Set-Cookie: a=1")
            .miss()
            .has("Set-Cookie: a=1")
            .get()
            .hit()
            .lacks("Set-Cookie"),
        case("rfc9111_5_2_2_7_set_cookie_is_left_out_where_private_names_it")
            .get()
            .ok("Cache-Control: max-age=100, private=\"set-cookie\" | Set-Cookie: a=1")
            .miss()
            .has("Set-Cookie: a=1")
            .get()
            .hit()
            .lacks("Set-Cookie"),
        case("rfc9111_7_3_set_cookie_with_private_is_not_kept")
            .get()
            .ok("Cache-Control: private, max-age=100 | Set-Cookie: a=1")
            .miss()
            .get()
            .miss()
            .lacks("Set-Cookie")
            .both(),
        case("rfc9111_4_a_cookie_is_no_part_of_the_key")
            .get()
            .with("Cookie: a=1")
            .ok(FRESH)
            .miss()
            .sent("Cookie: a=1")
            .get()
            .with("Cookie: b=2")
            .hit(),
        case("rfc9111_4_1_a_cookie_that_it_varies_by")
            .get()
            .with("Cookie: a=1")
            .ok("Cache-Control: max-age=100 | Vary: Cookie")
            .miss()
            .get()
            .with("Cookie: a=2")
            .miss(),
    ]
}

/// The profile `Safe`: credentials and cookies pass, and what answers them is for them alone.
fn safe() -> Vec<Case> {
    let alone = |name: &str, line: &str| {
        case(format!("rfc9111_7_1_safe_{name}_passes_and_is_not_shared"))
            .get()
            .with(line)
            .ok("Cache-Control: public, s-maxage=100")
            .miss()
            .sent(line)
            .get()
            .ok(FRESH)
            .miss()
            .get()
            .hit_of(2)
            .get()
            .with(line)
            .miss()
            .sent(line)
            .get()
            .hit_of(2)
            .safe()
    };
    vec![
        alone("authorization", BASIC),
        alone("a_cookie", "Cookie: a=1"),
        alone("an_api_key", "X-Api-Key: secret"),
        alone("an_auth_token", "X-Auth-Token: secret"),
        case("rfc9111_7_3_safe_set_cookie_is_not_kept")
            .get()
            .ok("Cache-Control: max-age=100 | Set-Cookie: a=1")
            .miss()
            .has("Set-Cookie: a=1")
            .get()
            .miss()
            .lacks("Set-Cookie")
            .safe(),
        case("rfc9111_7_3_safe_set_cookie_with_public_is_not_kept")
            .get()
            .ok("Cache-Control: public, max-age=100 | Set-Cookie: a=1")
            .miss()
            .get()
            .miss()
            .safe(),
        case("rfc9111_7_3_safe_set_cookie_leaves_no_mark")
            .get()
            .ok("Cache-Control: max-age=100 | Set-Cookie: a=1")
            .miss()
            .get()
            .ok(FRESH)
            .miss()
            .get()
            .hit()
            .lacks("Set-Cookie")
            .safe(),
    ]
}
