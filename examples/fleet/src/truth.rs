//! The one truth: a file with the version of each row, in the place of a database.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How many rows there are.
pub const ROWS: u64 = 48;

/// The bytes of a row: its version, and the same once more with all bits turned.
const WIDTH: u64 = 16;

/// How often a row that is being written is read again.
const TRIES: usize = 1_000;

/// The versions of all rows, read by every instance and written by one process.
#[derive(Debug)]
pub struct Truth {
    file: File,
}

impl Truth {
    /// Makes the file, with version 0 of every row.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).open(path)?;
        let truth = Self { file };
        for row in 0..ROWS {
            truth.write(row, 0)?;
        }
        Ok(truth)
    }

    /// Opens the file for reading.
    ///
    /// # Errors
    /// When it is not there.
    pub fn open(path: &Path) -> io::Result<Self> {
        File::open(path).map(|file| Self { file })
    }

    /// The version of `row`.
    ///
    /// # Errors
    /// When the row is not there, or broken.
    pub fn version(&self, row: u64) -> io::Result<u64> {
        for _ in 0..TRIES {
            let mut bytes = [0; WIDTH as usize];
            self.file.read_exact_at(&mut bytes, row * WIDTH)?;
            let (version, turned) = bytes.split_at(8);
            if version.iter().zip(turned).all(|(one, other)| *one == !*other) {
                let version = version.try_into().unwrap_or_default();
                return Ok(u64::from_le_bytes(version));
            }
        }
        Err(io::Error::other(format!("row {row} of the truth is broken")))
    }

    /// Commits a version of `row`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, row: u64, version: u64) -> io::Result<()> {
        let mut bytes = [0; WIDTH as usize];
        bytes[..8].copy_from_slice(&version.to_le_bytes());
        bytes[8..].copy_from_slice(&(!version).to_le_bytes());
        self.file.write_all_at(&bytes, row * WIDTH)
    }
}
