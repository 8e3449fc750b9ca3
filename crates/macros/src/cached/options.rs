//! The options of `#[cached]`.

use proc_macro2::{Span, TokenStream};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, Ident, Lit, LitStr, Path, Result, Token, bracketed, parenthesized};

use crate::length::{length, lifetime};

/// What stands in the brackets of `#[cached(..)]`.
#[derive(Default)]
pub(super) struct Options {
    pub(super) key: Option<LitStr>,
    pub(super) skip: Vec<Ident>,
    pub(super) tags: Vec<LitStr>,
    pub(super) name: Option<LitStr>,
    pub(super) larder: Option<Expr>,
    pub(super) codec: Codec,
    pub(super) weigh: Option<Path>,
    pub(super) cache_none: Option<TokenStream>,
    pub(super) cache_err: Option<TokenStream>,
    pub(super) timeout: Option<TokenStream>,
    /// Whether the body blocks.
    pub(super) blocking: bool,
    /// Where an option stands that lets the function run in the background.
    pub(super) background: Option<Span>,
    pub(super) stale_if_error: Option<Span>,
    /// The setters of the policy that take a value as it is: their names, and the values.
    pub(super) setters: Vec<(Ident, TokenStream)>,
}

/// What a result is outside the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Codec {
    #[default]
    Json,
    Postcard,
    InProcess,
}

const KNOWN: &str = "key, skip, tags, name, ttl, jitter, stale_while_revalidate, stale_if_error, early_refresh, cache_none, \
                     cache_err, soft_timeout, timeout, wait, one_fill, background_timeout, blocking, codec, weigh, version, larder";

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Self::default();
        let mut seen: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            let name: Ident = input.parse()?;
            if seen.contains(&name) {
                return Err(syn::Error::new(name.span(), format!("`{name}` is said twice")));
            }
            options.option(&name, input)?;
            seen.push(name);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        options.check(&seen)?;
        Ok(options)
    }
}

impl Options {
    fn option(&mut self, name: &Ident, input: ParseStream<'_>) -> Result<()> {
        let word = name.to_string();
        if word == "blocking" {
            self.blocking = true;
            return Ok(());
        }
        if word == "skip" {
            let names;
            parenthesized!(names in input);
            self.skip = names
                .parse_terminated(<Ident as syn::ext::IdentExt>::parse_any, Token![,])?
                .into_iter()
                .collect();
            return Ok(());
        }
        if !KNOWN.split(", ").any(|known| known == word) {
            let message = format!("there is no option `{word}`; there are {KNOWN}");
            return Err(syn::Error::new(name.span(), message));
        }
        input.parse::<Token![=]>()?;
        match word.as_str() {
            "tags" => {
                let tags;
                bracketed!(tags in input);
                let tags: Punctuated<LitStr, Token![,]> = Punctuated::parse_terminated(&tags)?;
                self.tags = tags.into_iter().collect();
            }
            "key" => self.key = Some(input.parse()?),
            "name" => {
                let text: LitStr = input.parse()?;
                if text.value().is_empty() {
                    return Err(syn::Error::new(text.span(), "a name is not empty"));
                }
                self.name = Some(text);
            }
            "larder" => self.larder = Some(input.parse()?),
            "weigh" => self.weigh = Some(input.parse()?),
            "codec" => self.codec = codec(&input.parse()?)?,
            "cache_none" => self.cache_none = Some(lifetime(&input.parse()?)?),
            "cache_err" => self.cache_err = Some(lifetime(&input.parse()?)?),
            "timeout" => self.timeout = Some(length(&input.parse()?)?),
            _ => self.setter(name, &word, input)?,
        }
        Ok(())
    }

