//! The fields of a struct, which placeholders name.

use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Field, Fields, Ident, LitStr};

use crate::template::Template;

/// The named fields of the struct that a derive is on.
pub(crate) struct NamedFields<'a>(Vec<&'a Field>);

impl<'a> NamedFields<'a> {
    /// The fields of `input`, which must be a struct whose fields have names, or none.
    pub(crate) fn of(input: &'a DeriveInput, derive: &str) -> syn::Result<Self> {
        let wrong = |what: &str| {
            let why = format!(
                "#[derive({derive})] is for structs with named fields, and `{}` is {what}",
                input.ident
            );
            Err(syn::Error::new(input.ident.span(), why))
        };
        match &input.data {
            Data::Struct(data) => match &data.fields {
                Fields::Named(fields) => Ok(Self(fields.named.iter().collect())),
                Fields::Unit => Ok(Self(Vec::new())),
                Fields::Unnamed(_) => wrong("a tuple struct: give its fields names"),
            },
            Data::Enum(_) => wrong("an enum: make each variant a struct of its own"),
            Data::Union(_) => wrong("a union"),
        }
    }

    /// The field that a placeholder names.
    pub(crate) fn field(&self, name: &str, template: &Template) -> syn::Result<&'a Field> {
        let known = |field: &&&Field| ident(field).is_some_and(|ident| ident.unraw() == name);
        self.0.iter().find(known).copied().ok_or_else(|| {
            let names: Vec<String> = self
                .0
                .iter()
                .filter_map(|field| ident(field))
                .map(|ident| format!("`{}`", ident.unraw()))
                .collect();
            let those = match names.as_slice() {
                [] => "the struct has none".to_owned(),
                [only] => format!("the only field is {only}"),
                _ => format!("the fields are {}", names.join(", ")),
            };
            let why = format!("the placeholder `{{{name}}}` is no field: {those}");
            syn::Error::new(template.text.span(), why)
        })
    }
}

fn ident(field: &Field) -> Option<&Ident> {
    field.ident.as_ref()
}

/// The one attribute called `name`.
pub(crate) fn attribute<'a>(input: &'a DeriveInput, name: &str, example: &str) -> syn::Result<&'a Attribute> {
    let mut found = input
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident(name));
    let first = found.next().ok_or_else(|| {
        let why = format!("#[{name}(…)] is missing: write {example} above the struct");
        syn::Error::new(input.ident.span(), why)
    })?;
    match found.next() {
        None => Ok(first),
        Some(second) => Err(syn::Error::new(
            second.span(),
            format!("#[{name}(…)] is there twice"),
        )),
    }
}

/// Fails where a text that is to be a name is empty.
pub(crate) fn not_empty(text: LitStr, what: &str) -> syn::Result<LitStr> {
    if text.value().is_empty() {
        return Err(syn::Error::new(text.span(), format!("{what} is empty")));
    }
    Ok(text)
}
