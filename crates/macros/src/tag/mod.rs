//! `#[derive(Tag)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, LitStr};

use crate::fields::{self, NamedFields};
use crate::template::Template;

const EXAMPLE: &str = "#[tag(\"team:{team_id}\")]";

pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let fields = NamedFields::of(input, "Tag")?;
    let text: LitStr = fields::attribute(input, "tag", EXAMPLE)?.parse_args()?;
    let template = Template::of_tag(&text)?;
    let mut values = Vec::new();
    for placeholder in template.placeholders() {
        let field = fields.field(placeholder, &template)?;
        let ident = &field.ident;
        values.push(quote_spanned!(field.ty.span()=> &tag.#ident));
    }
    let (text, format) = (&template.text, template.format());
    let ident = &input.ident;
    let visibility = &input.vis;
    let (generics, types, bounds) = input.generics.split_for_impl();
    let doc = format!("The tag with its placeholders: `{}`.", text.value());
    Ok(quote! {
        #[automatically_derived]
        impl #generics #ident #types #bounds {
            #[doc = #doc]
            #visibility const TEMPLATE: &'static str = #text;
        }

        #[automatically_derived]
        impl #generics ::core::convert::From<&#ident #types> for ::larder::Tag #bounds {
            fn from(tag: &#ident #types) -> Self {
                let _ = tag;
                Self::new(::std::format!(#format #(, #values)*))
            }
        }

        #[automatically_derived]
        impl #generics ::core::convert::From<#ident #types> for ::larder::Tag #bounds {
            fn from(tag: #ident #types) -> Self {
                Self::from(&tag)
            }
        }
    })
}
