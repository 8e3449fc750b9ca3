//! `#[derive(Action)]`.

mod attribute;

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::DeriveInput;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::action::attribute::{Attribute, Kind};
use crate::fields::{self, NamedFields};

const EXAMPLE: &str = "#[action(\"team.member.add\", forgets(\"team:{team_id}\"))]";

pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let fields = NamedFields::of(input, "Action")?;
    let Attribute { name, forgets } = fields::attribute(input, "action", EXAMPLE)?.parse_args()?;
    // Each field once, however many placeholders name it.
    let mut parameters = BTreeMap::new();
    let mut targets = Vec::new();
    for target in &forgets {
        let text = &target.template.text;
        targets.push(match target.kind {
            Kind::Tag => quote!(.tag(#text)),
            Kind::Identity => quote!(.identity(#text)),
            Kind::Prefix => quote!(.prefix(#text)),
            Kind::Uri => quote!(.uri(#text)),
            Kind::Layer => quote!(.layer(#text)),
        });
        for placeholder in target.template.placeholders() {
            let field = fields.field(placeholder, &target.template)?;
            parameters.insert(placeholder, field);
        }
    }
    let values = parameters.values().filter_map(|field| {
        let ident = field.ident.as_ref()?;
        let name = ident.unraw().to_string();
        // Shown at the field's type where that cannot be displayed.
        Some(quote_spanned!(field.ty.span()=> .with(#name, &self.#ident)))
    });
    let ident = &input.ident;
    let (generics, types, bounds) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #generics ::larder::Action for #ident #types #bounds {
            fn rule() -> ::larder::ActionRule {
                ::larder::ActionRule::new(#name) #(#targets)*
            }

            fn parameters(&self) -> ::larder::Parameters {
                ::larder::Parameters::new() #(#values)*
            }
        }
    })
}
