//! The server program: where it is, or what to install.

use std::env;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The environment variable that names the program.
const NAMED_BY: &str = "LARDER_REDIS_SERVER";

/// The programs that are looked for on the `PATH`.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

/// The program to start, or one line that says what to install.
pub(super) fn find() -> Result<PathBuf, String> {
    choose(env::var_os(NAMED_BY).as_deref(), env::var_os("PATH").as_deref())
}

fn choose(named: Option<&OsStr>, path: Option<&OsStr>) -> Result<PathBuf, String> {
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        return if is_program(&named) {
            Ok(named)
        } else {
            Err(format!(
                "{NAMED_BY} names {}, which is not a program: correct it, or unset it",
                named.display()
            ))
        };
    }
    let folders: Vec<PathBuf> = path
        .map(|path| env::split_paths(path).collect())
        .unwrap_or_default();
    let places = PROGRAMS
        .iter()
        .flat_map(|program| folders.iter().map(move |folder| folder.join(program)));
    places.into_iter().find(|place| is_program(place)).ok_or_else(|| {
        format!("no redis-server or valkey-server found: apt-get install redis-server, or set {NAMED_BY}")
    })
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|is| is.is_file() && is.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_server_one_line_says_what_to_install() {
        let missing = choose(None, Some(OsStr::new("/nonexistent"))).unwrap_err();
        assert_eq!(
            missing,
            "no redis-server or valkey-server found: apt-get install redis-server, or set LARDER_REDIS_SERVER"
        );
    }

    #[test]
    fn a_named_program_that_is_none_is_not_passed_over() {
        let wrong = choose(Some(OsStr::new("/nonexistent")), env::var_os("PATH").as_deref()).unwrap_err();
        assert!(
            wrong.starts_with("LARDER_REDIS_SERVER names /nonexistent"),
            "{wrong}"
        );
        assert!(!wrong.contains('\n'));
    }

    #[test]
    fn a_named_program_is_taken_over_the_path() {
        assert_eq!(
            choose(Some(OsStr::new("/bin/sh")), None),
            Ok(PathBuf::from("/bin/sh"))
        );
    }
}
