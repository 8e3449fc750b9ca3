//! What is written for a cached function.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, GenericParam, ItemFn, Result, Type};

use super::options::{Codec, Options};
use crate::signature::{Argument, Arguments, Returns, must_be_async};
use crate::template::{Argument as Place, Template};

/// A function and what is to be done with it.
pub(super) struct Cached {
    pub(super) options: Options,
    pub(super) function: ItemFn,
    pub(super) arguments: Arguments,
    pub(super) returns: Returns,
    pub(super) key: Option<Template<Place>>,
    tags: Vec<Template<Place>>,
}

pub(super) fn expand(options: Options, function: ItemFn) -> Result<TokenStream> {
    if !options.blocking {
        must_be_async(
            &function,
            "cached",
            "Write `#[cached(blocking)]`: its callers wait where a thread may block; or that and `async fn`: the body stays \
             as it is, and runs on a thread that may block",
        )?;
    }
    let arguments = Arguments::read(&function, "cached")?;
    let names = arguments.names();
    let key = options
        .key
        .as_ref()
        .map(|key| Template::read(key)?.of_arguments(&names))
        .transpose()?;
    let tags: Result<_> = options
        .tags
        .iter()
        .map(|tag| Template::of_tag(tag)?.of_arguments(&names))
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
    pub(super) fn keeps_ok(&self) -> bool {
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
            _ if self.options.blocking && self.owns() => quote!(outlive),
            Some(_) => quote!(refresh),
            None => quote!(fill),
        };
        let made = quote!(__call.#method((#(#names,)*), #tags, #fill));
        let made = if self.is_sync() {
            quote!(::larder::__private::answer(__larder, __call, |__call| #made))
        } else {
            quote!(#made.await)
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
        let tags: Vec<_> = self.tags.iter().filter(|tag| tag.plain().is_none()).collect();
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
        let tags = tags.iter().map(|tag| tag.expression());
        quote!(|(#(#names,)*)| ::std::vec![#(::larder::Tag::new(#tags)),*])
    }
}

fn says_impl(ty: &Type) -> bool {
    match ty {
        Type::ImplTrait(_) => true,
        Type::Reference(reference) => says_impl(&reference.elem),
        _ => false,
    }
}
