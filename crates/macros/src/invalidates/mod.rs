//! `#[invalidates]`: forgets what is kept under some names, or what an action makes stale, after a function succeeded.

mod options;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ItemFn, Result, ReturnType};

use crate::signature::{Arguments, Returns, must_be_async};
use crate::template::Template;
use options::{Options, captured};

/// Writes the function anew.
pub(crate) fn attribute(options: TokenStream, function: TokenStream) -> Result<TokenStream> {
    let function: ItemFn = syn::parse2(function)?;
    let options: Options = syn::parse2(options)?;
    must_be_async(
        &function,
        "invalidates",
        "Make it async, and do what blocks in `tokio::task::spawn_blocking`",
    )?;
    let arguments = Arguments::read_any(&function, "invalidates")?;
    let names = arguments.names();
    let forgetting = Forgetting::of(&options, &names)?;
    let Forgetting { captures, calls } = &forgetting;
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
            #captures
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
                #calls
            }
            __returned
        }
    })
}

/// What is to be forgotten: captured before the function, and forgotten after it.
struct Forgetting {
    captures: TokenStream,
    calls: TokenStream,
}

impl Forgetting {
    fn of(options: &Options, names: &[String]) -> Result<Self> {
        let mut forgetting = Self {
            captures: TokenStream::new(),
            calls: TokenStream::new(),
        };
        if !options.tags.is_empty() {
            let tags = options
                .tags
                .iter()
                .map(|tag| Ok(Template::of_tag(tag)?.of_arguments(names)?.expression()))
                .collect::<Result<Vec<_>>>()?;
            let tags = quote!(::std::vec![#(::larder::Tag::new(#tags)),*]);
            let ty = quote!(: ::std::vec::Vec<::larder::Tag>);
            forgetting.add(&Ident::new("__tags", Span::call_site()), &ty, &tags, "forget");
        }
        for (number, action) in options.actions.iter().enumerate() {
            let action: Expr = captured(action.clone(), names)?;
            let tags = quote_spanned!(action.span()=> ::larder::__private::tags_of(&#action));
            let name = format_ident!("__action_{number}");
            forgetting.add(&name, &TokenStream::new(), &tags, "forget_action");
        }
        Ok(forgetting)
    }

    fn add(&mut self, name: &Ident, ty: &TokenStream, tags: &TokenStream, call: &str) {
        let call = Ident::new(call, Span::call_site());
        self.captures.extend(quote!(let #name #ty = #tags;));
        self.calls
            .extend(quote!(::larder::__private::#call(__larder.as_ref(), #name).await;));
    }
}
