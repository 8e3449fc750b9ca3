//! Where the values of placeholders come from.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use http::request::Parts;

/// Where an [`InvalidateLayer`](crate::InvalidateLayer) finds the value of a placeholder in a request.
///
/// Closures from `&Parts` to `Option<String>` are sources, [`query`] is one, and the crate `larder` makes one of what
/// verifies identities. It is asked before the handler runs, so that the value is there whatever becomes of the handler.
pub trait ParameterSource: Send + Sync + 'static {
    /// The value in a request, if it has one. What it changes in `parts` is seen by the handler.
    fn find<'a>(&'a self, parts: &'a mut Parts) -> Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>>;
}

impl<F> ParameterSource for F
where
    F: Fn(&Parts) -> Option<String> + Send + Sync + 'static,
{
    fn find<'a>(&'a self, parts: &'a mut Parts) -> Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>> {
        let value = self(parts);
        Box::pin(std::future::ready(value))
    }
}

/// The parameter called `name` of the query, with its escapes undone. None where it is there more than once: which of them
/// a handler reads is unknown.
#[must_use]
pub fn query(name: impl Into<String>) -> impl ParameterSource + fmt::Debug {
    Query(name.into())
}

#[derive(Debug)]
struct Query(String);

impl ParameterSource for Query {
    fn find<'a>(&'a self, parts: &'a mut Parts) -> Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>> {
        let query = parts.uri.query().unwrap_or_default();
        let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| *name == self.0);
        let (first, second) = (values.next(), values.next());
        let value = first.filter(|_| second.is_none());
        let value = value.map(|(_, value)| value.into_owned());
        Box::pin(std::future::ready(value))
    }
}
