//! The body of a cached function, as the future that makes a value.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit_mut::VisitMut;
use syn::{Lifetime, ReturnType, Type};

use super::expand::Cached;

impl Cached {
    /// Whether the future that makes the value owns all that it needs.
    pub(super) fn owns(&self) -> bool {
        self.options.background.is_some() || self.options.blocking && !self.runs_here()
    }

    /// Whether it is a sync function whose body runs on the thread of its caller: nothing of it is to go on elsewhere.
    fn runs_here(&self) -> bool {
        self.is_sync() && self.options.background.is_none() && self.options.timeout.is_none()
    }

    /// Whether its callers wait on their threads.
    pub(super) fn is_sync(&self) -> bool {
        self.function.sig.asyncness.is_none()
    }

    /// A function from the arguments to the future that makes the value.
    pub(super) fn fill(&self) -> TokenStream {
        let names = self.arguments.all.iter().map(|argument| {
            let (name, mutable) = (&argument.name, &argument.mutable);
            let mutable = mutable.filter(|_| !self.owns());
            quote!(#mutable #name)
        });
        let output = match &self.function.sig.output {
            ReturnType::Default => quote!(()),
            ReturnType::Type(_, ty) => quote!(#ty),
        };
        let (owned, borrowed) = if self.owns() { self.owned() } else { <_>::default() };
        let (body, borrowed) = if self.runs_here() {
            let statements = self.statements();
            // A closure, so that there is no `.await` in it.
            let body = quote!(::larder::__private::here(move || -> #output { #statements }));
            (body, borrowed)
        } else if self.options.blocking {
            (self.blocking_body(&output, &borrowed), TokenStream::new())
        } else {
            (self.body(&output), borrowed)
        };
        let body = match &self.options.timeout {
            None => body,
            Some(limit) => quote!(::larder::__private::within(#limit, async move { #body }).await),
        };
        let body = if self.keeps_ok() {
            body
        } else {
            quote! {
                let __returned: #output = async move { #body }.await;
                ::core::result::Result::Ok::<_, ::core::convert::Infallible>(__returned)
            }
        };
        if !self.owns() {
            return quote!(|(#(#names,)*)| async move { #body });
        }
        quote! {
            |(#(#names,)*)| {
                #owned
                async move {
                    #borrowed
                    #body
                }
            }
        }
    }

    /// Its statements, not the block: braces around a single expression are a warning.
    fn statements(&self) -> TokenStream {
        let statements = &self.function.block.stmts;
        // The cache is used even where the function does not name it.
        let larder = self.arguments.all.iter().filter(|argument| argument.is_larder());
        let larder = larder.map(|argument| &argument.name);
        let statements = if self.owns() {
            renamed(quote!(#(#statements)*))
        } else {
            quote!(#(#statements)*)
        };
        quote!(#(let _ = &#larder;)* #statements)
    }

    fn body(&self, output: &TokenStream) -> TokenStream {
        let statements = self.statements();
        // So that `?` and `return` know what they are to make, as in the function itself.
        quote! {
            #[allow(unreachable_code, clippy::diverging_sub_expression)]
            if let ::core::option::Option::Some(__returned) = ::core::option::Option::None::<#output> {
                return __returned;
            }
            #statements
        }
    }

    /// The body on a thread that may block. It borrows there what it owns.
    fn blocking_body(&self, output: &TokenStream, borrowed: &TokenStream) -> TokenStream {
        let statements = self.statements();
        quote! {
            ::larder::__private::blocking(move || -> #output {
                #borrowed
                #statements
            })
            .await
        }
    }

    /// What is borrowed, owned by the future that may run in the background; and borrowed again within it.
    fn owned(&self) -> (TokenStream, TokenStream) {
        let (mut owned, mut borrowed) = (TokenStream::new(), TokenStream::new());
        if self.arguments.receiver {
            owned.extend(quote!(let __owned_self = ::core::clone::Clone::clone(self);));
            borrowed.extend(quote!(let __self = &__owned_self;));
        }
        for argument in &self.arguments.all {
            let (name, mutable) = (&argument.name, &argument.mutable);
            let Type::Reference(reference) = &argument.ty else {
                if mutable.is_some() {
                    borrowed.extend(quote!(let #mutable #name = #name;));
                }
                continue;
            };
            let hold = Ident::new(&format!("__owned_{name}"), name.span());
            let mut ty = (*reference.elem).clone();
            Elided.visit_type_mut(&mut ty);
            let span = argument.ty.span();
            owned.extend(quote_spanned!(span=> let #hold = ::std::borrow::ToOwned::to_owned(#name);));
            borrowed.extend(
                quote_spanned!(span=> let #mutable #name: &#ty = ::core::borrow::Borrow::borrow(&#hold);),
            );
        }
        (owned, borrowed)
    }
}

/// Leaves the lifetimes of a type to the compiler.
struct Elided;

impl VisitMut for Elided {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        *lifetime = Lifetime::new("'_", lifetime.span());
    }
}

/// The same with `__self` for `self`: a future that owns it has another.
fn renamed(tokens: TokenStream) -> TokenStream {
    let rename = |tree| match tree {
        TokenTree::Ident(ident) if ident == "self" => TokenTree::Ident(Ident::new("__self", ident.span())),
        TokenTree::Group(group) => {
            let mut renamed = Group::new(group.delimiter(), renamed(group.stream()));
            renamed.set_span(group.span());
            TokenTree::Group(renamed)
        }
        other => other,
    };
    tokens.into_iter().map(rename).collect()
}
