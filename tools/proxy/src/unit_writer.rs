//! Writes whole units: the lines of a log, the blocks of a recording.
//!
//! A disk that fills up takes a part of a write. The rest would be missing in the middle of a unit,
//! and what is written later would be joined to the part. So after an error the file is cut behind
//! the last whole unit. A pipe cannot be cut: there the rest of the unit is written before anything
//! else, as soon as something can be written.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// The number of bytes that a pipe takes as a whole or not at all (`PIPE_BUF`). So when a reader
/// stops, the bytes that it did not get are known exactly.
const PIPE_WRITE_MAX: usize = 4096;

/// A destination of bytes.
pub(crate) trait Target: Write + Send + 'static {
    /// Drops everything behind the first `length` bytes. Returns whether it did.
    fn cut(&mut self, length: u64) -> bool {
        let _ = length;
        false
    }

    /// Returns the maximum number of bytes of one write.
    fn write_max(&self) -> usize {
        usize::MAX
    }

    /// Continues in another file, behind its content.
    fn continue_in(&mut self, file: File) {
        drop(file);
    }
}

/// A file, a pipe or a terminal.
#[derive(Debug)]
pub(crate) struct FileTarget {
    file: File,
    is_regular: bool,
    /// Whether it was empty, so that a part of it may be cut away.
    is_own: bool,
}

impl FileTarget {
    /// A file that is empty.
    pub(crate) fn own(file: File) -> Self {
        let is_regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        Self { file, is_regular, is_own: is_regular }
    }

    /// Standard output. Somebody else may have written to it before.
    pub(crate) fn standard_output() -> io::Result<Self> {
        #[cfg(unix)]
        let file = File::from(std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned()?);
        #[cfg(windows)]
        let file = File::from(std::os::windows::io::AsHandle::as_handle(&io::stdout()).try_clone_to_owned()?);
        Ok(Self { is_own: false, ..Self::own(file) })
    }
}

impl Write for FileTarget {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Target for FileTarget {
    fn cut(&mut self, length: u64) -> bool {
        self.is_own && self.file.set_len(length).and_then(|()| self.file.seek(SeekFrom::Start(length))).is_ok()
    }

    fn write_max(&self) -> usize {
        if self.is_regular { usize::MAX } else { PIPE_WRITE_MAX }
    }

    fn continue_in(&mut self, file: File) {
        *self = Self::own(file);
    }
}

/// The places between two units, before and after a byte of the text. They are equal if the byte
/// begins a unit.
pub(crate) type Boundaries = (usize, usize);

/// A failed write.
#[derive(Debug)]
pub(crate) struct WriteError {
    /// The number of bytes that are written, or that will be written before anything else. They are
    /// whole units.
    pub(crate) kept: usize,
    pub(crate) error: io::Error,
}

/// Writes whole units to a target.
#[derive(Debug)]
pub(crate) struct UnitWriter<T> {
    target: T,
    /// The number of bytes in the target.
    length: u64,
    /// The end of a unit whose beginning was written.
    rest: Vec<u8>,
}

impl<T: Target> UnitWriter<T> {
    pub(crate) fn new(target: T) -> Self {
        Self { target, length: 0, rest: Vec::new() }
    }

    /// Returns the maximum number of bytes of one write.
    pub(crate) fn write_max(&self) -> usize {
        self.target.write_max()
    }

    /// Continues in another file, behind its content. The rest of a unit that was cut is dropped.
    pub(crate) fn continue_in(&mut self, mut file: File) {
        self.rest.clear();
        // A pipe has no length.
        self.length = file.seek(SeekFrom::End(0)).unwrap_or(0);
        self.target.continue_in(file);
    }

    /// Returns the number of bytes that the last unit of the target lacks.
    pub(crate) fn rest_len(&self) -> usize {
        self.rest.len()
    }

