//! What stands in the brackets of `#[invalidates(..)]`.

use quote::{ToTokens, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Expr, Ident, LitStr, Result, Token};

use crate::template::told;

/// Names, actions, and the cache.
#[derive(Default)]
pub(super) struct Options {
    pub(super) tags: Vec<LitStr>,
    pub(super) actions: Vec<Expr>,
    pub(super) larder: Option<Expr>,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            if input.peek(LitStr) {
                options.tags.push(input.parse()?);
            } else {
                options.option(input)?;
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        if options.tags.is_empty() && options.actions.is_empty() {
            return Err(input.error(
                "what is to be forgotten? Say at least one name, such as \"recruiter:{id}\", or what happens, such as \
                 `action = RecruiterChanged { id }`",
            ));
        }
        Ok(options)
    }
}

impl Options {
    fn option(&mut self, input: ParseStream<'_>) -> Result<()> {
        let name: Ident = input.parse()?;
        match name.to_string().as_str() {
            "action" => {
                input.parse::<Token![=]>()?;
                self.actions.push(input.parse()?);
            }
            "larder" if self.larder.is_none() => {
                input.parse::<Token![=]>()?;
                self.larder = Some(input.parse()?);
            }
            _ => {
                let message = format!(
                    "`{name}` is not expected here: what stands here are names, such as \"recruiter:{{id}}\", actions, \
                     such as `action = RecruiterChanged {{ id }}`, and at most one `larder = ..`"
                );
                return Err(syn::Error::new(name.span(), message));
            }
        }
        Ok(())
    }
}

/// The same action with clones of the arguments that are its fields, or whose fields are: the function has them too.
pub(super) fn captured(mut action: Expr, names: &[String]) -> Result<Expr> {
    match &mut action {
        Expr::Struct(literal) => {
            for field in &mut literal.fields {
                if field.colon_token.is_none() && !is_of_argument(&field.expr, names) {
                    return Err(no_argument(&field.expr, names));
                }
                if is_of_argument(&field.expr, names) {
                    let span = field.member.span();
                    field.colon_token.get_or_insert(Token![:](span));
                    clone(&mut field.expr);
                }
            }
        }
        Expr::Call(call) => {
            let values = call.args.iter_mut();
            values
                .filter(|value| is_of_argument(value, names))
                .for_each(clone);
        }
        _ => {}
    }
    Ok(action)
}

fn no_argument(field: &Expr, names: &[String]) -> syn::Error {
    let field = field.to_token_stream();
    let message = format!("the function has no argument `{field}`; {}", told(names));
    syn::Error::new_spanned(field, message)
}

/// Whether it is an argument, or a field of one.
fn is_of_argument(value: &Expr, names: &[String]) -> bool {
    match value {
        Expr::Path(path) => path
            .path
            .get_ident()
            .is_some_and(|ident| names.iter().any(|name| ident == name)),
        Expr::Field(field) => is_of_argument(&field.base, names),
        _ => false,
    }
}

fn clone(value: &mut Expr) {
    let cloned = quote_spanned!(value.span()=> ::core::clone::Clone::clone(&#value));
    *value = Expr::Verbatim(cloned);
}
