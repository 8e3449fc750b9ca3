//! The published crates: each must build alone, and the packages must be fit to upload.

use crate::metadata::Metadata;
use crate::step::Step;

/// Each published crate alone, bare and with all it has. In the whole workspace the features of one crate
/// are on because another asks for them, and hide what is missing.
pub(crate) fn alone(metadata: &Metadata) -> Vec<Step> {
    let kinds = [
        ("bare", "--no-default-features"),
        ("with all features", "--all-features"),
    ];
    let crates = metadata
        .published()
        .flat_map(|package| kinds.map(|kind| (package, kind)));
    crates
        .map(|(package, (kind, flag))| {
            Step::cargo(
                format!("{} {kind}", package.name),
                180,
                &["check", "--package", &package.name, flag],
            )
        })
        .collect()
}

/// Packs every published crate as for an upload, and builds each from nothing but its package.
pub(crate) fn packed(metadata: &Metadata) -> Step {
    let names = metadata
        .published()
        .flat_map(|package| ["--package", &package.name]);
    let arguments: Vec<&str> = ["package", "--allow-dirty"].into_iter().chain(names).collect();
    Step::cargo("packages", 300, &arguments)
}
