//! What is written for some functions, as it reads: each is compared with a file in `snapshots`.
//!
//! `LARDER_SNAPSHOTS=write cargo test -p larder-macros` writes them anew; read what changed.

use std::path::Path;

use proc_macro2::TokenStream;
use quote::quote;

fn check(name: &str, written: syn::Result<TokenStream>) {
    let file: syn::File = syn::parse2(written.unwrap()).unwrap();
    let pretty = prettyplease::unparse(&file);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("snapshots/{name}.rs"));
    if std::env::var_os("LARDER_SNAPSHOTS").is_some_and(|value| value == "write") {
        std::fs::write(&path, &pretty).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(pretty, expected, "{} is another", path.display());
}

#[test]
fn a_function_with_templates() {
    let options = quote!(
        key = "recruiter:{id}",
        ttl = "2h",
        tags = ["recruiters", "recruiter:{id}"]
    );
    let function = quote! {
        /// Its documentation.
        pub async fn recruiter(larder: &Larder, id: u64) -> Result<Recruiter, DbError> {
            let row = query(id).await?;
            Ok(row.into())
        }
    };
    check("function", crate::cached::attribute(options, function));
}

#[test]
fn a_method_that_may_run_in_the_background() {
    let options = quote!(
        key = "{self.tenant}:{name}",
        ttl = "long",
        stale_while_revalidate = "5m",
        timeout = "2s",
        cache_none = "30s"
    );
    let method = quote! {
        async fn by_name(&self, name: &str) -> Result<Option<Recruiter>, DbError> {
            self.query(name).await
        }
    };
    check("method", crate::cached::attribute(options, method));
}

#[test]
fn all_arguments_and_kept_errors() {
    let options = quote!(skip(pool), codec = "in_process", weigh = size, cache_err = "5s");
    let function = quote! {
        async fn page<T: Row>(pool: &Pool, mut number: u32, size: usize) -> Result<Vec<T>, DbError> {
            number += 1;
            pool.page(number, size).await
        }
    };
    check("arguments", crate::cached::attribute(options, function));
}

#[test]
fn a_function_that_invalidates() {
    let function = quote! {
        async fn save(larder: &Larder, recruiter: Recruiter) -> Result<(), DbError> {
            insert(recruiter).await
        }
    };
    let options = quote!("recruiters", "recruiter:{recruiter.id}");
    check("invalidates", crate::invalidates::attribute(options, function));
}

#[test]
fn a_function_in_which_an_action_happens() {
    let method = quote! {
        async fn rename(&self, recruiter: Recruiter, by: &str) -> Result<(), DbError> {
            self.update(recruiter, by).await
        }
    };
    let options = quote!(
        "recruiters",
        action = RecruiterRenamed {
            by,
            id: recruiter.id,
            now: clock.now()
        },
        action = Seen
    );
    check("action", crate::invalidates::attribute(options, method));
}

#[test]
fn a_body_that_blocks() {
    let options = quote!(
        key = "{path}",
        skip(self),
        blocking,
        timeout = "2s",
        cache_none = "short"
    );
    let method = quote! {
        async fn read(&self, path: &Path) -> Result<Option<String>, io::Error> {
            self.root.read(path)
        }
    };
    check("blocking", crate::cached::attribute(options, method));
}

#[test]
fn a_function_that_is_not_async() {
    let function = quote! {
        fn size(larder: &Larder, path: &Path) -> Result<u64, io::Error> {
            Ok(std::fs::metadata(path)?.len())
        }
    };
    check("sync", crate::cached::attribute(quote!(blocking), function));
}

#[test]
fn a_type_that_is_a_part_of_keys() {
    let item = quote! {
        enum Order<T> {
            ByName,
            By(T),
            Near { latitude: f64, longitude: f64 },
        }
    };
    check("key_part", crate::key_part::derive(item));
}
