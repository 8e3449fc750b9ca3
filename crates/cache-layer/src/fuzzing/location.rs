//! Fuzz checks of the targets that a mutation's answer names.

use http::uri::{Authority, PathAndQuery};

use crate::mutation;

/// What a reference names, as a path and query.
fn same_origin(origin: &str, target: &str, reference: &str) -> Option<String> {
    let found = mutation::same_origin(origin, target, reference)?;
    Some(
        found
            .path_and_query()
            .map_or("/", PathAndQuery::as_str)
            .to_owned(),
    )
}

/// References: the first line is the origin, the second the target that was asked, the third what is named from there.
/// What is found is a target, and stands for itself at its own origin and at no other.
pub fn location(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.splitn(3, '\n').map(str::to_owned);
    let mut part = || parts.next().unwrap_or_default();
    let (origin, target, reference) = (part(), part(), part());
    let found = same_origin(&origin, &target, &reference);
    let told = || format!("{reference:?} from {target:?} at {origin:?}: {found:?}");
    let (Ok(_), Ok(_)) = (origin.parse::<Authority>(), target.parse::<PathAndQuery>()) else {
        return;
    };
    if !target.starts_with('/') {
        return;
    }
    if reference.starts_with('/') {
        let from_root = same_origin(&origin, "/", &reference);
        assert_eq!(found, from_root, "it says nothing of {target:?}, {}", told());
    }
    let Some(found) = &found else { return };
    let parsed = found.parse::<PathAndQuery>();
    assert!(parsed.is_ok_and(|parsed| parsed.as_str() == found), "{}", told());
    assert!(found.starts_with('/') && !found.contains('#'), "{}", told());
    let whole = format!("http://{origin}{found}");
    // A reference without a path leaves that of the target as it is, dots and all (RFC 3986 §5.2.2).
    let path = |target: &str| target.split('?').next().map(str::to_owned);
    if path(found) != path(&target) {
        for from in [&target[..], found, "/"] {
            let again = same_origin(&origin, from, &whole);
            assert_eq!(again.as_ref(), Some(found), "{whole:?}, {}", told());
        }
    }
    let elsewhere = format!("x{origin}");
    assert_eq!(same_origin(&elsewhere, &target, &whole), None, "{}", told());
}
