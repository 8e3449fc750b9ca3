//! What an attribute reads of the function that it stands on.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned;
use syn::{Expr, FnArg, GenericArgument, Ident, ItemFn, Pat, PathArguments, Result, ReturnType, Type};

/// An argument: a name and a type.
pub(crate) struct Argument {
    pub(crate) name: Ident,
    pub(crate) mutable: Option<syn::token::Mut>,
    pub(crate) ty: Type,
}

impl Argument {
    /// Whether its type is a `Larder`, or a reference to one.
    pub(crate) fn is_larder(&self) -> bool {
        match referent(&self.ty) {
            Type::Path(path) => path
                .path
                .segments
                .last()
                .is_some_and(|last| last.ident == "Larder"),
            _ => false,
        }
    }

    pub(crate) fn is_reference(&self) -> bool {
        matches!(self.ty, Type::Reference(_))
    }
}

fn referent(ty: &Type) -> &Type {
    match ty {
        Type::Reference(reference) => referent(&reference.elem),
        Type::Paren(inner) => referent(&inner.elem),
        Type::Group(inner) => referent(&inner.elem),
        ty => ty,
    }
}

/// The arguments of a function.
pub(crate) struct Arguments {
    /// Whether it has `self`.
    pub(crate) receiver: bool,
    /// Whether it is no reference.
    owns: bool,
    pub(crate) all: Vec<Argument>,
}

impl Arguments {
    /// Reads them. `attribute` is the name of who reads. Only `&self` will do: several calls share one run.
    pub(crate) fn read(function: &ItemFn, attribute: &str) -> Result<Self> {
        if let Some(receiver) = function.sig.receiver()
            && (receiver.reference.is_none() || receiver.mutability.is_some())
        {
            let message = format!("`#[{attribute}]` takes methods with `&self`: several calls share one run");
            return Err(syn::Error::new(receiver.span(), message));
        }
        Self::read_any(function, attribute)
    }

    /// The same with any receiver.
    pub(crate) fn read_any(function: &ItemFn, attribute: &str) -> Result<Self> {
        let mut arguments = Self {
            receiver: false,
            owns: false,
            all: Vec::new(),
        };
        for input in &function.sig.inputs {
            match input {
                FnArg::Receiver(receiver) => {
                    arguments.receiver = true;
                    arguments.owns = receiver.reference.is_none();
                }
                FnArg::Typed(argument) => match &*argument.pat {
                    Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => {
                        arguments.all.push(Argument {
                            name: pat.ident.clone(),
                            mutable: pat.mutability,
                            ty: (*argument.ty).clone(),
                        });
                    }
                    other => {
                        let message = format!(
                            "`#[{attribute}]` needs a name for each argument: take this one apart in the function"
                        );
                        return Err(syn::Error::new(other.span(), message));
                    }
                },
            }
        }
        Ok(arguments)
    }

    /// The names that a template may say.
    pub(crate) fn names(&self) -> Vec<String> {
        let receiver = self.receiver.then(|| "self".to_owned());
        let names = self.all.iter().map(|argument| argument.name.to_string());
        receiver.into_iter().chain(names).collect()
    }

    /// An expression of the cache to use: an `Option<&Larder>`. What it borrows is bound by the statements beside it.
    pub(crate) fn handle(&self, named: Option<&Expr>) -> (TokenStream, TokenStream) {
        let owned = |larder: TokenStream| {
            (
                quote!(let __owned_larder = #larder;),
                quote!(::larder::__private::Handle::handle(&__owned_larder)),
            )
        };
        if let Some(named) = named {
            // Cloned: what it is a part of may be moved into the function.
            return owned(quote!(::larder::__private::Handle::handle(&#named).cloned()));
        }
        if let Some(argument) = self.all.iter().find(|argument| argument.is_larder()) {
            let name = &argument.name;
            if argument.is_reference() {
                return (
                    TokenStream::new(),
                    quote!(::core::option::Option::Some(::larder::HasLarder::larder(#name))),
                );
            }
            return (
                quote!(let __owned_larder = ::core::clone::Clone::clone(&#name);),
                quote!(::core::option::Option::Some(::larder::HasLarder::larder(
                    &__owned_larder
                ))),
            );
        }
        if self.receiver {
            let this = if self.owns { quote!(&self) } else { quote!(self) };
            return (
                TokenStream::new(),
                quote!(::core::option::Option::Some(::larder::HasLarder::larder(#this))),
            );
        }
        owned(quote!(::larder::Larder::in_scope()))
    }
}

/// What a function returns, as far as an attribute cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Returns {
    pub(crate) result: bool,
    pub(crate) option: bool,
}

impl Returns {
    /// Told by the last names in the type: `Result<T, E>`, `Option<T>`, `io::Result<Option<T>>`.
    pub(crate) fn read(output: &ReturnType) -> Self {
        let ReturnType::Type(_, ty) = output else {
            return Self {
                result: false,
                option: false,
            };
        };
        let inner = generic(ty, "Result");
        let option = generic(inner.as_ref().unwrap_or(ty), "Option");
        Self {
            result: inner.is_some(),
            option: option.is_some(),
        }
    }
}

/// The first type in the brackets of a type that is called `name`.
fn generic(ty: &Type, name: &str) -> Option<Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    })
}

/// Refuses functions that are not async, with what to do.
pub(crate) fn must_be_async(function: &ItemFn, attribute: &str, advice: &str) -> Result<()> {
    if function.sig.asyncness.is_some() {
        return Ok(());
    }
    let span: Span = function.sig.fn_token.span();
    let message = format!(
        "`#[{attribute}]` needs an `async fn`: a function that blocks would hold up its thread while it waits for the cache. \
         {advice}"
    );
    Err(syn::Error::new(span, message))
}
