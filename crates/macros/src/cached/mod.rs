//! `#[cached]`: options, and what is written for them.

mod body;
mod check;
mod expand;
mod options;

use proc_macro2::TokenStream;
use syn::{ItemFn, Result};

/// Writes the function anew.
pub(crate) fn attribute(options: TokenStream, function: TokenStream) -> Result<TokenStream> {
    let function: ItemFn = syn::parse2(function)?;
    let options = syn::parse2(options)?;
    expand::expand(options, function)
}
