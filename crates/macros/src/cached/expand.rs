//! What is written for a cached function.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit_mut::VisitMut;
use syn::{FnArg, GenericParam, ItemFn, Lifetime, Result, ReturnType, Type};

use super::options::{Codec, Options};
use crate::signature::{Argument, Arguments, Returns, must_be_async};
use crate::template::Template;

/// A function and what is to be done with it.
pub(super) struct Cached {
    pub(super) options: Options,
    pub(super) function: ItemFn,
    pub(super) arguments: Arguments,
    pub(super) returns: Returns,
    pub(super) key: Option<Template>,
    tags: Vec<Template>,
}

pub(super) fn expand(options: Options, function: ItemFn) -> Result<TokenStream> {
    must_be_async(&function, "cached")?;
    let arguments = Arguments::read(&function, "cached")?;
    let names = arguments.names();
    let key = options
        .key
        .as_ref()
        .map(|key| Template::read(key, &names))
        .transpose()?;
    let tags: Result<_> = options
        .tags
        .iter()
        .map(|tag| Template::read(tag, &names))
        .collect();
    let cached = Cached {
        returns: Returns::read(&function.sig.output),
        tags: tags?,
        key,
        arguments,
        options,
        function,
    };
    cached.check()?;
    Ok(cached.write())
}

impl Cached {
    /// Whether what is kept is the `Ok` of what is returned, and an `Err` goes past the cache.
    fn keeps_ok(&self) -> bool {
        self.returns.result && self.options.cache_err.is_none()
    }

