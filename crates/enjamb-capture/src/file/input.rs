//! The bytes of a capture: a window over a reader that returns pieces of any size, decompressed
//! where needed.
//!
//! The block parsers of `pcap-parser` take a slice that holds a whole block. The readers of that
//! crate give up when the first read is short, as it is from a pipe. So this crate has a window of
//! its own: it is filled until a block is whole, grows for a long block up to [`LONGEST_BLOCK`],
//! and counts its offset in the file.

use std::io::{self, Read};

use crate::error::{CaptureError, CaptureErrorKind};
use crate::file::block::{Block, SpareBlocks};
use crate::file::compression::Source;

/// The longest block or packet that is read: 16 MiB. A greater length is treated as damage. The
/// longest real packets (IPv6 jumbograms of segmentation offload) have some hundred KiB.
pub const LONGEST_BLOCK: usize = 16 << 20;

/// The number of bytes that are read at once.
const WINDOW: usize = 128 << 10;

/// The number of bytes that show whether a file is compressed.
const MAGIC: u64 = 4;

pub(crate) struct Input<R: Read> {
    source: Source<R>,
    /// The block that the window is in.
    block: Block,
    spare: SpareBlocks,
    start: usize,
    end: usize,
    offset: u64,
    /// Whether a source that has no bytes for now is an error. Otherwise it is read again.
    pauses: bool,
}

impl<R: Read> Input<R> {
    /// Reads the first bytes of `source`, and decompresses the rest if they begin a compressed
    /// file.
    pub(crate) fn new(mut source: R) -> Result<Self, CaptureError> {
        let mut first = Vec::with_capacity(MAGIC as usize);
        loop {
            // After an error, the bytes before it are in `first`.
            match source.by_ref().take(MAGIC - first.len() as u64).read_to_end(&mut first) {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(CaptureError::new(0, CaptureErrorKind::Io(error))),
            }
        }
        let source = Source::new(first, source);
        let mut spare = SpareBlocks::default();
        let block = spare.exchange(Block::default(), 0..0, WINDOW);
        Ok(Self { source, block, spare, start: 0, end: 0, offset: 0, pauses: false })
    }

    /// From now on, a source that has no bytes for now is an error, after which reading can go on.
    pub(crate) fn set_pauses(&mut self) {
        self.pauses = true;
    }

    /// The bytes in the window.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.block.bytes()[self.start..self.end]
    }

    /// The block that the bytes in the window are in.
    pub(crate) fn block(&self) -> &Block {
        &self.block
    }

    /// Removes the first `length` bytes from the window, which must hold as many.
    pub(crate) fn consume(&mut self, length: usize) {
        let length = length.min(self.end - self.start);
        self.start += length;
        self.offset += length as u64;
    }

    /// Fills the window with at least `length` bytes of `part`. Returns `false` if the file ends
    /// before.
    pub(crate) fn fill(&mut self, length: usize, part: &'static str) -> Result<bool, CaptureError> {
        if length > LONGEST_BLOCK {
            return Err(self.error(CaptureErrorKind::TooLong { part, length: length as u64 }));
        }
        while self.end - self.start < length {
            let Some(window) = self.block.bytes_mut() else {
                // Somebody still reads this block, so the rest of it goes to another one.
                let block = std::mem::take(&mut self.block);
                let size = WINDOW.max(self.end - self.start);
                self.block = self.spare.exchange(block, self.start..self.end, size);
                (self.start, self.end) = (0, self.end - self.start);
                continue;
            };
            if self.start > 0 && window.len() - self.start < length.max(WINDOW / 2) {
                window.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            // The window grows as bytes arrive, so that a damaged length costs no more memory than
            // the file has bytes.
            if self.end == window.len() {
                let grown = (window.len() * 2).min(LONGEST_BLOCK + WINDOW);
                window.resize(grown, 0);
            }
            match self.source.read(&mut window[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.pauses {
                        return Err(self.error(CaptureErrorKind::Io(error)));
                    }
                }
                Err(error) => {
                    self.offset += (self.end - self.start) as u64;
                    return Err(self.error(self.source.explain(error)));
                }
            }
        }
        Ok(true)
    }

    /// Fills the window with `length` bytes of `part`. A file that ends earlier is truncated.
    pub(crate) fn require(&mut self, length: usize, part: &'static str) -> Result<(), CaptureError> {
        if self.fill(length, part)? {
            return Ok(());
        }
        let found = (self.end - self.start) as u64;
        Err(self.error(CaptureErrorKind::Truncated { part, expected: length as u64, found }))
    }

    /// Skips `length` bytes, in the window or not, without holding them.
    pub(crate) fn skip(&mut self, length: u64, part: &'static str) -> Result<(), CaptureError> {
        let begin = self.offset;
        let mut left = length;
        // It is not known later how much was skipped.
        let pauses = std::mem::take(&mut self.pauses);
        while left > 0 {
            if self.start == self.end && !self.fill(1, part)? {
                let kind = CaptureErrorKind::Truncated { part, expected: length, found: length - left };
                return Err(CaptureError::new(begin, kind));
            }
            let now = left.min((self.end - self.start) as u64);
            self.consume(now as usize);
            left -= now;
        }
        self.pauses = pauses;
        Ok(())
    }

    /// An error at the beginning of the window.
    pub(crate) fn error(&self, kind: CaptureErrorKind) -> CaptureError {
        CaptureError::new(self.offset, kind)
    }
}
