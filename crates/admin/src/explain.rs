//! Why a request hits or misses: what is kept for it, what made that stale, and what became of the last runs.

use http::header::{HOST, HeaderName};
use http::{HeaderValue, Method, Request, Uri};
use larder_cache_layer::{BypassReason, PastFill, PastInvalidation};
use larder_store::{Tag, Timestamp};
use serde_json::{Value, json};

use crate::entries::{self, Seen, Wanted, Worth};
use crate::parts::Parts;
use crate::shown;

/// How many runs of handlers are shown.
const FILLS: usize = 10;

/// What is asked.
#[derive(Debug)]
pub(crate) struct Question {
    method: Method,
    uri: Uri,
    cache: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Question {
    /// Reads `method`, `uri`, `cache` and any number of `header` (`name: value`) from the query.
    pub(crate) fn read<'q>(pairs: impl Iterator<Item = (&'q str, &'q str)>) -> Result<Self, &'static str> {
        let (mut method, mut uri, mut cache, mut headers) = (Method::GET, None, None, Vec::new());
        for (name, value) in pairs {
            match name {
                "method" => method = value.parse().map_err(|_| "`method` is none")?,
                "uri" => {
                    let path: Uri = value.parse().map_err(|_| "`uri` is none")?;
                    uri = Some(path).filter(|path| path.path().starts_with('/'));
                }
                "cache" if !value.is_empty() => cache = Some(value.to_owned()),
                "header" if headers.len() < 32 => {
                    let (name, value) = value.split_once(':').ok_or("`header` is `name: value`")?;
                    let name = name.trim().parse().map_err(|_| "`header` is `name: value`")?;
                    let value = value.trim().parse().map_err(|_| "`header` is `name: value`")?;
                    headers.push((name, value));
                }
                _ => {}
            }
        }
        Ok(Self {
            method,
            uri: uri.ok_or("`uri` is a path, with its query")?,
            cache,
            headers,
        })
    }

    fn request(&self) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        for (name, value) in &self.headers {
            headers.append(name.clone(), value.clone());
        }
        if !headers.contains_key(HOST) {
            headers.insert(HOST, HeaderValue::from_static("localhost"));
        }
        request
    }

    /// Which layers it is about.
    fn caches(&self, parts: &Parts) -> Vec<String> {
        let described = parts.engine.described().into_iter();
        let names = described.map(|layer| layer.name.to_string());
        names
            .filter(|name| self.cache.as_ref().is_none_or(|wanted| wanted == name))
            .collect()
    }

    pub(crate) async fn answer(&self, parts: &Parts) -> Value {
        let path = self.uri.path_and_query().map_or("/", |target| target.as_str());
        let layer = self.cache.as_deref().map(Tag::layer);
        let uri = Tag::uri(path);
        // The layer may have sorted the query.
        let wanted = Wanted::Uri(uri.clone(), layer);
        let found = entries::search(&parts.engine, wanted, entries::MOST).await;
        let now = parts.engine.now();
        let past = parts.engine.past_invalidations();
        let fills: Vec<PastFill> = parts
            .engine
            .past_fills()
            .into_iter()
            .filter(|fill| {
                Tag::uri(&*fill.target).id() == uri.id()
                    && self.cache.as_ref().is_none_or(|name| **name == *fill.cache)
            })
            .take(FILLS)
            .collect();
        let caches = self.caches(parts).into_iter().filter_map(|name| {
            let bypass = parts.engine.admits(&name, self.request())?.err();
            Some((name, bypass))
        });
        let caches: Vec<(String, Option<BypassReason>)> = caches.collect();
        let entries = found.entries.iter().map(|seen| explained(seen, &past, now));
        json!({
            "method": self.method.as_str(),
            "uri": shown::text(path),
            "says": says(&caches, &found, &fills, &past, now),
            "caches": caches.iter().map(|(name, bypass)| json!({
                "name": shown::text(name),
                "bypass": bypass.map(BypassReason::as_str),
            })).collect::<Vec<_>>(),
            "listed": found.listed,
            "more": found.more,
            "entries": entries.collect::<Vec<_>>(),
            "fills": fills.iter().map(shown::fill).collect::<Vec<_>>(),
        })
    }
}

/// The answer in a sentence.
fn says(
    caches: &[(String, Option<BypassReason>)],
    found: &entries::Found,
    fills: &[PastFill],
    past: &[PastInvalidation],
    now: Timestamp,
) -> String {
    if let [(name, Some(reason))] = caches {
        return format!("It goes past `{name}`: {}.", reason.as_str());
    }
    if caches.is_empty() {
        return "No layer has this name.".to_owned();
    }
    let best = found.entries.iter().min_by_key(|seen| seen.worth(now) as u8);
    let Some(best) = best else {
        let last = fills.first().and_then(|fill| fill.not_kept);
        return match (last, found.listed) {
            (Some(reason), _) => format!(
                "A miss: nothing is kept, and what the handler last answered could not be: {}.",
                reason.as_str()
            ),
            (None, true) => "A miss: nothing is kept for it in this process.".to_owned(),
            (None, false) => "This store cannot show what it keeps.".to_owned(),
        };
    };
    match best.worth(now) {
        Worth::Fresh => "A hit, for who asks with the same key.".to_owned(),
        Worth::Stale => "Answered stale, while one run replaces it.".to_owned(),
        Worth::IfError => "A miss; what is kept stands in if the handler fails.".to_owned(),
        Worth::Expired => "A miss: what is kept is past its lifetime (expired).".to_owned(),
        Worth::Unknown => "The store did not say whether what is kept is valid.".to_owned(),
        Worth::Forgotten => match cause(best, past) {
            Some(past) => format!("A miss: what is kept was forgotten (tag), by {}.", named(past)),
            None => "A miss: what is kept was forgotten (tag); by what is not remembered here.".to_owned(),
        },
    }
}

fn explained(seen: &Seen, past: &[PastInvalidation], now: Timestamp) -> Value {
    let mut shown = seen.shown(now);
    let by = cause(seen, past);
    if let Value::Object(shown) = &mut shown {
        shown.insert("stale_by".to_owned(), by.map_or(Value::Null, shown::invalidation));
    }
    shown
}

/// The first invalidation that reached an entry, if it is remembered: it may have come while the entry was being made.
fn cause<'p>(seen: &Seen, past: &'p [PastInvalidation]) -> Option<&'p PastInvalidation> {
    let lifetime = &seen.entry.lifetime;
    let began = lifetime
        .received
        .as_millis()
        .saturating_sub(lifetime.load_ms.into());
    let later = past.iter().rev().filter(|past| past.at.as_millis() >= began);
    let mut reaching = later.filter(|past| past.kind == "all" || past.reaches(&seen.entry.tags).is_some());
    reaching.next()
}

fn named(past: &PastInvalidation) -> String {
    let what = match &past.action {
        Some(action) => format!("`{action}`"),
        None => past.source.to_owned(),
    };
    match past.tags.first() {
        Some(tag) => format!(
            "{what} with the {} `{}`",
            tag.kind.as_str(),
            shown::text(&tag.text)
        ),
        None => format!("{what}, which forgot all"),
    }
}
