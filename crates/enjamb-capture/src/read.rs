//! Reads whole captures, from their bytes to a tap.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use enjamb::{Tap, Time};

use crate::error::{CaptureError, CaptureErrorKind};
use crate::file::block::Block;
use crate::file::capture::Capture;
use crate::options::Options;
use crate::reassembly::reassembler::Reassembler;
use crate::report::Report;
use crate::segment::Segment;
use crate::segment_reader::{SegmentReader, SegmentSink};

/// Reads all of a capture from `source`, and reports its connections to `tap`.
///
/// The source may still be captured. If its reader returns
/// [`WouldBlock`](std::io::ErrorKind::WouldBlock), the tap [pauses](Tap::pause), and the reader is
/// called again: it should wait a while before it returns that error.
///
/// After an error, the tap has received everything from the whole packets before it, and all
/// connections have ended.
pub fn read<R: Read>(source: R, tap: &mut dyn Tap, options: &Options) -> Report {
    match Capture::from_read(source) {
        Ok(capture) => read_capture(capture, tap, options),
        Err(error) => Report { error: Some(error), ..Report::default() },
    }
}

/// Reads all of the capture in a file. See [`read()`].
pub fn open(path: impl AsRef<Path>, tap: &mut dyn Tap, options: &Options) -> Report {
    match File::open(path) {
        Ok(file) => read(file, tap, options),
        Err(error) => {
            let error = CaptureError::new(0, CaptureErrorKind::Io(error));
            Report { error: Some(error), ..Report::default() }
        }
    }
}

fn read_capture<R: Read>(capture: Capture<R>, tap: &mut dyn Tap, options: &Options) -> Report {
    let mut set = CaptureSet::new(options.clone());
    let error = set.read_capture(capture, tap);
    Report { error, ..set.finish(tap) }
}

/// Reads captures that follow each other, as the files of a rotated set do (`tcpdump -C` or `-G`,
/// `editcap -c`). A connection that goes on in the next file is one connection.
pub struct CaptureSet {
    segments: SegmentReader,
    reassembler: Reassembler,
}

/// The reassembler of a set, and the tap that it reports to.
struct Reassembly<'a> {
    reassembler: &'a mut Reassembler,
    tap: &'a mut dyn Tap,
}

impl SegmentSink for Reassembly<'_> {
    #[inline]
    fn segment(&mut self, time: Time, segment: &Segment<'_>, _: &Block) {
        self.reassembler.push(time, segment, self.tap);
    }

    fn pause(&mut self) {
        self.reassembler.pause(self.tap);
    }
}

impl CaptureSet {
    /// Creates a set of which nothing was read.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { segments: SegmentReader::default(), reassembler: Reassembler::new(options) }
    }

    /// Returns whether the capture in `source` follows those that were read: see
    /// [`SegmentReader::is_continued_by`].
    pub fn is_continued_by<R: Read>(&self, source: R) -> bool {
        self.segments.is_continued_by(source)
    }

    /// Reads the next capture of the set. Returns the error that ended it, if it was not read as a
    /// whole.
    pub fn read<R: Read>(&mut self, source: R, tap: &mut dyn Tap) -> Option<CaptureError> {
        self.segments.read(source, &mut Reassembly { reassembler: &mut self.reassembler, tap })
    }

    fn read_capture<R: Read>(&mut self, capture: Capture<R>, tap: &mut dyn Tap) -> Option<CaptureError> {
        self.segments.read_capture(capture, &mut Reassembly { reassembler: &mut self.reassembler, tap })
    }

    /// Ends all connections, and returns the counts of all captures together. The report has no
    /// error.
    pub fn finish(mut self, tap: &mut dyn Tap) -> Report {
        self.reassembler.finish(tap);
        let (summary, incidents) = self.reassembler.into_counts();
        self.segments.into_report(&summary, incidents)
    }
}
