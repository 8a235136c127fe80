//! Inputs, read one after the other into one tap.

use std::fs::File;
use std::io::{self, Read};

use enjamb::Tap;
use enjamb_capture::{CaptureError, CaptureSet, Options, SegmentReader};

use crate::connection_numbers::ConnectionNumbers;
use crate::error::SourceError;
use crate::input::Input;
use crate::inputs::Inputs;
use crate::live::{Capturer, FollowedFile, Interrupt, LiveReader};
use crate::numbering::Numbering;
use crate::progress::Progress;
use crate::protocol_choice::ProtocolChoice;
use crate::segment_tap::{SegmentSet, SegmentTap};
use crate::stop::Stop;
use crate::totals::CaptureTotals;
use crate::transcript_file::{self, TranscriptFile};

/// Reads captures and transcripts into a tap.
///
/// An input that cannot be read is reported on standard error, and the others are still read.
#[derive(Clone)]
pub struct SourceReader<'a> {
    inputs: &'a Inputs,
    protocols: &'a ProtocolChoice,
    progress: &'a Progress<'a>,
    options: Options,
    interrupt: Option<Interrupt>,
    only: Option<&'a ConnectionNumbers>,
    stop: Stop,
}

/// The counts and problems of a finished reader.
#[derive(Debug, Default)]
pub struct SourceReport {
    /// The counts of all captures together.
    pub totals: CaptureTotals,
    /// The problems, one per line, each with the name of its input. Each was written as a notice
    /// already.
    pub problems: Vec<String>,
}

/// The smallest capture that several threads reassemble, in bytes. Its end is a rendezvous of all
/// threads, which takes as long as reassembling some kilobytes.
const SHARED_MIN: u64 = 64 << 10;

/// Returns the tap of segments that a tap contains.
type Segments<T> = fn(&mut T) -> &mut dyn SegmentTap;

/// Captures that follow each other, as the files of a rotated set do.
struct OpenSet<T> {
    read: SetReader<T>,
    captures: u64,
    damaged: u64,
}

enum SetReader<T> {
    /// Captures that are reassembled here.
    Whole(Box<CaptureSet>),
    /// Captures whose segments go to the tap.
    Segments(Box<SegmentReader>, Segments<T>),
}

impl<T: Tap> OpenSet<T> {
    fn new(read: SetReader<T>) -> Self {
        Self { read, captures: 0, damaged: 0 }
    }

    /// Returns whether `input` is the next capture of the set. Only regular files can be read
    /// twice.
    fn is_continued_by(&self, input: &Input) -> bool {
        let Input::File(path) = input else {
            return false;
        };
        path.is_file()
            && File::open(path).is_ok_and(|file| match &self.read {
                SetReader::Whole(set) => set.is_continued_by(file),
                SetReader::Segments(set, _) => set.is_continued_by(file),
            })
    }

    /// Reads the next capture. Returns the error that ended it before its end.
    fn read(&mut self, source: impl Read, numbering: &mut Numbering<'_, T>) -> Option<CaptureError> {
        let damage = match &mut self.read {
            SetReader::Whole(set) => set.read(source, numbering),
            SetReader::Segments(set, segments) => {
                let mut tap = segments(numbering.tap);
                let damage = set.read(source, &mut tap);
                numbering.highest = numbering.base + tap.connections();
                damage
            }
        };
        self.captures += 1;
        self.damaged += u64::from(damage.is_some());
        damage
    }

    fn finish(self, numbering: &mut Numbering<'_, T>, report: &mut SourceReport) {
        let Self { read, captures, damaged } = self;
        let read = match read {
            SetReader::Whole(set) => set.finish(numbering),
            SetReader::Segments(set, segments) => {
                let (summary, incidents) = segments(numbering.tap).end_set();
                set.into_report(&summary, incidents)
            }
        };
        report.totals.add(&read, captures, damaged, numbering.base);
    }
}

/// An input whose reading begins.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NextInput<'i> {
    /// The input.
    pub input: &'i Input,
    /// The number of connections of all inputs before it.
    pub connections_before: u64,
    /// Whether it is the next capture of a rotated set: connections of the capture before it go on.
    pub continues_set: bool,
}

