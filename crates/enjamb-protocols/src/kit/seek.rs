//! The search for the next place where a message begins.

use enjamb::Side;

use super::rules::{Rules, Seek};
use crate::sniff::Sniff;

/// The maximum number of bytes from which [`Rules::begins`] decides.
pub(super) const WINDOW_MAX: usize = 512;

/// A search: the bytes that may begin a message.
#[derive(Debug, Default)]
pub(super) struct Search {
    window: Vec<u8>,
    /// Whether the bytes up to the next line feed cannot begin a message.
    inside_line: bool,
}

/// The result of a search in some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A message begins this many bytes behind the beginning of the search's window. The window's
    /// own bytes from there on come first, then the rest of the chunk.
    At { skipped: u64, first: Vec<u8> },
    /// No message begins in the bytes that were skipped; the others wait for more.
    Nothing { skipped: u64 },
}

impl Search {
    /// Searches in the bytes of `chunk`, behind those that wait.
    pub(super) fn feed<R: Rules>(&mut self, rules: &R, side: Side, chunk: &mut &[u8]) -> Found {
        let mut skipped = 0;
        loop {
            if self.inside_line {
                // No byte waits inside a line.
                let Some(at) = memchr::memchr(b'\n', chunk) else {
                    skipped += chunk.len() as u64;
                    *chunk = &[];
                    return Found::Nothing { skipped };
                };
                skipped += at as u64 + 1;
                *chunk = &chunk[at + 1..];
                self.inside_line = false;
            }
            if self.window.is_empty() && chunk.is_empty() {
                return Found::Nothing { skipped };
            }
            let more = chunk.len().min(WINDOW_MAX - self.window.len());
            let waiting = self.window.len();
            let joined: &[u8] = if waiting == 0 {
                &chunk[..more]
            } else {
                self.window.extend_from_slice(&chunk[..more]);
                &self.window
            };
            match rules.begins(side, joined) {
                Sniff::Yes => {
                    let mut first = std::mem::take(&mut self.window);
                    first.truncate(waiting);
                    return Found::At { skipped, first };
                }
                Sniff::More if joined.len() < WINDOW_MAX => {
                    if waiting == 0 {
                        self.window.extend_from_slice(&chunk[..more]);
                    }
                    *chunk = &chunk[more..];
                    return Found::Nothing { skipped };
                }
                Sniff::More | Sniff::Maybe | Sniff::No => {
                    if waiting > 0 {
                        // The bytes of the chunk stay in the chunk.
                        self.window.truncate(waiting);
                    }
                    skipped += self.advance::<R>(chunk);
                }
            }
        }
    }

    /// Skips the bytes up to the next place. Returns their number.
    fn advance<R: Rules>(&mut self, chunk: &mut &[u8]) -> u64 {
        match R::SEEK {
            Seek::Bytes if self.window.is_empty() => {
                *chunk = &chunk[1..];
                1
            }
            Seek::Bytes => {
                self.window.remove(0);
                1
            }
            Seek::Lines => match memchr::memchr(b'\n', &self.window) {
                Some(at) => {
                    self.window.drain(..=at);
                    at as u64 + 1
                }
                None => {
                    self.inside_line = true;
                    let skipped = self.window.len() as u64;
                    self.window.clear();
                    skipped
                }
            },
        }
    }

    /// Returns the number of bytes that wait.
    pub(super) fn held(&self) -> usize {
        self.window.len()
    }
}
