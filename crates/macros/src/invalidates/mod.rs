//! `#[invalidates]`: forgets what is kept under some names, after a function succeeded.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, Ident, ItemFn, LitStr, Result, ReturnType, Token};

use crate::signature::{Arguments, Returns, must_be_async};
use crate::template::Template;

/// What stands in the brackets of `#[invalidates(..)]`.
#[derive(Default)]
struct Options {
    tags: Vec<LitStr>,
    larder: Option<Expr>,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            if input.peek(LitStr) {
                options.tags.push(input.parse()?);
            } else {
                let name: Ident = input.parse()?;
                if name != "larder" || options.larder.is_some() {
                    let message = format!(
                        "`{name}` is not expected here: what stands here are names, such as \"recruiter:{{id}}\", and \
                         at most one `larder = ..`"
                    );
                    return Err(syn::Error::new(name.span(), message));
                }
                input.parse::<Token![=]>()?;
                options.larder = Some(input.parse()?);
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        if options.tags.is_empty() {
            return Err(
                input.error("what is to be forgotten? Say at least one name, such as \"recruiter:{id}\"")
            );
        }
        Ok(options)
    }
}

/// Writes the function anew.
pub(crate) fn attribute(options: TokenStream, function: TokenStream) -> Result<TokenStream> {
    let function: ItemFn = syn::parse2(function)?;
    let options: Options = syn::parse2(options)?;
    must_be_async(&function, "invalidates")?;
    let arguments = Arguments::read_any(&function, "invalidates")?;
    let names = arguments.names();
    let tags: Result<Vec<Template>> = options
        .tags
        .iter()
        .map(|tag| Template::read(tag, &names))
        .collect();
    let tags = tags?;
    let tags = tags.iter().map(Template::text);
    let (bound, larder) = arguments.handle(options.larder.as_ref());
    let named = arguments.all.iter().filter(|argument| argument.is_larder());
    let named = named.map(|argument| &argument.name);
    let ItemFn {
        attrs,
        vis,
        sig,
        block,
    } = &function;
    let statements = &block.stmts;
    let output = match &sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => quote!(#ty),
    };
    let succeeded = if Returns::read(&sig.output).result {
        quote!(::core::result::Result::is_ok(&__returned))
    } else {
        quote!(true)
    };
    Ok(quote! {
        #(#attrs)*
        #vis #sig {
            let __tags: ::std::vec::Vec<::larder::Tag> = ::std::vec![#(::larder::Tag::new(#tags)),*];
            #bound
            let __larder = ::core::option::Option::<&::larder::Larder>::cloned(#larder);
            let __returned: #output = async move {
                #[allow(unreachable_code, clippy::diverging_sub_expression)]
                if let ::core::option::Option::Some(__returned) = ::core::option::Option::None::<#output> {
                    return __returned;
                }
                #(let _ = &#named;)*
                #(#statements)*
            }
            .await;
            if #succeeded {
                ::larder::__private::forget(__larder, __tags).await;
            }
            __returned
        }
    })
}
