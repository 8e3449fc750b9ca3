//! The attributes and derives of [`larder`](https://docs.rs/larder), which exports them; use them from there.

mod action;
mod cached;
mod fields;
mod invalidates;
mod key_part;
mod length;
mod signature;
#[cfg(test)]
mod snapshots;
mod tag;
mod template;

use proc_macro::TokenStream;

/// Keeps the results of an async function, and has each made by one of all who ask for it at the same time.
///
/// ```
/// use larder::{Larder, cached};
/// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// # struct Recruiter { id: u64 }
/// # #[derive(Debug)]
/// # struct DbError;
///
/// #[cached(key = "recruiter:{id}", ttl = "2h", tags = ["recruiters", "recruiter:{id}"])]
/// async fn recruiter(larder: &Larder, id: u64) -> Result<Recruiter, DbError> {
///     Ok(Recruiter { id }) // from the database
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), DbError> {
/// let larder = Larder::in_memory(1 << 20);
/// assert_eq!(recruiter(&larder, 7).await?.id, 7); // from the database
/// assert_eq!(recruiter(&larder, 7).await?.id, 7); // from memory
/// larder.invalidate_tag("recruiter:7").await.unwrap();
/// assert_eq!(recruiter(&larder, 7).await?.id, 7); // from the database
/// # Ok(()) }
/// ```
///
/// # Which cache
///
/// 1. The one that the attribute names: `larder = self.cache` (a `Larder`, an `Option` of one, or what has one).
/// 2. Else an argument whose type is `Larder` or `&Larder`.
/// 3. Else, in a method with `&self`, what `HasLarder` says for `Self`; where it says nothing, that is a compile error.
/// 4. Else that of the task, which `Larder::scope_layer` or `Larder::scope` set. Without one the function runs uncached,
///    and a warning says so.
///
/// # What is kept
///
/// Of a `Result` what is `Ok`, of an `Option` what is `Some`, of a `Result` of an `Option` what is both; else whatever is
/// returned. What is kept must be `Clone`, and with the codecs `json` and `postcard` also `Serialize` and
/// `DeserializeOwned`.
///
/// # Options
///
/// | Option | Value | Default | Is |
/// |---|---|---|---|
/// | `key` | a template | module path, name and all arguments | the key of a result; each `{arg}`, `{arg.field}` or `{self.field}` is written by `Display` and told apart from its neighbours. An argument that is not in it must be in `skip` |
/// | `skip` | `(pool, self)` | none | arguments that the result does not depend on |
/// | `tags` | `["all", "one:{id}"]` | none | the names under which a result is forgotten |
/// | `name` | a text | the path of the function | a part of the key, the label of the metrics, and `Tag::layer(name)`; functions with one name share results |
/// | `ttl` | `"90s"`, `"5m"`, `"2h"`, `"1d"`, or `"short"`, `"medium"`, `"long"`, `"very_long"` | `"medium"` | how long a result is fresh |
/// | `jitter` | 0 to 1 | 0 | the part of the lifetime by which it is shortened at random |
/// | `stale_while_revalidate` | as `ttl` | none | how long after that it is served while it is made anew in the background |
/// | `stale_if_error` | as `ttl` | none | how long after the lifetime it stands in for an `Err` |
/// | `early_refresh` | above 0 | none | how eagerly it is made anew in the background before its end (XFetch) |
/// | `cache_none` | as `ttl` | not kept | how long a `None` is kept |
/// | `cache_err` | as `ttl` | not kept | how long an `Err` is kept, which must then be as an `Ok` |
/// | `soft_timeout` | a length | none | how long a call waits when it has a stale result to fall back on |
/// | `timeout` | a length | none | how long the function may take; then it is an error made of `larder::TimedOut` |
/// | `wait` | a length | `"5s"` | how long a call waits for another's result before it makes its own |
/// | `one_fill` | `"in_process"`, `"everywhere"`, `"automatic"` | `"automatic"` | among whom there is one run for a key at a time, where the store is one of several processes: `larder::OneFill` |
/// | `background_timeout` | a length | `"30s"` | how long it may take in the background |
/// | `blocking` | nothing | off | the body blocks, and has no `.await`: that of an `async fn` runs on a thread that may block, that of a plain `fn` on its caller's |
/// | `codec` | `"json"`, `"postcard"`, `"in_process"` | `"json"` | what a result is for a store outside the process |
/// | `weigh` | a path of `fn(&T) -> usize` | | with `codec = "in_process"`: about how many bytes a result takes |
/// | `version` | a number | 0 | to be changed when results of before must not be used any more though their type is the same |
/// | `larder` | an expression | see above | the cache |
///
/// With one of `stale_while_revalidate`, `early_refresh` and `soft_timeout` the function may run in the background: then
/// `Self` and what is behind references among its arguments are cloned when that begins, and must be `Send + 'static`.
///
/// # A body that blocks
///
/// A body that reads files, asks a database without async or computes for long holds up its thread, and with it all that
/// runs there. With `blocking` it is written as a sync body, and runs in `tokio::task::spawn_blocking`; callers await the
/// function as any other, so that nothing can wait for itself. Its arguments are cloned as for the background. Once begun
/// it cannot be stopped: when its caller leaves, or its `timeout` is over, it goes on; in the first case its result is kept,
/// if it comes within `background_timeout`.
///
/// ```
/// use larder::{Larder, cached};
///
/// #[cached(key = "{path}", ttl = "long", blocking)]
/// async fn size(larder: &Larder, path: &str) -> Result<u64, std::io::Error> {
///     Ok(std::fs::metadata(path)?.len())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), std::io::Error> {
/// assert!(size(&Larder::in_memory(1 << 20), "Cargo.toml").await? > 0);
/// # Ok(()) }
/// ```
///
/// A plain `fn` with `blocking` is for callers that are not async. A hit is answered at once. For a miss the thread waits for
/// another's run, or runs the body itself; nothing is cloned for that, except where an option (`timeout`, or one of those
/// for the background) has the body run elsewhere, as that of an `async fn` does. It works on plain threads, if the Larder
/// was made within a tokio runtime or the thread is in one; in `spawn_blocking`; and on the workers of a runtime with several
/// threads. On the only thread of a runtime, or in a `LocalSet`, it panics and says what to do, for what it waits for could not
/// go on. A function that waits for itself, with an equal key, runs once more after `wait`.
///
/// ```
/// use larder::{Larder, cached};
///
/// #[cached(key = "{path}", ttl = "long", blocking)]
/// fn size(larder: &Larder, path: &str) -> Result<u64, std::io::Error> {
///     Ok(std::fs::metadata(path)?.len())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let larder = Larder::in_memory(1 << 20);
/// let size = tokio::task::spawn_blocking(move || size(&larder, "Cargo.toml")).await;
/// assert!(size.unwrap().unwrap() > 0);
/// # }
/// ```
///
/// # What it does not do
///
/// What is a `Result` or an `Option` is told by its name in the signature, with the value as its first type parameter. Under
/// an alias of another name it is kept whole, errors as well.
///
/// The path of an associated function without `self` does not hold the type parameters of its `impl`: give such a one a
/// `&self`, or make it a function with type parameters of its own.
#[proc_macro_attribute]
pub fn cached(options: TokenStream, function: TokenStream) -> TokenStream {
    answer(cached::attribute(options.into(), function.into()))
}

/// Forgets what is kept under the names given here, after the function succeeded: it returned, and not `Err`.
///
/// The names are templates of `{arg}`, `{arg.field}` and `{self.field}`. `action = RecruiterChanged { id }` says what
/// happens instead, and forgets what that [`Action`](macro@Action) makes stale; there may be several. Both are made before
/// the function begins, so it may consume its arguments: one that is a field of an action, or whose field is, is cloned.
/// Which cache: as [`macro@cached`] says.
///
/// A function that succeeded and whose invalidation failed has done its work: the error is logged, and not the function's.
/// So is that of an action with a value that is empty, or would make a path mean another.
/// Where that is not enough, call `Larder::invalidate_tags` at the end of the function yourself.
///
/// ```
/// use larder::{Larder, invalidates};
/// # struct Recruiter { id: u64 }
/// # #[derive(Debug)]
/// # struct DbError;
///
/// #[invalidates("recruiters", "recruiter:{recruiter.id}")]
/// async fn save(larder: &Larder, recruiter: Recruiter) -> Result<(), DbError> {
///     Ok(drop(recruiter)) // to the database
/// }
/// # let _ = save(&Larder::in_memory(1 << 20), Recruiter { id: 7 });
/// ```
///
/// ```
/// use larder::{Action, Larder, invalidates};
/// # #[derive(Debug)]
/// # struct DbError;
///
/// #[derive(Action)]
/// #[action("recruiter.change", forgets("recruiters", "recruiter:{id}"))]
/// struct RecruiterChanged { id: u64 }
///
/// #[invalidates(action = RecruiterChanged { id })]
/// async fn rename(larder: &Larder, id: u64, name: String) -> Result<(), DbError> {
///     # let _ = id;
///     Ok(drop(name)) // to the database
/// }
/// # let _ = rename(&Larder::in_memory(1 << 20), 7, String::new());
/// ```
#[proc_macro_attribute]
pub fn invalidates(options: TokenStream, function: TokenStream) -> TokenStream {
    answer(invalidates::attribute(options.into(), function.into()))
}

/// Makes a type a part of keys: all its fields, and of an enum the variant, each told apart from the next.
///
/// ```
/// use larder::KeyPart;
///
/// #[derive(KeyPart)]
/// struct Page { number: u32, order: Order }
///
/// #[derive(KeyPart)]
/// enum Order { ByName, Near { latitude: f64, longitude: f64 } }
/// ```
#[proc_macro_derive(KeyPart)]
pub fn key_part(item: TokenStream) -> TokenStream {
    answer(key_part::derive(item.into()))
}

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
    answer(action::expand(&syn::parse_macro_input!(input)))
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
    answer(tag::expand(&syn::parse_macro_input!(input)))
}

fn answer(written: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    written.unwrap_or_else(syn::Error::into_compile_error).into()
}
