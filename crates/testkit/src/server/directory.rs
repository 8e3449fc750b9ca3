//! A private directory, removed with everything in it when dropped.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, process};

/// The longest path of a directory whose socket still fits into an address (104 bytes on some systems).
const LONGEST: usize = 80;

#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Creates a directory that only this user may enter.
    pub(super) fn create() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let name = format!(
                "larder-redis-{}-{}",
                process::id(),
                NEXT.fetch_add(1, Ordering::Relaxed)
            );
            let mut path = env::temp_dir().join(&name);
            if path.as_os_str().len() > LONGEST {
                path = Path::new("/tmp").join(&name);
            }
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                // Left by an earlier process of the same id: take the next name.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file that takes what the server prints.
    pub(super) fn log(&self) -> PathBuf {
        self.path.join("server.log")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Nothing to be done about a failure here, and no reason to fail a test that passed.
        let _ = fs::remove_dir_all(&self.path);
    }
}
