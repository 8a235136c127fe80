//! A capture file as a sequence of packets, whichever format it is in.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use enjamb::Time;

use crate::fault::{Fault, Trouble};
use crate::input::Input;
use crate::kind;
use crate::link::LinkType;
use crate::pcap::Pcap;
use crate::pcapng::Pcapng;

/// A packet as it was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// When it was captured. A simple packet block has no time: it gets that of the packet before it.
    pub time: Time,
    /// What its first header is.
    pub link: LinkType,
    /// The bytes that were captured.
    pub bytes: &'a [u8],
    /// How many bytes it had on the wire.
    pub original: u64,
    /// How many packets the capturing system knows it lost directly before this one (pcapng's `epb_dropcount`).
    pub dropped: u64,
}

/// Packets from a pcap or pcapng file, plain or compressed with gzip or zstd.
///
/// In: pcap of both byte orders, with microseconds or nanoseconds, and the "modified" format; pcapng with any number of
/// sections and interfaces, each with its own byte order and clock; enhanced, simple and obsolete packet blocks. All other
/// blocks are passed over.
pub struct Capture<R: Read> {
    input: Input<R>,
    format: Format,
    /// Bytes of the packet that was given out last; it leaves the window when the next one is asked for.
    given: usize,
    last: Time,
    failed: bool,
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

/// A packet in the window: where its bytes are.
pub(crate) struct Record {
    pub(crate) time: Option<Time>,
    pub(crate) link: LinkType,
    /// Of the window.
    pub(crate) bytes: Range<usize>,
    pub(crate) original: u64,
    pub(crate) dropped: u64,
    /// How much of the window the packet takes up with its header.
    pub(crate) length: usize,
}

impl Capture<File> {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be opened, or is no capture.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Fault> {
        let file = File::open(path).map_err(|error| Fault::new(0, Trouble::Io(error)))?;
        Self::from_read(file)
    }
}

impl<R: Read> Capture<R> {
    /// Reads from anything: short reads are fine, and no buffer is needed around it.
    ///
    /// # Errors
    /// It cannot be read, or is no capture.
    pub fn from_read(source: R) -> Result<Self, Fault> {
        let mut input = Input::new(source)?;
        input.fill(4, "the file header")?;
        let format = match input.bytes() {
            [0x0a, 0x0d, 0x0d, 0x0a, ..] => Format::Pcapng(Pcapng::new()),
            [a, b, c, d, ..] if Pcap::is_magic([*a, *b, *c, *d]) => Format::Pcap(Pcap::open(&mut input)?),
            start @ ([_] | [_, _] | [_, _, _]) if MAGICS.iter().any(|magic| magic.starts_with(start)) => {
                let found = start.len() as u64;
                return Err(Fault::new(0, Trouble::Cut { what: "the file header", expected: 4, found }));
            }
            _ => {
                // What cannot be read any further is described by what there is of it.
                let _ = input.fill(kind::LOOKED_AT, "the file header");
                return Err(Fault::new(0, Trouble::NotACapture(kind::describe(input.bytes()))));
            }
        };
        Ok(Self { input, format, given: 0, last: Time::default(), failed: false })
    }

    /// The next packet; `None` at the end of the file, and after a fault.
    ///
    /// # Errors
    /// The file is damaged or cut here, or could not be read. Every whole packet before it has been given.
    #[allow(
        clippy::should_implement_trait,
        reason = "packets are borrowed from the window, which an iterator cannot say"
    )]
    pub fn next(&mut self) -> Result<Option<Packet<'_>>, Fault> {
        if self.failed {
            return Ok(None);
        }
        self.input.consume(std::mem::take(&mut self.given));
        let record = match &mut self.format {
            Format::Pcap(format) => format.next(&mut self.input),
            Format::Pcapng(format) => format.next(&mut self.input),
        };
        let record = record.inspect_err(|_| self.failed = true)?;
        let Some(record) = record else {
            return Ok(None);
        };
        self.given = record.length;
        self.last = record.time.unwrap_or(self.last);
        Ok(Some(Packet {
            time: self.last,
            link: record.link,
            bytes: &self.input.bytes()[record.bytes],
            original: record.original,
            dropped: record.dropped,
        }))
    }
}

/// How captures begin.
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
