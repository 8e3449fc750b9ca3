//! Templates of keys and tags: text in which places stand in braces.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Expr, LitStr, Result};

/// A template that was read. Its places are names, or what these are of a function.
pub(crate) struct Template<P = String> {
    pub(crate) text: LitStr,
    pieces: Vec<Piece<P>>,
}

enum Piece<P> {
    Text(String),
    Place(P),
}

/// An argument, or a field of one.
pub(crate) struct Argument {
    /// The name that it begins with.
    root: String,
    value: Expr,
}

impl Template {
    /// Reads a template; what stands in the braces is not looked at.
    pub(crate) fn read(text: &LitStr) -> Result<Self> {
        let value = text.value();
        let fail = |message: &str| Err(syn::Error::new(text.span(), message));
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = value.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            let brace = &rest[at..=at];
            plain.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            if brace == "}" {
                return fail("a `}` without a `{` before it; for the character itself write `}}`");
            }
            let Some((place, after)) = rest.split_once('}') else {
                return fail("a `{` without a `}` after it; for the character itself write `{{`");
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Place(place.to_owned()));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self {
            text: text.clone(),
            pieces,
        })
    }

    /// The same for a tag, which has a name.
    pub(crate) fn of_tag(text: &LitStr) -> Result<Self> {
        if text.value().is_empty() {
            return Err(syn::Error::new(text.span(), "this is empty: a tag needs a name"));
        }
        Self::read(text)
    }

    /// The names in the braces.
    pub(crate) fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.places().map(String::as_str)
    }

    /// The places as arguments of a function, which are called `names`, or fields of these.
    pub(crate) fn of_arguments(self, names: &[String]) -> Result<Template<Argument>> {
        let Self { text, pieces } = self;
        let pieces = pieces.into_iter().map(|piece| {
            Ok(match piece {
                Piece::Text(text) => Piece::Text(text),
                Piece::Place(inside) => Piece::Place(argument(&inside, text.span(), names)?),
            })
        });
        Ok(Template {
            pieces: pieces.collect::<Result<_>>()?,
            text,
        })
    }
}

impl<P> Template<P> {
    fn places(&self) -> impl Iterator<Item = &P> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Place(place) => Some(place),
        })
    }

    /// The text for `format!`, with an argument for each place.
    pub(crate) fn format(&self) -> LitStr {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.replace('{', "{{").replace('}', "}}"),
            Piece::Place(_) => "{}".to_owned(),
        });
        LitStr::new(&pieces.collect::<String>(), self.text.span())
    }
}

impl Template<Argument> {
    /// Whether it says `name`, or a field of it.
    pub(crate) fn says(&self, name: &str) -> bool {
        self.places().any(|place| place.root == name)
    }

    /// Its text, if there is nothing else in it.
    pub(crate) fn plain(&self) -> Option<&str> {
        match &self.pieces[..] {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// An expression of the text that it makes.
    pub(crate) fn expression(&self) -> TokenStream {
        let format = self.format();
        let values = self.places().map(|place| &place.value);
        quote!(::std::format!(#format #(, #values)*))
    }

    /// Expressions of the parts of a key: what lies between two of them cannot move from one to the other.
    pub(crate) fn parts(&self) -> impl Iterator<Item = TokenStream> {
        self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => quote!(#text),
            Piece::Place(Argument { value, .. }) => quote!(::larder::__private::Text(&#value)),
        })
    }
}

fn argument(inside: &str, span: Span, names: &[String]) -> Result<Argument> {
    let fail = |message: String| Err(syn::Error::new(span, message));
    let mut parts = inside.split('.');
    let root = parts.next().unwrap_or_default();
    let is_word = |part: &str| part.chars().all(|c| c == '_' || c.is_alphanumeric()) && !part.is_empty();
    if !is_word(root) || !parts.all(is_word) {
        return fail(format!(
            "`{{{inside}}}` is not an argument or a field of one: it is `{{arg}}`, `{{arg.field}}` or `{{self.field}}`, \
             without a format"
        ));
    }
    if !names.iter().any(|name| name == root) {
        let known = told(names);
        return fail(format!("the function has no argument `{root}`; {known}"));
    }
    match syn::parse_str::<Expr>(inside) {
        Ok(mut value) => {
            // Mistakes of types are shown at the template.
            syn::visit_mut::VisitMut::visit_expr_mut(&mut Respan(span), &mut value);
            let root = root.to_owned();
            Ok(Argument { root, value })
        }
        Err(_) => fail(format!("`{{{inside}}}` is not an argument or a field of one")),
    }
}

/// Which arguments there are, for a message.
pub(crate) fn told(names: &[String]) -> String {
    let known: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match known.as_slice() {
        [] => "it has none".to_owned(),
        known => format!("it has {}", known.join(", ")),
    }
}

struct Respan(Span);

impl syn::visit_mut::VisitMut for Respan {
    fn visit_span_mut(&mut self, span: &mut Span) {
        // Where the template stands, with the names that are seen there.
        *span = self.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Template> {
        Template::of_tag(&LitStr::new(text, Span::call_site()))
    }

    #[test]
    fn templates_are_read_as_at_run_time() {
        for (text, names, format) in [
            ("team:{id}", &["id"][..], "team:{}"),
            ("{a}{b}é", &["a", "b"], "{}{}é"),
            ("{{a}}", &[], "{{a}}"),
            ("{{{a}}}:", &["a"], "{{{}}}:"),
            ("{}", &[""], "{}"),
        ] {
            let template = read(text).unwrap();
            assert_eq!(template.placeholders().collect::<Vec<_>>(), names, "{text}");
            assert_eq!(template.format().value(), format);
        }
        for (text, why) in [
            ("", "empty"),
            ("{a", "`{` without a `}`"),
            ("{a}{b", "`{` without a `}`"),
            ("a}", "`}` without a `{`"),
        ] {
            let error = read(text).err().unwrap().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
