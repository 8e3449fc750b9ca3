//! The source files below a folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Outcome, While};

/// All `.rs` files below `folder`, in order; none when there is no such folder.
pub(crate) fn rust_files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::new();
    if folder.is_dir() {
        collect(folder, &mut files)?;
    }
    files.sort();
    Ok(files)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Outcome {
    let doing = || format!("cannot list {}", folder.display());
    for entry in fs::read_dir(folder).or_fail(doing)? {
        let path = entry.or_fail(doing)?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

pub(crate) fn read(file: &Path) -> Outcome<String> {
    fs::read_to_string(file).or_fail(|| format!("cannot read {}", file.display()))
}