impl<'a> SourceReader<'a> {
    /// Creates a reader of `inputs`, with the default limits of reassembly.
    ///
    /// Protocols that transcripts name are entered into `protocols`. Notices go through `progress`.
    #[must_use]
    pub fn new(inputs: &'a Inputs, protocols: &'a ProtocolChoice, progress: &'a Progress<'a>) -> Self {
        let options = Options::default();
        Self { inputs, protocols, progress, options, interrupt: None, only: None, stop: Stop::default() }
    }

    /// Reads [live](Input::is_live) inputs until `interrupt` is requested. The tap
    /// [pauses](Tap::pause) while they have nothing. Without this, live inputs block.
    #[must_use]
    pub fn live(self, interrupt: Interrupt) -> Self {
        Self { interrupt: Some(interrupt), ..self }
    }

    /// Sets the limits of reassembly.
    #[must_use]
    pub fn options(self, options: Options) -> Self {
        Self { options, ..self }
    }

    /// Restricts the events to these connections. `None`: all connections.
    #[must_use]
    pub fn only(self, only: Option<&'a ConnectionNumbers>) -> Self {
        Self { only, ..self }
    }

    /// Ends reading when `stop` is requested.
    #[must_use]
    pub fn stop(self, stop: Stop) -> Self {
        Self { stop, ..self }
    }

