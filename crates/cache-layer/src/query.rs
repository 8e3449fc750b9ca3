//! The query of a URI as a part of the key: which parameters count, and in which order.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use smallvec::SmallVec;

/// Which query parameters make a request another one, and whether their order does.
///
/// By default parameters are ordered by name, so that `?a=1&b=2` and `?b=2&a=1` share an entry; the order of equal
/// names is kept, because `?id=1&id=2` and `?id=2&id=1` may mean different things. A parameter that does not count is
/// also taken out of the URI that the handler sees on a cacheable request, so that nobody can put into a shared entry
/// what the key does not show.
///
/// A query with a `;` in what counts of it is not reordered: some frameworks part parameters there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum QueryKey {
    /// All parameters count, ordered by name. The default.
    #[default]
    Sorted,
    /// The query counts byte for byte.
    Exact,
    /// All parameters but these count, such as `utm_source`.
    Except(Vec<String>),
    /// Only these parameters count.
    Only(Vec<String>),
}

impl QueryKey {
    /// The query that stands for `query` in the key, and whether the handler must see it in its place.
    pub(crate) fn canonical<'q>(&self, query: &'q str) -> Canonical<'q> {
        match self {
            Self::Exact => Canonical::same(query),
            Self::Sorted if is_plain_and_sorted(query.as_bytes()) => Canonical::same(query),
            Self::Sorted => sorted(query, Self::all),
            Self::Except(names) => sorted(query, |name| !names.iter().any(|other| other == name)),
            Self::Only(names) => sorted(query, |name| names.iter().any(|other| other == name)),
        }
    }

    /// Whether parameters may be left out.
    pub(crate) const fn hides(&self) -> bool {
        matches!(self, Self::Except(_) | Self::Only(_))
    }

    const fn all(_: &str) -> bool {
        true
    }
}

/// A query as the key has it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Canonical<'q> {
    /// `None` when no parameter is left.
    pub(crate) query: Option<Cow<'q, str>>,
    /// The parameters that count in the order of the request, if some do not count: what the handler may see.
    pub(crate) visible: Option<String>,
}

impl<'q> Canonical<'q> {
    const fn same(query: &'q str) -> Self {
        Self {
            query: Some(Cow::Borrowed(query)),
            visible: None,
        }
    }
}

/// Whether the parameters stand in order already, and no name needs decoding to see it: one look at each byte.
fn is_plain_and_sorted(query: &[u8]) -> bool {
    let mut last: &[u8] = &[];
    let mut start = 0;
    let mut named = None;
    for (at, byte) in query.iter().enumerate() {
        // Most bytes mean nothing here.
        if !MEANS[usize::from(*byte)] {
            continue;
        }
        match byte {
            b'&' => {
                let name = &query[start..named.unwrap_or(at)];
                if name < last {
                    return false;
                }
                (last, start, named) = (name, at + 1, None);
            }
            _ if named.is_some() => {}
            b'=' => named = Some(at),
            _ => return false,
        }
    }
    &query[start..named.unwrap_or(query.len())] >= last
}

/// The bytes that part a query, or hide what a name is.
const MEANS: [bool; 256] = {
    let mut means = [false; 256];
    means[b'&' as usize] = true;
    means[b'=' as usize] = true;
    means[b'%' as usize] = true;
    means[b'+' as usize] = true;
    means
};

fn sorted<'q>(query: &'q str, counts: impl Fn(&str) -> bool) -> Canonical<'q> {
    let mut parameters: SmallVec<[(Cow<'q, str>, &'q str); 8]> = SmallVec::new();
    let mut left_out = false;
    for raw in query.split('&') {
        let name = decoded_name(raw);
        if counts(&name) {
            parameters.push((name, raw));
        } else {
            left_out = true;
        }
    }
    // In what is left: a parameter that is hidden says nothing of how the others are read.
    let semicolon = parameters.iter().any(|(_, raw)| raw.contains(';'));
    if !left_out && (semicolon || parameters.is_sorted_by(|(a, _), (b, _)| a <= b)) {
        return Canonical::same(query);
    }
    let visible = left_out.then(|| join(&parameters));
    if visible.as_deref() == Some("") {
        // The handler sees no query at all, not an empty one.
        return Canonical { query: None, visible };
    }
    if !semicolon {
        // Stable: the order of equal names is kept.
        parameters.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    Canonical {
        query: Some(Cow::Owned(join(&parameters))),
        visible,
    }
}

