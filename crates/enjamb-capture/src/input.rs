//! The bytes of a capture: a window over a reader that may give them in pieces of any size, inflated where needed.
//!
//! The block parsers of `pcap-parser` take a slice that holds the whole block, and its own readers give up when the
//! first read is short, as it is from a pipe. So the window is ours: it is filled until a block is whole, grows for a
//! long one up to [`LONGEST_BLOCK`], and knows its place in the file.

use std::io::{self, Read};

use crate::compression::Source;
use crate::fault::{Fault, Trouble};

/// The longest block or packet that is read, in bytes: 16 MiB. A length beyond it is taken for damage. The longest
/// packets there are (IPv6 jumbograms of segmentation offload) have some hundred KiB.
pub const LONGEST_BLOCK: usize = 16 << 20;

/// How much is read at once.
const WINDOW: usize = 128 << 10;

/// How many bytes tell what a file is.
const MAGIC: u64 = 4;

pub(crate) struct Input<R: Read> {
    source: Source<R>,
    window: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
}

impl<R: Read> Input<R> {
    /// Looks at the first bytes of `source`: what is compressed is decompressed.
    pub(crate) fn new(mut source: R) -> Result<Self, Fault> {
        let mut first = Vec::with_capacity(MAGIC as usize);
        let read = source.by_ref().take(MAGIC).read_to_end(&mut first);
        read.map_err(|error| Fault::new(0, Trouble::Io(error)))?;
        Ok(Self { source: Source::new(first, source), window: vec![0; WINDOW], start: 0, end: 0, offset: 0 })
    }

    /// The bytes in the window.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.window[self.start..self.end]
    }

    /// Passes over the first `length` bytes of the window, which holds as many.
    pub(crate) fn consume(&mut self, length: usize) {
        let length = length.min(self.end - self.start);
        self.start += length;
        self.offset += length as u64;
    }

    /// Makes the window hold `length` bytes. `false`: the file ends before.
    pub(crate) fn fill(&mut self, length: usize, what: &'static str) -> Result<bool, Fault> {
        if length > LONGEST_BLOCK {
            return Err(self.fault(Trouble::TooLong { what, length: length as u64 }));
        }
        while self.end - self.start < length {
            if self.start > 0 && self.window.len() - self.start < length.max(WINDOW / 2) {
                self.window.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            // Grown as the bytes come, so that a damaged length costs no more memory than the file has bytes.
            if self.end == self.window.len() {
                let grown = (self.window.len() * 2).min(LONGEST_BLOCK + WINDOW);
                self.window.resize(grown, 0);
            }
            match self.source.read(&mut self.window[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.offset += (self.end - self.start) as u64;
                    return Err(self.fault(self.source.trouble(error)));
                }
            }
        }
        Ok(true)
    }

    /// Makes the window hold `length` bytes of `what`; a file that ends before is cut.
    pub(crate) fn require(&mut self, length: usize, what: &'static str) -> Result<(), Fault> {
        if self.fill(length, what)? {
            return Ok(());
        }
        let found = (self.end - self.start) as u64;
        Err(self.fault(Trouble::Cut { what, expected: length as u64, found }))
    }

    /// Passes over `length` bytes, in the window or not, without holding them.
    pub(crate) fn skip(&mut self, length: u64, what: &'static str) -> Result<(), Fault> {
        let begin = self.offset;
        let mut left = length;
        while left > 0 {
            if self.start == self.end && !self.fill(1, what)? {
                let trouble = Trouble::Cut { what, expected: length, found: length - left };
                return Err(Fault::new(begin, trouble));
            }
            let now = left.min((self.end - self.start) as u64);
            self.consume(now as usize);
            left -= now;
        }
        Ok(())
    }

    /// Something is wrong with what begins where the window does.
    pub(crate) fn fault(&self, trouble: Trouble) -> Fault {
        Fault::new(self.offset, trouble)
    }
}
