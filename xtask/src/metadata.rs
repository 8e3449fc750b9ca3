//! What cargo knows about the workspace: its packages, their examples, and which of them use which.

use std::path::PathBuf;

use serde_json::Value;

use crate::failure::{Failure, Outcome, While};
use crate::program;

pub(crate) struct Metadata {
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) published: bool,
    /// Packages this one is built from; development dependencies are left out.
    pub(crate) uses: Vec<String>,
    pub(crate) examples: Vec<String>,
    pub(crate) folder: PathBuf,
}

impl Metadata {
    pub(crate) fn load() -> Outcome<Self> {
        let mut command = program::cargo(&["metadata", "--no-deps", "--format-version", "1"]);
        let output = command
            .output()
            .or_fail(|| "cannot start `cargo metadata`".to_owned())?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::new(format!("`cargo metadata` failed: {}", said.trim())));
        }
        Self::read(&output.stdout)
    }

    fn read(json: &[u8]) -> Outcome<Self> {
        let value: Value =
            serde_json::from_slice(json).or_fail(|| "cannot read `cargo metadata`".to_owned())?;
        let packages = list(&value["packages"])
            .map(Package::read)
            .collect::<Outcome<_>>()?;
        Ok(Self {
            target: text(&value["target_directory"])?.into(),
            packages,
        })
    }

    pub(crate) fn published(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.published)
    }

    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }
}

impl Package {
    fn read(value: &Value) -> Outcome<Self> {
        let mut folder = PathBuf::from(text(&value["manifest_path"])?);
        folder.pop();
        let built_from = list(&value["dependencies"]).filter(|used| used["kind"] != "dev");
        let has_kind = |target: &&Value, kind: &str| list(&target["kind"]).any(|is| is == kind);
        let examples = list(&value["targets"]).filter(|target| has_kind(target, "example"));
        Ok(Self {
            name: text(&value["name"])?,
            // Absent means everywhere, an empty list of registries nowhere.
            published: !value["publish"].as_array().is_some_and(Vec::is_empty),
            uses: built_from
                .map(|used| text(&used["name"]))
                .collect::<Outcome<_>>()?,
            examples: examples
                .map(|example| text(&example["name"]))
                .collect::<Outcome<_>>()?,
            folder,
        })
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> Outcome<String> {
    let found = value.as_str().map(str::to_owned);
    found.ok_or_else(|| {
        Failure::new(format!(
            "`cargo metadata` has {value} where a text belongs: is cargo too old?"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_read() {
        let metadata = Metadata::read(
            br#"{"target_directory": "/t", "packages": [
                {"name": "a", "manifest_path": "/w/a/Cargo.toml", "publish": null,
                 "dependencies": [{"name": "b", "kind": null}, {"name": "kit", "kind": "dev"}],
                 "targets": [{"name": "a", "kind": ["lib"]}, {"name": "show", "kind": ["example"]}]},
                {"name": "x", "manifest_path": "/w/x/Cargo.toml", "publish": [], "dependencies": [], "targets": []}]}"#,
        )
        .unwrap();
        let [a, x] = metadata.packages.as_slice() else {
            panic!("two packages")
        };
        assert_eq!(
            (a.uses.as_slice(), a.examples.as_slice()),
            (&["b".to_owned()][..], &["show".to_owned()][..])
        );
        assert_eq!(a.folder, PathBuf::from("/w/a"));
        assert!(a.published && !x.published);
    }
}
