//! The claim of a run on a directory.
//!
//! A file marks a directory whose dataset is not complete, and the run that writes it holds a lock
//! on that file. The system drops the lock when the run ends, however it ends. So the next run
//! knows that the unfinished files are nobody's, and removes them.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The name of the summary until it is complete.
pub(super) const UNFINISHED_SUMMARY: &str = "._summary.json.unfinished";

/// The name of the file. Readers skip it.
const CLAIM: &str = ".enjamb.unfinished";

/// A directory in which this run writes a dataset.
pub(super) struct Claim {
    path: PathBuf,
    /// The lock.
    _file: File,
}

impl Claim {
    /// Claims `folder`, which is empty, or has only what an interrupted run left behind. That is
    /// removed.
    ///
    /// # Errors
    /// The directory contains something else, or another run is writing into it
    /// ([`io::ErrorKind::DirectoryNotEmpty`]); or it cannot be written.
    pub(super) fn take(folder: &Path) -> io::Result<Self> {
        let refuse = |reason: String| Err(io::Error::new(io::ErrorKind::DirectoryNotEmpty, reason));
        let path = folder.join(CLAIM);
        if !path.exists()
            && let Some(entry) = fs::read_dir(folder)?.next()
        {
            return refuse(format!("it is not empty: it contains {}", entry?.file_name().display()));
        }
        let file = File::options().create(true).truncate(false).write(true).open(&path)?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return refuse("another run is writing a dataset into it".to_owned());
        }
        let leftovers = match Leftovers::find(folder)? {
            Ok(leftovers) => leftovers,
            Err(foreign) => return refuse(format!("it is not empty: it contains {}", foreign.display())),
        };
        leftovers.remove()?;
        Ok(Self { path, _file: file })
    }

    /// Gives the directory up: its dataset is complete, or nothing of it is left.
    pub(super) fn end(&self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// The files and directories that an interrupted run left behind.
#[derive(Default)]
struct Leftovers {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Leftovers {
    /// Finds everything in `folder`. The inner error is the path of a file that is no leftover.
    fn find(folder: &Path) -> io::Result<Result<Self, PathBuf>> {
        let mut found = Self::default();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name == CLAIM {
                continue;
            } else if name == UNFINISHED_SUMMARY {
                found.files.push(entry.path());
            } else if name.starts_with("protocol=") && entry.file_type()?.is_dir() {
                for part in fs::read_dir(entry.path())? {
                    let part = part?;
                    let name = part.file_name();
                    let name = name.to_string_lossy();
                    let name =
                        name.strip_prefix('.').and_then(|rest| rest.strip_suffix(".unfinished")).unwrap_or(&name);
                    if !(name.starts_with("part-") && name.ends_with(".parquet")) {
                        return Ok(Err(part.path()));
                    }
                    found.files.push(part.path());
                }
                found.folders.push(entry.path());
            } else {
                return Ok(Err(entry.path()));
            }
        }
        Ok(Ok(found))
    }

    fn remove(&self) -> io::Result<()> {
        self.files.iter().try_for_each(fs::remove_file)?;
        self.folders.iter().try_for_each(fs::remove_dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_of_an_interrupted_run_are_removed_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let leave_behind = || {
            fs::create_dir_all(path("protocol=redis")).unwrap();
            for name in [
                CLAIM,
                UNFINISHED_SUMMARY,
                "protocol=redis/.part-00000.parquet.unfinished",
                "protocol=redis/part-00001.parquet",
            ] {
                fs::write(path(name), b"x").unwrap();
            }
        };
        leave_behind();
        let claim = Claim::take(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "only the claim is left");
        let error = Claim::take(folder.path()).err().unwrap();
        assert!(error.to_string().contains("another run"), "{error}");
        claim.end().unwrap();
        drop(claim);
        for foreign in ["notes.txt", "_summary.json", "protocol=redis/mine.parquet"] {
            leave_behind();
            fs::write(path(foreign), b"mine").unwrap();
            let error = Claim::take(folder.path()).err().unwrap();
            assert_eq!(error.kind(), io::ErrorKind::DirectoryNotEmpty);
            assert!(path("protocol=redis/part-00001.parquet").exists(), "nothing is removed beside {foreign}");
            fs::remove_file(path(foreign)).unwrap();
        }
        fs::remove_file(path(CLAIM)).unwrap();
        assert!(Claim::take(folder.path()).is_err(), "without the claim, nobody knows whose the files are");
    }
}
