//! The published crates: each must build alone, and the packages must be fit to upload.

use std::time::{SystemTime, UNIX_EPOCH};

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
///
/// In a target folder of its own each time: cargo unpacks what depends on each other into its home, in a place that it finds
/// by the path of that folder, and takes what lies there already for the same version. From an earlier run that is another
/// text.
pub(crate) fn packed(metadata: &Metadata) -> Step {
    let names = metadata
        .published()
        .flat_map(|package| ["--package", &package.name]);
    let arguments: Vec<&str> = ["package", "--allow-dirty"].into_iter().chain(names).collect();
    let all = metadata.target.join("packages");
    // What an earlier run left; where it cannot be removed it is only in nobody's way.
    let _ = std::fs::remove_dir_all(&all);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let own = all.join(format!("{}-{}", std::process::id(), now.as_nanos()));
    Step::cargo("packages", 900, &arguments).env("CARGO_TARGET_DIR", &own.display().to_string())
}