    fn write(self) -> TokenStream {
        let ItemFn { attrs, vis, sig, .. } = &self.function;
        let mut signature = sig.clone();
        for input in &mut signature.inputs {
            if let FnArg::Typed(argument) = input
                && let syn::Pat::Ident(pat) = &mut *argument.pat
            {
                // It is the function within that changes them.
                pat.mutability = None;
            }
        }
        let (policy, codec, hints) = (self.policy(), self.codec(), self.hints());
        let (bound, larder) = self.arguments.handle(self.options.larder.as_ref());
        let (key, tags, fill) = (self.key(), self.dynamic_tags(), self.fill());
        let names = self.arguments.all.iter().map(|argument| &argument.name);
        let method = match self.options.background {
            Some(_) => quote!(refresh),
            None => quote!(fill),
        };
        let made = quote! {
            __call.#method((#(#names,)*), #tags, #fill).await
        };
        let made = if self.keeps_ok() {
            made
        } else {
            quote!(::larder::__private::infallible(#made))
        };
        quote! {
            #(#attrs)*
            #vis #signature {
                fn __here() {}
                static __POLICY: ::std::sync::LazyLock<::larder::FillPolicy> =
                    ::std::sync::LazyLock::new(|| #policy);
                let __values = ::larder::Values::of_static(&__POLICY, #codec, #hints);
                #bound
                let __larder = #larder;
                let __call = ::larder::__private::Call::new(__larder, &#key, &__values);
                #made
            }
        }
    }

    /// An expression of the policy.
    fn policy(&self) -> TokenStream {
        let name = match &self.options.name {
            Some(name) => quote!(#name),
            None => quote!(::larder::__private::path_of(&__here)),
        };
        let setters = self
            .options
            .setters
            .iter()
            .map(|(setter, value)| quote!(.#setter(#value)));
        let tags = self
            .tags
            .iter()
            .filter_map(Template::plain)
            .map(|tag| quote!(.tag(#tag)));
        quote!(::larder::FillPolicy::new(#name) #(#setters)* #(#tags)*)
    }

    fn codec(&self) -> TokenStream {
        match (self.options.codec, &self.options.weigh) {
            (Codec::Json, _) => quote!(::larder::Codec::json()),
            (Codec::Postcard, _) => quote!(::larder::Codec::postcard()),
            (Codec::InProcess, weigh) => quote!(::larder::Codec::in_process(#weigh)),
        }
    }

    /// A function that says which values are kept for how long.
    fn hints(&self) -> TokenStream {
        let hints = quote!(::larder::CacheHints::new());
        let kept = |lifetime: &TokenStream| quote!(#hints.ttl(#lifetime));
        let none = match &self.options.cache_none {
            Some(ttl) => kept(ttl),
            None => quote!(#hints.no_store()),
        };
        let some = quote!(::core::option::Option::Some(_));
        let nothing = quote!(::core::option::Option::None);
        let err = self.options.cache_err.as_ref().map(kept);
        let arms = match (self.returns.option, err) {
            (false, None) => return quote!(|_| #hints),
            (true, None) => quote!(#some => #hints, #nothing => #none,),
            (false, Some(err)) => quote! {
                ::core::result::Result::Ok(_) => #hints,
                ::core::result::Result::Err(_) => #err,
            },
            (true, Some(err)) => quote! {
                ::core::result::Result::Ok(#some) => #hints,
                ::core::result::Result::Ok(#nothing) => #none,
                ::core::result::Result::Err(_) => #err,
            },
        };
        quote!(|__value| match __value { #arms })
    }

    /// An expression of the key: pairs of a part and all that follow it.
    fn key(&self) -> TokenStream {
        let mut parts: Vec<TokenStream> = Vec::new();
        if self.arguments.receiver {
            parts.push(quote!(::core::any::type_name::<Self>()));
        }
        parts.extend(
            self.function
                .sig
                .generics
                .params
                .iter()
                .filter_map(|param| match param {
                    GenericParam::Type(param) => {
                        let name = &param.ident;
                        Some(quote!(::core::any::type_name::<#name>()))
                    }
                    GenericParam::Const(param) => {
                        let name = &param.ident;
                        Some(quote!(::larder::__private::Text(&#name)))
                    }
                    GenericParam::Lifetime(_) => None,
                }),
        );
        match &self.key {
            Some(key) => parts.extend(key.parts()),
            None => {
                let skipped =
                    |argument: &Argument| argument.is_larder() || self.options.skip.contains(&argument.name);
                for argument in self.arguments.all.iter().filter(|argument| !skipped(argument)) {
                    let name = &argument.name;
                    if says_impl(&argument.ty) {
                        parts.push(quote!(::core::any::type_name_of_val(&#name)));
                    }
                    parts.push(quote_spanned!(argument.ty.span()=> &#name));
                }
            }
        }
        parts
            .into_iter()
            .rev()
            .fold(quote!(()), |rest, part| quote!((#part, #rest)))
    }

    /// A function from the arguments to the tags that they make.
    fn dynamic_tags(&self) -> TokenStream {
        let tags: Vec<&Template> = self.tags.iter().filter(|tag| tag.plain().is_none()).collect();
        if tags.is_empty() {
            return quote!(|_| ::std::vec::Vec::new());
        }
        let names = self.arguments.all.iter().map(|argument| {
            let name = argument.name.to_string();
            if tags.iter().any(|tag| tag.says(&name)) {
                let name = &argument.name;
                quote!(#name)
            } else {
                quote!(_)
            }
        });
        let tags = tags.iter().map(|tag| tag.text());
        quote!(|(#(#names,)*)| ::std::vec![#(::larder::Tag::new(#tags)),*])
    }

    /// A function from the arguments to the future that makes the value.
    fn fill(&self) -> TokenStream {
        let names = self.arguments.all.iter().map(|argument| {
            let (name, mutable) = (&argument.name, &argument.mutable);
            let mutable = mutable.filter(|_| self.options.background.is_none());
            quote!(#mutable #name)
        });
        let output = match &self.function.sig.output {
            ReturnType::Default => quote!(()),
            ReturnType::Type(_, ty) => quote!(#ty),
        };
        // Its statements, not the block: braces around a single expression are a warning.
        let statements = &self.function.block.stmts;
        let body = match self.options.background {
            None => quote!(#(#statements)*),
            Some(_) => renamed(quote!(#(#statements)*)),
        };
        // The cache is used even where the function does not name it.
        let larder = self.arguments.all.iter().filter(|argument| argument.is_larder());
        let larder = larder.map(|argument| &argument.name);
        // So that `?` and `return` know what they are to make, as in the function itself.
        let body = quote! {
            #[allow(unreachable_code, clippy::diverging_sub_expression)]
            if let ::core::option::Option::Some(__returned) = ::core::option::Option::None::<#output> {
                return __returned;
            }
            #(let _ = &#larder;)*
            #body
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
        if self.options.background.is_none() {
            return quote!(|(#(#names,)*)| async move { #body });
        }
        let (owned, borrowed) = self.owned();
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

fn says_impl(ty: &Type) -> bool {
    match ty {
        Type::ImplTrait(_) => true,
        Type::Reference(reference) => says_impl(&reference.elem),
        _ => false,
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
