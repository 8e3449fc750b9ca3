//! `#[derive(KeyPart)]`: all fields of a type, and the name of an enum's variant.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Fields, Result, parse_quote};

pub(crate) fn derive(item: TokenStream) -> Result<TokenStream> {
    let mut item: DeriveInput = syn::parse2(item)?;
    for param in item.generics.type_params_mut() {
        param.bounds.push(parse_quote!(::larder::KeyPart));
    }
    let arms = match &item.data {
        Data::Struct(data) => {
            let (pattern, writes) = fields(&data.fields);
            quote!(Self #pattern => { #writes })
        }
        Data::Enum(data) => {
            let arms = data.variants.iter().map(|variant| {
                let (name, text) = (&variant.ident, variant.ident.to_string());
                let (pattern, writes) = fields(&variant.fields);
                quote!(Self::#name #pattern => {
                    ::larder::KeyPart::write_to(#text, __key);
                    #writes
                })
            });
            quote!(#(#arms)*)
        }
        Data::Union(data) => {
            let message = "a union does not know which of its fields it is";
            return Err(syn::Error::new(data.union_token.span, message));
        }
    };
    let name = &item.ident;
    let (generics, arguments, bounds) = item.generics.split_for_impl();
    // An enum without variants has nothing to match.
    let body = if arms.is_empty() {
        quote!(match *self {})
    } else {
        quote!(match self { #arms })
    };
    Ok(quote! {
        impl #generics ::larder::KeyPart for #name #arguments #bounds {
            fn write_to<__W: ::larder::store::KeyBuffer>(&self, __key: &mut ::larder::store::KeyWriter<'_, __W>) {
                #body
            }
        }
    })
}

/// A pattern that takes the fields apart, and the writing of each.
fn fields(fields: &Fields) -> (TokenStream, TokenStream) {
    let names: Vec<_> = (0..fields.len())
        .map(|number| format_ident!("__{number}"))
        .collect();
    let writes = quote!(#(::larder::KeyPart::write_to(#names, __key);)*);
    let pattern = match fields {
        Fields::Named(named) => {
            let fields = named.named.iter().map(|field| &field.ident);
            quote!({ #(#fields: #names),* })
        }
        Fields::Unnamed(_) => quote!((#(#names),*)),
        Fields::Unit => quote!({}),
    };
    (pattern, writes)
}