    /// Reads all inputs into `tap`. A connection that goes on in the next capture is one
    /// connection, if the captures follow each other in time as the files of a rotated set do.
    ///
    /// Calls `next` before each input.
    pub fn read<T: Tap>(&self, tap: &mut T, next: impl FnMut(&mut T, &NextInput<'_>)) -> SourceReport {
        self.read_into(tap, None, next)
    }

    /// Reads all inputs as [`read`](Self::read) does, but leaves the reassembly of large captures
    /// to `tap`: it gets their segments instead of events.
    pub fn read_segments<T: SegmentTap>(&self, tap: &mut T, next: impl FnMut(&mut T, &NextInput<'_>)) -> SourceReport {
        self.read_into(tap, Some(|tap| tap), next)
    }

    fn read_into<T: Tap>(
        &self,
        tap: &mut T,
        segments: Option<Segments<T>>,
        mut next: impl FnMut(&mut T, &NextInput<'_>),
    ) -> SourceReport {
        let mut report = SourceReport::default();
        for unreadable in &self.inputs.unreadable {
            self.problem(&mut report, unreadable.to_string());
            report.totals.unreadable += 1;
        }
        if let Some(line) = self.inputs.passed_over() {
            self.progress.notice(line);
        }
        let mut numbering = Numbering { base: 0, highest: 0, only: self.only, tap };
        let mut set: Option<OpenSet<T>> = None;
        for input in &self.inputs.captures {
            if let Some(ended) = set.take_if(|set| !set.is_continued_by(input)) {
                ended.finish(&mut numbering, &mut report);
            }
            if set.is_none() {
                numbering.base = numbering.highest;
            }
            let continues_set = set.is_some();
            next(numbering.tap, &NextInput { input, connections_before: numbering.highest, continues_set });
            let segments = segments.filter(|_| is_large(input));
            if let Err(error) = self.read_one(input, segments, &mut set, &mut numbering, &mut report)
                && !self.stop.is_requested()
            {
                self.problem(&mut report, format!("{input}: {error}"));
                report.totals.unreadable += 1;
            }
            if self.stop.is_requested() {
                break;
            }
        }
        if let Some(set) = set {
            set.finish(&mut numbering, &mut report);
        }
        report
    }

    fn problem(&self, report: &mut SourceReport, line: String) {
        self.progress.notice(&line);
        report.problems.push(line);
    }

    fn read_one<T: Tap>(
        &self,
        input: &Input,
        segments: Option<Segments<T>>,
        set: &mut Option<OpenSet<T>>,
        numbering: &mut Numbering<'_, T>,
        report: &mut SourceReport,
    ) -> Result<(), SourceError> {
        match (input, &self.interrupt) {
            (Input::FollowedFile(path), Some(interrupt)) => {
                let mut next = Some(FollowedFile::open(path, interrupt.clone())?);
                while let Some(mut file) = next {
                    let damage = self.read_source(input, &mut file, segments, set, numbering, report)?;
                    self.report_damage(input, damage, report);
                    next = file.next()?;
                }
                Ok(())
            }
            (Input::Capturer(request), Some(interrupt)) => {
                let (capturer, capture) = Capturer::start(request)?;
                let source = LiveReader::new(capture, interrupt.clone())?.ending(capturer.interrupter());
                let damage = self.read_source(input, source, segments, set, numbering, report)?;
                // A program that may not capture writes nothing, and has the reason.
                let counts = capturer.finish(&request.interface, interrupt.is_requested())?;
                // One that was ended may leave a packet incomplete.
                if let Some(error) = damage.filter(|_| !interrupt.is_requested()) {
                    self.problem(report, format!("{input}: {error}"));
                }
                if let Some(dropped @ 1..) = counts.dropped {
                    self.problem(report, format!("the kernel dropped {dropped} packets, which are missing"));
                    report.totals.add_dropped(dropped);
                }
                Ok(())
            }
            (Input::StandardInput, Some(interrupt)) if input.is_live() => {
                let source = LiveReader::new(io::stdin(), interrupt.clone())?;
                let damage = self.read_source(input, source, segments, set, numbering, report)?;
                self.report_damage(input, damage, report);
                Ok(())
            }
            _ => {
                let damage = self.read_source(input, input.open()?, segments, set, numbering, report)?;
                self.report_damage(input, damage, report);
                Ok(())
            }
        }
    }

    fn report_damage(&self, input: &Input, damage: Option<CaptureError>, report: &mut SourceReport) {
        // A stopped reading is no damage of the capture.
        if let Some(error) = damage.filter(|_| !self.stop.is_requested()) {
            self.problem(report, format!("{input}: {error}"));
        }
    }

    /// Reads a capture or a transcript. Returns the error that ended reading before the end of a
    /// capture.
    fn read_source<T: Tap>(
        &self,
        input: &Input,
        source: impl Read,
        segments: Option<Segments<T>>,
        set: &mut Option<OpenSet<T>>,
        numbering: &mut Numbering<'_, T>,
        report: &mut SourceReport,
    ) -> Result<Option<CaptureError>, SourceError> {
        let source = self.progress.count(source, self.stop.clone());
        let (is_transcript, source) = transcript_file::peek(source)?;
        if is_transcript {
            return self.read_transcript(input, source, numbering, report).map(|()| None);
        }
        let set = set.get_or_insert_with(|| match segments {
            None => OpenSet::new(SetReader::Whole(Box::new(CaptureSet::new(self.options.clone())))),
            Some(segments) => {
                segments(numbering.tap).begin_set(SegmentSet {
                    options: self.options.clone(),
                    base: numbering.base,
                    only: self.only.cloned(),
                });
                OpenSet::new(SetReader::Segments(Box::default(), segments))
            }
        });
        Ok(set.read(source, numbering))
    }

    fn read_transcript<T: Tap>(
        &self,
        input: &Input,
        source: impl Read,
        numbering: &mut Numbering<'_, T>,
        report: &mut SourceReport,
    ) -> Result<(), SourceError> {
        let file = TranscriptFile::read(source)?;
        if let Some(name) = &file.transcript.protocol {
            self.protocols.enter(numbering.base + 1, name).map_err(SourceError::UnknownProtocol)?;
        }
        if let Some(line) = file.replay(1, numbering) {
            self.problem(report, format!("{input}: line {line} is passed over, since that side had ended before it"));
        }
        report.totals.transcripts += 1;
        Ok(())
    }
}

/// Returns whether an input is large, or its length is unknown.
fn is_large(input: &Input) -> bool {
    let Input::File(path) = input else {
        return true;
    };
    path.metadata().is_ok_and(|metadata| !metadata.is_file() || metadata.len() >= SHARED_MIN)
}
