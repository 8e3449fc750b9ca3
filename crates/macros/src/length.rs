//! Lengths of time as text, checked when the program is compiled.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{LitStr, Result};

/// The lifetimes that have a name, and how `larder` calls them.
const NAMES: [(&str, &str); 4] = [
    ("short", "Short"),
    ("medium", "Medium"),
    ("long", "Long"),
    ("very_long", "VeryLong"),
];

/// A lifetime: a length, or a name for one.
pub(crate) fn lifetime(text: &LitStr) -> Result<TokenStream> {
    let value = text.value();
    if let Some((_, name)) = NAMES.iter().find(|(name, _)| *name == value) {
        let name = syn::Ident::new(name, text.span());
        return Ok(quote!(::larder::Ttl::Named(::larder::NamedTtl::#name)));
    }
    let millis = millis(&value).ok_or_else(|| {
        let message = format!(
            "{value:?} is no lifetime: it is a whole number of ms, s, m, h or d, such as \"30s\", or one of \"short\", \
             \"medium\", \"long\", \"very_long\""
        );
        syn::Error::new(text.span(), message)
    })?;
    Ok(quote!(::larder::Ttl::Of(::core::time::Duration::from_millis(#millis))))
}

/// A length, which has no name.
pub(crate) fn length(text: &LitStr) -> Result<TokenStream> {
    let value = text.value();
    let millis = millis(&value).filter(|millis| *millis > 0).ok_or_else(|| {
        let message = format!(
            "{value:?} is no length of time: it is a whole number of ms, s, m, h or d above zero, such as \"30s\""
        );
        syn::Error::new(text.span(), message)
    })?;
    Ok(quote!(::core::time::Duration::from_millis(#millis)))
}

fn millis(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(millis)
}
