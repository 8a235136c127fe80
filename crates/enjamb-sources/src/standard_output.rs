//! Standard output.

use std::io::{self, Write as _};

/// Writes `text` to standard output, and flushes it.
///
/// A reader that has gone, `head` perhaps, is no error.
///
/// # Errors
/// The system refuses for another reason, such as a full disk.
pub fn print(text: impl AsRef<[u8]>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