fn join(parameters: &[(Cow<'_, str>, &str)]) -> String {
    let raw: SmallVec<[&str; 8]> = parameters.iter().map(|(_, raw)| *raw).collect();
    raw.join("&")
}

/// The name of a parameter as a form decoder reads it. Names that are not UTF-8 may become equal: then the order of
/// the request is kept between them, which parts requests and never joins them.
fn decoded_name(parameter: &str) -> Cow<'_, str> {
    let name = parameter.split_once('=').map_or(parameter, |(name, _)| name);
    if !name.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Cow::Borrowed(name);
    }
    let spaced = name.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8_lossy().into_owned();
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(rule: &QueryKey, query: &str) -> Option<String> {
        rule.canonical(query).query.map(Cow::into_owned)
    }

    /// What a handler makes of a query: the values of each name, in their order.
    fn meaning(query: &str) -> std::collections::BTreeMap<String, Vec<String>> {
        let mut all = std::collections::BTreeMap::<String, Vec<String>>::new();
        for raw in query.split('&').filter(|raw| !raw.is_empty()) {
            let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
            let decode = |text: &str| {
                percent_decode(text.replace('+', " ").as_bytes())
                    .decode_utf8_lossy()
                    .into_owned()
            };
            all.entry(decode(name)).or_default().push(decode(value));
        }
        all
    }

    #[test]
    fn parameters_are_ordered_by_name_and_equal_names_stay() {
        let sorted = QueryKey::Sorted;
        assert_eq!(key(&sorted, "b=2&a=1"), key(&sorted, "a=1&b=2"));
        assert_ne!(key(&sorted, "a=1&a=2"), key(&sorted, "a=2&a=1"));
        assert_ne!(
            key(&sorted, "%61=1&a=2"),
            key(&sorted, "a=2&%61=1"),
            "equal when decoded"
        );
        assert_ne!(
            key(&sorted, "b=0&a=1;b=2"),
            key(&sorted, "a=1;b=2&b=0"),
            "a second separator"
        );
        assert_ne!(key(&sorted, ""), None);
        assert_ne!(key(&QueryKey::Exact, "b=2&a=1"), key(&QueryKey::Exact, "a=1&b=2"));
    }

    #[test]
    fn what_does_not_count_is_hidden_too() {
        let rule = QueryKey::Except(vec!["utm_source".into()]);
        let canonical = rule.canonical("b=1&utm%5Fsource=x&a=2");
        assert_eq!(canonical.query.as_deref(), Some("a=2&b=1"));
        assert_eq!(canonical.visible.as_deref(), Some("b=1&a=2"));
        assert_eq!(
            rule.canonical("utm_source=x"),
            Canonical {
                query: None,
                visible: Some(String::new())
            }
        );
        assert_eq!(
            rule.canonical("utm_source=x&"),
            rule.canonical("utm_source=x"),
            "no query is left of either"
        );
        let rule = QueryKey::Only(vec!["page".into()]);
        assert_eq!(rule.canonical("page=1&x=2").visible.as_deref(), Some("page=1"));
        assert_eq!(rule.canonical("page=1").visible, None);
    }

    fn queries() -> impl Strategy<Value = String> {
        let name = proptest::sample::select(vec!["a", "b", "%61", "a+b", "a%20b", "", "é", "%ff"]);
        let value = proptest::sample::select(vec!["=", "=1", "=2", "", "=%26", "=1;a=2"]);
        proptest::collection::vec((name, value).prop_map(|(n, v)| format!("{n}{v}")), 0..5)
            .prop_map(|parts| parts.join("&"))
    }

    proptest! {
        #[test]
        fn equal_keys_mean_equal_requests(a in queries(), b in queries()) {
            if key(&QueryKey::Sorted, &a) == key(&QueryKey::Sorted, &b) {
                prop_assert_eq!(meaning(&a), meaning(&b));
            }
        }

        #[test]
        fn the_quick_look_agrees_with_the_slow_one(a in queries()) {
            if is_plain_and_sorted(a.as_bytes()) {
                prop_assert_eq!(sorted(&a, QueryKey::all), Canonical::same(&a));
            }
        }

        #[test]
        fn the_canonical_query_means_the_same(a in queries()) {
            let canonical = key(&QueryKey::Sorted, &a).unwrap_or_default();
            prop_assert_eq!(meaning(&canonical), meaning(&a));
            prop_assert_eq!(key(&QueryKey::Sorted, &canonical).unwrap_or_default(), canonical);
        }

        #[test]
        fn a_handler_sees_exactly_what_counts(a in queries()) {
            let rule = QueryKey::Only(vec!["a".into(), "a b".into()]);
            let canonical = rule.canonical(&a);
            let visible = canonical.visible.unwrap_or_else(|| a.clone());
            prop_assert_eq!(meaning(&visible), meaning(&canonical.query.unwrap_or_default()));
        }
    }
}
