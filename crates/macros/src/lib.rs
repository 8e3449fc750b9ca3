//! The macros of Larder. They are part of the crate [`larder`](https://docs.rs/larder), whose paths they write.

mod action;
mod fields;
mod tag;
mod template;

use proc_macro::TokenStream;

/// Makes an action of a struct: something that happens, whose fields are its parameters.
///
/// `#[action("name", forgets(…))]` says what it is called and what it forgets. A text is a tag; `identity("{user}")`,
/// `prefix("/teams/{id}")`, `uri("/teams?page={page}")` and `layer("name")` are the other kinds. Each placeholder is a field
/// that implements `Display`; one that is not does not compile.
///
/// ```
/// use larder::{Action, Tag};
///
/// #[derive(Action)]
/// #[action("team.member.add", forgets("team:{team_id}", "ratings", identity("{user}")))]
/// struct TeamMemberAdded {
///     team_id: u64,
///     user: String,
/// }
///
/// let happened = TeamMemberAdded { team_id: 7, user: "ada".to_owned() };
/// let tags = happened.tags().unwrap();
/// assert_eq!(tags, [Tag::new("team:7"), Tag::new("ratings"), Tag::identity("ada")]);
/// ```
#[proc_macro_derive(Action, attributes(action))]
pub fn derive_action(input: TokenStream) -> TokenStream {
    written(action::expand(&syn::parse_macro_input!(input)))
}

/// Makes a tag of a struct: `#[tag("team:{team_id}")]`, each placeholder a field that implements `Display`.
///
/// Layers take its `TEMPLATE`, invalidations and hints its values:
///
/// ```
/// use larder::Tag;
///
/// #[derive(Tag)]
/// #[tag("team:{team_id}")]
/// struct Team {
///     team_id: u64,
/// }
///
/// assert_eq!(Team::TEMPLATE, "team:{team_id}");
/// assert_eq!(Tag::from(Team { team_id: 7 }), Tag::new("team:7"));
/// ```
#[proc_macro_derive(Tag, attributes(tag))]
pub fn derive_tag(input: TokenStream) -> TokenStream {
    written(tag::expand(&syn::parse_macro_input!(input)))
}

fn written(expanded: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    expanded.unwrap_or_else(syn::Error::into_compile_error).into()
}