    fn setter(&mut self, name: &Ident, word: &str, input: ParseStream<'_>) -> Result<()> {
        let value = match word {
            "ttl" | "stale_while_revalidate" | "stale_if_error" => lifetime(&input.parse()?)?,
            "wait" | "soft_timeout" | "background_timeout" => length(&input.parse()?)?,
            "version" => {
                let number: syn::LitInt = input.parse()?;
                number.base10_parse::<u32>()?;
                quote::quote!(#number)
            }
            "one_fill" => one_fill(&input.parse()?)?,
            _ => number(word, &input.parse()?)?,
        };
        match word {
            "stale_while_revalidate" | "early_refresh" | "soft_timeout" => {
                self.background.get_or_insert(name.span());
            }
            "stale_if_error" => self.stale_if_error = Some(name.span()),
            _ => {}
        }
        self.setters.push((name.clone(), value));
        Ok(())
    }

    /// What does not go together.
    fn check(&self, seen: &[Ident]) -> Result<()> {
        let span = |word: &str| {
            let found = seen.iter().find(|name| *name == word);
            found.map_or_else(Span::call_site, Ident::span)
        };
        let has = |word: &str| seen.iter().any(|name| name == word);
        let fail = |word: &str, message: &str| Err(syn::Error::new(span(word), message));
        match (self.codec, &self.weigh) {
            (Codec::InProcess, None) => {
                return fail(
                    "codec",
                    "what stays in the process must say how much memory it takes: `weigh = path`, a `fn(&T) -> usize`",
                );
            }
            (Codec::Json | Codec::Postcard, Some(_)) => {
                return fail(
                    "weigh",
                    "only `codec = \"in_process\"` is weighed: the others know their size",
                );
            }
            _ => {}
        }
        if self.cache_err.is_some() && self.stale_if_error.is_some() {
            return fail(
                "stale_if_error",
                "an `Err` that is kept is an answer, and nothing stands in for it: leave out `cache_err` or `stale_if_error`",
            );
        }
        if has("soft_timeout") && !has("stale_while_revalidate") && !has("stale_if_error") {
            return fail(
                "soft_timeout",
                "there is nothing to fall back on: `soft_timeout` needs `stale_if_error` or `stale_while_revalidate`",
            );
        }
        if has("background_timeout") && self.background.is_none() {
            return fail(
                "background_timeout",
                "nothing runs in the background without `stale_while_revalidate`, `early_refresh` or `soft_timeout`",
            );
        }
        Ok(())
    }
}

fn codec(text: &LitStr) -> Result<Codec> {
    match text.value().as_str() {
        "json" => Ok(Codec::Json),
        "postcard" => Ok(Codec::Postcard),
        "in_process" => Ok(Codec::InProcess),
        other => {
            let message =
                format!("there is no codec {other:?}; there are \"json\", \"postcard\" and \"in_process\"");
            Err(syn::Error::new(text.span(), message))
        }
    }
}

/// Among whom there is one run.
fn one_fill(text: &LitStr) -> Result<TokenStream> {
    let among = match text.value().as_str() {
        "in_process" => quote::quote!(InProcess),
        "everywhere" => quote::quote!(Everywhere),
        "automatic" => quote::quote!(Automatic),
        other => {
            let message =
                format!("`one_fill` is \"in_process\", \"everywhere\" or \"automatic\", and not {other:?}");
            return Err(syn::Error::new(text.span(), message));
        }
    };
    Ok(quote::quote!(::larder::OneFill::#among))
}

/// A number within the bounds of its option.
fn number(word: &str, value: &Expr) -> Result<TokenStream> {
    let number = match value {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Float(number) => number.base10_parse::<f64>().ok(),
            Lit::Int(number) => number.base10_parse::<f64>().ok(),
            _ => None,
        },
        _ => None,
    };
    let (fits, allowed) = match word {
        "jitter" => (
            number.filter(|part| (0.0..=1.0).contains(part)),
            "a number from 0 to 1",
        ),
        _ => (number.filter(|beta| *beta > 0.0), "a number above 0"),
    };
    let number =
        fits.ok_or_else(|| syn::Error::new(value.span(), format!("`{word}` is {allowed}, such as 0.5")))?;
    Ok(quote::quote!(#number))
}
