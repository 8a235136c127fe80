//! A capture file as a sequence of packets, in any of the formats that are read.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use enjamb::Time;

use crate::error::{CaptureError, CaptureErrorKind};
use crate::file::block::Block;
use crate::file::input::Input;
use crate::file::kind;
use crate::file::pcap::Pcap;
use crate::file::pcapng::Pcapng;
use crate::packet::Packet;

/// The packets of a pcap or pcapng file, plain or compressed with gzip or zstd.
///
/// It reads pcap of both byte orders, with microseconds or nanoseconds, and the "modified" pcap
/// format. It reads pcapng with any number of sections and interfaces, each with its own byte order
/// and clock, and takes packets from enhanced, simple and obsolete packet blocks. It skips all
/// other blocks.
pub struct Capture<R: Read> {
    input: Input<R>,
    format: Format,
    /// Length of the packet that was returned last. It leaves the window when the next one is
    /// requested.
    returned: usize,
    last: Time,
    failed: bool,
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

impl Capture<File> {
    /// Opens a file.
    ///
    /// # Errors
    /// The file cannot be opened or read, or is not a capture.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CaptureError> {
        let file = File::open(path).map_err(|error| CaptureError::new(0, CaptureErrorKind::Io(error)))?;
        Self::from_read(file)
    }
}

impl<R: Read> Capture<R> {
    /// Reads a capture from any reader. Short reads are fine, and the reader needs no buffer. While
    /// the header of the file is incomplete, a reader that returns
    /// [`WouldBlock`](std::io::ErrorKind::WouldBlock) is called again; it should wait a while before.
    ///
    /// # Errors
    /// The source cannot be read, or is not a capture.
    pub fn from_read(source: R) -> Result<Self, CaptureError> {
        const HEADER: &str = "the file header";
        let mut input = Input::new(source)?;
        input.fill(4, HEADER)?;
        let format = match input.bytes() {
            [0x0a, 0x0d, 0x0d, 0x0a, ..] => Format::Pcapng(Pcapng::new()),
            [a, b, c, d, ..] if Pcap::is_magic([*a, *b, *c, *d]) => Format::Pcap(Pcap::open(&mut input)?),
            start @ ([_] | [_, _] | [_, _, _]) if MAGICS.iter().any(|magic| magic.starts_with(start)) => {
                let found = start.len() as u64;
                let kind = CaptureErrorKind::Truncated { part: HEADER, expected: 4, found };
                return Err(CaptureError::new(0, kind));
            }
            _ => {
                // If the file cannot be read further, it is described by the bytes that were read.
                let _ = input.fill(kind::DESCRIBED_BYTES, HEADER);
                return Err(CaptureError::new(0, CaptureErrorKind::NotACapture(kind::describe(input.bytes()))));
            }
        };
        input.set_pauses();
        Ok(Self { input, format, returned: 0, last: Time::default(), failed: false })
    }

    /// Returns the next packet, or `None` at the end of the file and after an error.
    ///
    /// # Errors
    /// The file is damaged or truncated at this place, or could not be read. Every whole packet
    /// before it was returned.
    ///
    /// The source has no whole packet for now, and its reader returned
    /// [`WouldBlock`](std::io::ErrorKind::WouldBlock). This error is a
    /// [pause](CaptureError::is_pause): the next call goes on.
    #[allow(
        clippy::should_implement_trait,
        reason = "packets are borrowed from the window, which an iterator cannot express"
    )]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        Ok(self.next_in_block()?.map(|(packet, _)| packet))
    }

    /// Returns the next packet, and the block that its bytes are in.
    pub(crate) fn next_in_block(&mut self) -> Result<Option<(Packet<'_>, &Block)>, CaptureError> {
        if self.failed {
            return Ok(None);
        }
        self.input.consume(std::mem::take(&mut self.returned));
        let record = match &mut self.format {
            Format::Pcap(format) => format.next(&mut self.input),
            Format::Pcapng(format) => format.next(&mut self.input),
        };
        let record = record.inspect_err(|error| self.failed = !error.is_pause())?;
        let Some(record) = record else {
            return Ok(None);
        };
        self.returned = record.length;
        self.last = record.time.unwrap_or(self.last);
        let packet = Packet {
            time: self.last,
            link: record.link,
            bytes: &self.input.bytes()[record.bytes],
            original: record.original,
            dropped: record.dropped,
        };
        Ok(Some((packet, self.input.block())))
    }
}

/// The first four bytes of captures and of compressed captures.
const MAGICS: [[u8; 4]; 9] = [
    [0x0a, 0x0d, 0x0d, 0x0a],
    [0x1f, 0x8b, 0x08, 0x00],
    [0x28, 0xb5, 0x2f, 0xfd],
    0xa1b2_c3d4_u32.to_le_bytes(),
    0xa1b2_c3d4_u32.to_be_bytes(),
    0xa1b2_3c4d_u32.to_le_bytes(),
    0xa1b2_3c4d_u32.to_be_bytes(),
    0xa1b2_cd34_u32.to_le_bytes(),
    0xa1b2_cd34_u32.to_be_bytes(),
];
