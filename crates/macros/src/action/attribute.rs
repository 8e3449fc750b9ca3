//! What `#[action(…)]` says.

use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Ident, LitStr, Token, parenthesized};

use crate::fields::not_empty;
use crate::template::Template;

pub(crate) struct Attribute {
    pub(crate) name: LitStr,
    pub(crate) forgets: Vec<Target>,
}

/// A thing to be forgotten.
pub(crate) struct Target {
    pub(crate) kind: Kind,
    pub(crate) template: Template,
}

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Tag,
    Identity,
    Prefix,
    Uri,
    Layer,
}

impl Parse for Attribute {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(LitStr) {
            return Err(input.error("first comes the action's name, as a text: \"team.member.add\""));
        }
        let name = not_empty(input.parse()?, "the name of an action")?;
        let missing = "next comes what the action forgets: `, forgets(\"team:{team_id}\")`";
        if input.is_empty() {
            return Err(syn::Error::new(name.span(), missing));
        }
        input.parse::<Token![,]>()?;
        let word: Ident = input
            .parse()
            .map_err(|error| syn::Error::new(error.span(), missing))?;
        if word != "forgets" {
            return Err(syn::Error::new(word.span(), missing));
        }
        let content;
        parenthesized!(content in input);
        let forgets = Punctuated::<Target, Token![,]>::parse_terminated(&content)?;
        if forgets.is_empty() {
            return Err(syn::Error::new(
                word.span(),
                "this action forgets nothing: name a tag at least",
            ));
        }
        input.parse::<Option<Token![,]>>()?;
        if !input.is_empty() {
            return Err(input.error("nothing comes after `forgets(…)`"));
        }
        Ok(Self {
            name,
            forgets: forgets.into_iter().collect(),
        })
    }
}

impl Parse for Target {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) {
            return Ok(Self {
                kind: Kind::Tag,
                template: Template::of_tag(&input.parse()?)?,
            });
        }
        let expected = "expected a tag as a text, `identity(\"{user}\")`, `prefix(\"/path\")`, `uri(\"/path?query\")` or \
                        `layer(\"name\")`";
        let word: Ident = input
            .parse()
            .map_err(|error| syn::Error::new(error.span(), expected))?;
        let kind = match word.to_string().as_str() {
            "tag" => Kind::Tag,
            "identity" => Kind::Identity,
            "prefix" => Kind::Prefix,
            "uri" => Kind::Uri,
            "layer" => Kind::Layer,
            _ => return Err(syn::Error::new(word.span(), expected)),
        };
        let content;
        parenthesized!(content in input);
        let text: LitStr = content.parse()?;
        if matches!(kind, Kind::Prefix | Kind::Uri) && !text.value().starts_with('/') {
            return Err(syn::Error::new(text.span(), "a path begins with `/`"));
        }
        let template = Template::of_tag(&text)?;
        if matches!(kind, Kind::Layer) && template.placeholders().next().is_some() {
            return Err(syn::Error::new(
                template.text.span(),
                "the name of a layer has no placeholders",
            ));
        }
        Ok(Self { kind, template })
    }
}
