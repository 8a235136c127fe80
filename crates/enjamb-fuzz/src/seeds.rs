//! The committed inputs of the targets.

use std::io;
use std::path::{Path, PathBuf};

/// Returns the folder of the fuzz targets.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// Returns the seeds of a target with their file names, in order.
///
/// # Errors
/// The folder cannot be read.
pub fn seeds(target: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    files(&folder().join("seeds").join(target))
}

/// Returns the files of a folder with their names, in order.
///
/// # Errors
/// The folder or a file cannot be read.
pub fn files(folder: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push((entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path())?));
        }
    }
    files.sort();
    Ok(files)
}