    /// Writes `bytes`, which are whole units. `boundaries` finds the ends of the unit around a
    /// place.
    pub(crate) fn write(&mut self, bytes: &[u8], boundaries: impl Fn(usize) -> Boundaries) -> Result<(), WriteError> {
        if !self.rest.is_empty() {
            let (written, result) = write_to(&mut self.target, &self.rest);
            self.rest.drain(..written);
            self.length += written as u64;
            result.map_err(|error| WriteError { kept: 0, error })?;
        }
        let (written, result) = write_to(&mut self.target, bytes);
        let Err(error) = result else {
            self.length += written as u64;
            return Ok(());
        };
        let (before, after) = boundaries(written);
        let kept = if written == before || self.target.cut(self.length + before as u64) {
            self.length += before as u64;
            before
        } else {
            self.length += written as u64;
            self.rest.extend_from_slice(&bytes[written..after]);
            after
        };
        Err(WriteError { kept, error })
    }
}

/// Writes as much as the target takes. Returns the number of bytes.
fn write_to(target: &mut impl Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < bytes.len() {
        match target.write(&bytes[written..]) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(length) => written += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, target.flush())
}

/// Targets for tests.
#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A disk with room for some bytes, which a test can change at any time.
    #[derive(Clone, Debug)]
    pub(crate) struct Disk {
        pub(crate) content: Arc<Mutex<Vec<u8>>>,
        pub(crate) room: Arc<Mutex<usize>>,
        /// Whether it behaves as a file, which can be cut.
        pub(crate) can_cut: bool,
    }

    impl Disk {
        pub(crate) fn new(room: usize, can_cut: bool) -> Self {
            Self { content: Arc::default(), room: Arc::new(Mutex::new(room)), can_cut }
        }

        pub(crate) fn content(&self) -> Vec<u8> {
            self.content.lock().unwrap().clone()
        }

        pub(crate) fn set_room(&self, room: usize) {
            *self.room.lock().unwrap() = room;
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut room = self.room.lock().unwrap();
            let length = bytes.len().min(*room);
            if length == 0 && !bytes.is_empty() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            *room -= length;
            self.content.lock().unwrap().extend_from_slice(&bytes[..length]);
            Ok(length)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Target for Disk {
        fn cut(&mut self, length: u64) -> bool {
            if self.can_cut {
                let mut content = self.content.lock().unwrap();
                *self.room.lock().unwrap() += content.len() - length as usize;
                content.truncate(length as usize);
            }
            self.can_cut
        }
    }

    /// The boundaries of units of four bytes.
    fn fours(at: usize) -> Boundaries {
        (at / 4 * 4, at.next_multiple_of(4))
    }

    #[test]
    fn a_full_file_ends_with_a_whole_unit_and_continues_with_one() {
        for room in 0..=12 {
            let disk = Disk::new(room, true);
            let mut writer = UnitWriter::new(disk.clone());
            let result = writer.write(b"aaaabbbbcccc", fours);
            assert_eq!(result.map_or_else(|error| error.kept, |()| 12), room / 4 * 4);
            assert_eq!(disk.content(), b"aaaabbbbcccc"[..room / 4 * 4]);
            disk.set_room(100);
            writer.write(b"dddd", fours).unwrap();
            assert_eq!(disk.content(), [&b"aaaabbbbcccc"[..room / 4 * 4], b"dddd"].concat());
        }
    }

    #[test]
    fn a_full_pipe_gets_the_rest_of_its_unit_first() {
        for room in 0..=12 {
            let disk = Disk::new(room, false);
            let mut writer = UnitWriter::new(disk.clone());
            let kept = writer.write(b"aaaabbbbcccc", fours).map_or_else(|error| error.kept, |()| 12);
            assert_eq!(kept, room.next_multiple_of(4));
            assert_eq!(writer.rest_len(), kept - room);
            if kept > room {
                assert_eq!(writer.write(b"eeee", fours).unwrap_err().kept, 0, "there is still no room");
            }
            disk.set_room(100);
            writer.write(b"dddd", fours).unwrap();
            assert_eq!(disk.content(), [&b"aaaabbbbcccc"[..kept], b"dddd"].concat());
        }
    }
}
