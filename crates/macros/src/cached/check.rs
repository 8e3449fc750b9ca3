//! What is refused: what would make a wrong key, and options that would do nothing.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Result, ReturnType, Type};

use super::expand::Cached;
use crate::signature::Argument;

impl Cached {
    /// What would make a wrong key, or an option that does nothing.
    pub(super) fn check(&self) -> Result<()> {
        let fail = |span: Span, message: String| Err(syn::Error::new(span, message));
        let names = self.arguments.names();
        if let Some(skipped) = self
            .options
            .skip
            .iter()
            .find(|skipped| !names.contains(&skipped.to_string()))
        {
            return fail(
                skipped.span(),
                format!("the function has no argument `{skipped}`"),
            );
        }
        let skipped = |name: &str| self.options.skip.iter().any(|skipped| skipped == name);
        if let Some(key) = &self.key {
            let span = self
                .options
                .key
                .as_ref()
                .map_or_else(Span::call_site, Spanned::span);
            if let Some(both) = self.options.skip.iter().find(|name| key.says(&name.to_string())) {
                return fail(
                    both.span(),
                    format!("`{both}` is in the key, and is to be skipped"),
                );
            }
            let forgotten = |argument: &&Argument| {
                let name = argument.name.to_string();
                !argument.is_larder() && !key.says(&name) && !skipped(&name)
            };
            if let Some(forgotten) = self.arguments.all.iter().find(forgotten) {
                let name = &forgotten.name;
                return fail(
                    span,
                    format!(
                        "the key does not say `{name}`: two calls that differ in it would share a result. Write \
                         `{{{name}}}` into the key, or `skip({name})` if the result does not depend on it"
                    ),
                );
            }
        } else if self.arguments.receiver && !skipped("self") {
            return fail(
                self.function.sig.ident.span(),
                "`self` is not a part of the key: write `skip(self)` if the result does not depend on it, or say what \
                 the key is, such as `key = \"{self.tenant}:{id}\"`"
                    .to_owned(),
            );
        }
        self.check_output()
    }

    /// Options that are for other kinds of results.
    fn check_output(&self) -> Result<()> {
        let fail = |span: Span, message: String| Err(syn::Error::new(span, message));
        if self.options.cache_none.is_some() && !self.returns.option {
            return fail(
                self.function.sig.output.span(),
                "`cache_none` is for functions that return an `Option`, or a `Result` of one".to_owned(),
            );
        }
        if !self.returns.result {
            for (name, said) in [
                ("cache_err", self.options.cache_err.is_some()),
                ("timeout", self.options.timeout.is_some()),
                ("stale_if_error", self.options.stale_if_error.is_some()),
            ] {
                if said {
                    let message = format!("`{name}` is for functions that return a `Result`");
                    return fail(self.function.sig.output.span(), message);
                }
            }
        }
        if let ReturnType::Type(_, ty) = &self.function.sig.output
            && matches!(**ty, Type::ImplTrait(_))
        {
            return fail(ty.span(), "what is kept needs a type with a name".to_owned());
        }
        Ok(())
    }
}
