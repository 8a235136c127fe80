//! A file that grows while it is read.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use same_file::Handle;

use crate::live::interrupt::Interrupt;

/// The time between two looks at a file without news.
const POLL: Duration = Duration::from_millis(50);

/// The time after an interrupt in which the file must not grow, so that it counts as ended.
const QUIET: Duration = Duration::from_millis(200);

/// A file that is read as it grows, until it is replaced, truncated, or an [`Interrupt`] ends it.
///
/// [`read`](Read::read) returns [`WouldBlock`](io::ErrorKind::WouldBlock) when it has waited for
/// new bytes. It returns 0 where the file ends: a program that rotates its captures has begun the
/// next file under the same name, or has truncated this one. [`next`](Self::next) continues with it.
/// A file that is truncated and outgrows its old length within 50 ms is taken for the old one.
#[derive(Debug)]
pub struct FollowedFile {
    path: PathBuf,
    file: File,
    read: u64,
    interrupt: Interrupt,
    /// When the file grew last, if an interrupt has been seen.
    quiet: Option<Instant>,
    has_next: bool,
}

impl FollowedFile {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: &Path, interrupt: Interrupt) -> io::Result<Self> {
        let file = File::open(path)?;
        Ok(Self { path: path.to_owned(), file, read: 0, interrupt, quiet: None, has_next: false })
    }

    /// Returns the file that replaces this one, once this one has ended. `None`: there is none,
    /// since an interrupt ended it.
    ///
    /// # Errors
    /// The next file cannot be opened.
    pub fn next(self) -> io::Result<Option<Self>> {
        if self.has_next { Self::open(&self.path, self.interrupt).map(Some) } else { Ok(None) }
    }

    /// Returns whether the path leads to another file, or the file is shorter than what was read.
    fn is_replaced(&mut self) -> io::Result<bool> {
        if self.file.metadata()?.len() < self.read {
            return Ok(true);
        }
        // While a program rotates, there is no file for a moment.
        let Ok(at_path) = Handle::from_path(&self.path) else { return Ok(false) };
        let own = Handle::from_file(self.file.try_clone()?)?;
        if at_path == own {
            return Ok(false);
        }
        // The old file may have grown after the last read and before it was replaced.
        let end = self.file.seek(io::SeekFrom::End(0))?;
        self.file.seek(io::SeekFrom::Start(self.read))?;
        Ok(end <= self.read)
    }
}

impl Read for FollowedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.has_next {
            return Ok(0);
        }
        let length = self.file.read(buffer)?;
        self.read += length as u64;
        if length > 0 || buffer.is_empty() {
            self.quiet = None;
            return Ok(length);
        }
        if self.is_replaced()? {
            self.has_next = true;
            return Ok(0);
        }
        if self.interrupt.is_requested() && self.quiet.get_or_insert_with(Instant::now).elapsed() >= QUIET {
            return Ok(0);
        }
        std::thread::sleep(POLL);
        Err(io::ErrorKind::WouldBlock.into())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    /// Reads until the file pauses or ends. Returns the bytes, and whether it has ended.
    fn read(file: &mut FollowedFile) -> (Vec<u8>, bool) {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return (bytes, true),
                Ok(length) => bytes.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return (bytes, false),
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn a_file_is_followed_while_it_grows_and_across_its_replacement() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pcap");
        let mut out = File::create(&path).unwrap();
        out.write_all(b"first").unwrap();
        let interrupt = Interrupt::default();
        let mut file = FollowedFile::open(&path, interrupt.clone()).unwrap();
        assert_eq!(read(&mut file), (b"first".to_vec(), false));
        assert_eq!(read(&mut file), (Vec::new(), false));
        out.write_all(b" second").unwrap();
        assert_eq!(read(&mut file), (b" second".to_vec(), false));
        fs::rename(&path, folder.path().join("a.pcap.1")).unwrap();
        assert_eq!(read(&mut file), (Vec::new(), false), "the next file is not there yet");
        out.write_all(b" third").unwrap();
        fs::write(&path, "next").unwrap();
        assert_eq!(read(&mut file), (b" third".to_vec(), true), "nothing of the old file is lost");
        let mut file = file.next().unwrap().expect("a next file");
        assert_eq!(read(&mut file), (b"next".to_vec(), false));
        interrupt.request();
        while !read(&mut file).1 {}
        assert!(file.next().unwrap().is_none());
    }

    #[test]
    fn a_truncated_file_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pcap");
        fs::write(&path, "a long first file").unwrap();
        let mut file = FollowedFile::open(&path, Interrupt::default()).unwrap();
        assert_eq!(read(&mut file).0, b"a long first file");
        let out = File::options().write(true).truncate(true).open(&path).unwrap();
        (&out).write_all(b"short").unwrap();
        assert_eq!(read(&mut file), (Vec::new(), true));
        let mut file = file.next().unwrap().expect("a next file");
        assert_eq!(read(&mut file), (b"short".to_vec(), false));
    }
}
