//! Templates of keys and tags: text with `{arg}`, `{arg.field}` and `{self.field}` in it.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Expr, LitStr, Result};

/// A template that was read.
pub(crate) struct Template {
    pieces: Vec<Piece>,
    span: Span,
}

enum Piece {
    Text(String),
    /// An argument, or a field of one; what it begins with, and what it is.
    Place(String, Expr),
}

impl Template {
    /// Reads a template whose places must begin with one of `names`.
    pub(crate) fn read(text: &LitStr, names: &[String]) -> Result<Self> {
        let span = text.span();
        let value = text.value();
        let fail = |message: String| Err(syn::Error::new(span, message));
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = value.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '{' | '}' if rest.peek() == Some(&c) => {
                    rest.next();
                    plain.push(c);
                }
                '}' => {
                    return fail("a `}` without a `{` before it; for the character itself write `}}`".into());
                }
                '{' => {
                    let mut inside = String::new();
                    loop {
                        match rest.next() {
                            Some('}') => break,
                            Some(c) => inside.push(c),
                            None => {
                                return fail(
                                    "a `{` without a `}` after it; for the character itself write `{{`"
                                        .into(),
                                );
                            }
                        }
                    }
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(place(&inside, span, names)?);
                }
                c => plain.push(c),
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self { pieces, span })
    }

    /// Whether it says `name`, or a field of it.
    pub(crate) fn says(&self, name: &str) -> bool {
        let is = |piece: &Piece| matches!(piece, Piece::Place(root, _) if root == name);
        self.pieces.iter().any(is)
    }

    /// Its text, if there is nothing else in it.
    pub(crate) fn plain(&self) -> Option<String> {
        match &self.pieces[..] {
            [] => Some(String::new()),
            [Piece::Text(text)] => Some(text.clone()),
            _ => None,
        }
    }

    /// An expression of the text that it makes.
    pub(crate) fn text(&self) -> TokenStream {
        let mut format = String::new();
        let mut places = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => format.push_str(&text.replace('{', "{{").replace('}', "}}")),
                Piece::Place(_, place) => {
                    format.push_str("{}");
                    places.push(place);
                }
            }
        }
        let format = LitStr::new(&format, self.span);
        quote!(::std::format!(#format #(, #places)*))
    }

    /// Expressions of the parts of a key: what lies between two of them cannot move from one to the other.
    pub(crate) fn parts(&self) -> impl Iterator<Item = TokenStream> {
        self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => quote!(#text),
            Piece::Place(_, place) => quote!(::larder::__private::Text(&#place)),
        })
    }
}

fn place(inside: &str, span: Span, names: &[String]) -> Result<Piece> {
    let fail = |message: String| Err(syn::Error::new(span, message));
    let known = || {
        names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
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
        let known = if names.is_empty() {
            "it has none".to_owned()
        } else {
            format!("it has {}", known())
        };
        return fail(format!("the function has no argument `{root}`; {known}"));
    }
    match syn::parse_str::<Expr>(inside) {
        Ok(mut place) => {
            // Mistakes of types are shown at the template.
            syn::visit_mut::VisitMut::visit_expr_mut(&mut Respan(span), &mut place);
            Ok(Piece::Place(root.to_owned(), place))
        }
        Err(_) => fail(format!("`{{{inside}}}` is not an argument or a field of one")),
    }
}

struct Respan(Span);

impl syn::visit_mut::VisitMut for Respan {
    fn visit_span_mut(&mut self, span: &mut Span) {
        // Where the template stands, with the names that are seen there.
        *span = self.0;
    }
}
