//! Decompression of gzip and zstd, in pure Rust.
//!
//! A truncated file gives all bytes that can be decompressed, and then an error. Decoders report
//! that error in many ways. So the explanation depends on how far the file was read: at the end of
//! the file, the file was truncated.
//!
//! `ruzstd` decompresses about 500 MB/s on one core, a third of the speed of the C library, which
//! is not used because it needs a C compiler.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use flate2::bufread::GzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::error::CaptureErrorKind;

/// The file, with the bytes that were read to recognise it put back in front.
type File<R> = CountingReader<Chain<Cursor<Vec<u8>>, R>>;

/// The decompressed bytes of a capture.
pub(crate) enum Source<R: Read> {
    Plain(File<R>),
    Gzip(Box<Gzip<File<R>>>),
    Zstd(Box<Zstd<File<R>>>),
}

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// The magic number of a skippable frame without its first byte, of which four bits vary (RFC 8878,
/// section 3.1.2). Some tools begin a file with such a frame.
const ZSTD_SKIPPABLE: &[u8] = &[0x2a, 0x4d, 0x18];

impl<R: Read> Source<R> {
    /// Reads a file that begins with the bytes `first`.
    pub(crate) fn new(first: Vec<u8>, rest: R) -> Self {
        let gzip = first.starts_with(GZIP);
        let zstd = first.starts_with(ZSTD)
            || first.first().is_some_and(|byte| byte >> 4 == 5) && first[1..] == *ZSTD_SKIPPABLE;
        let waits = gzip || zstd;
        let file = CountingReader { file: Cursor::new(first).chain(rest), waits, read: 0, ended: false, failed: false };
        if gzip {
            Self::Gzip(Box::new(Gzip::new(file)))
        } else if zstd {
            Self::Zstd(Box::new(Zstd::new(file)))
        } else {
            Self::Plain(file)
        }
    }

    /// Explains an error of [`read`](Read::read).
    pub(crate) fn explain(&self, error: io::Error) -> CaptureErrorKind {
        let (format, file) = match self {
            Self::Plain(_) => return CaptureErrorKind::Io(error),
            Self::Gzip(decoder) => ("gzip", decoder.file()),
            Self::Zstd(decoder) => ("zstd", Some(decoder.source.get_ref())),
        };
        match file.filter(|file| !file.failed) {
            Some(file) => CaptureErrorKind::Compressed { format, at: file.read, truncated: file.ended, error },
            None => CaptureErrorKind::Io(error),
        }
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(source) => source.read(buffer),
            Self::Gzip(source) => source.read(buffer),
            Self::Zstd(source) => source.read(buffer),
        }
    }
}

/// Counts the bytes that are read, and notes the end of the file and errors.
pub(crate) struct CountingReader<R> {
    file: R,
    /// Whether it is read again when it has no bytes for now, since a decompressor could not go on.
    waits: bool,
    read: u64,
    ended: bool,
    failed: bool,
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.file.read(buffer);
            match &read {
                Ok(0) => self.ended |= !buffer.is_empty(),
                Ok(read) => self.read += *read as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.waits {
                        continue;
                    }
                }
                Err(error) => self.failed |= error.kind() != io::ErrorKind::Interrupted,
            }
            return read;
        }
    }
}

/// gzip (RFC 1952): members one after the other. Zeros after a member are padding of the medium, as
/// for `gzip` itself.
pub(crate) struct Gzip<R> {
    /// Always `Some` between calls: each decoder takes over the reader of the one before.
    member: Option<GzDecoder<BufReader<R>>>,
}

impl<R: Read> Gzip<R> {
    fn new(source: R) -> Self {
        Self { member: Some(GzDecoder::new(BufReader::new(source))) }
    }

    fn file(&self) -> Option<&R> {
        self.member.as_ref().map(|member| member.get_ref().get_ref())
    }
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            if !begins_member(member.get_mut())? {
                break;
            }
            self.member = self.member.take().map(|member| GzDecoder::new(member.into_inner()));
        }
        Ok(0)
    }
}

/// Skips padding. Returns `false` if nothing follows it.
fn begins_member(source: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = source.fill_buf()?;
        let padding = bytes.iter().take_while(|byte| **byte == 0).count();
        match bytes.get(padding) {
            Some(byte) if *byte == GZIP[0] => {
                source.consume(padding);
                return Ok(true);
            }
            Some(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "the bytes after a member are not gzip")),
            None if padding == 0 => return Ok(false),
            None => source.consume(padding),
        }
    }
}

/// Zstandard (RFC 8878): frames one after the other, some of which are skipped.
pub(crate) struct Zstd<R> {
    source: BufReader<R>,
    decoder: FrameDecoder,
    /// Whether a frame is being read.
    inside: bool,
    /// An error that is returned once all bytes before it have been read.
    failed: Option<io::Error>,
}

impl<R: Read> Zstd<R> {
    fn new(source: R) -> Self {
        Self { source: BufReader::new(source), decoder: FrameDecoder::new(), inside: false, failed: None }
    }

    /// Begins the next frame. Returns `false` if there is none.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => {
                    self.inside = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let length = u64::from(length);
                    if io::copy(&mut self.source.by_ref().take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }

    /// Decodes another block.
    fn decode(&mut self) {
        let strategy = || BlockDecodingStrategy::UptoBlocks(1);
        if let Err(error) = self.decoder.decode_blocks(&mut self.source, strategy()) {
            // The decoder holds back bytes that a later block may refer to. None will: an empty
            // last block makes it return them, and its checksum with them.
            let _ = self.decoder.decode_blocks(&[1, 0, 0, 0, 0, 0, 0][..], strategy());
            self.failed = Some(io::Error::other(error));
        }
    }

    /// Ends a frame whose bytes were all read: its checksum is known only now.
    fn end(&mut self) {
        self.inside = false;
        let stated = self.decoder.get_checksum_from_data();
        if self.failed.is_none() && stated.is_some() && stated != self.decoder.get_calculated_checksum() {
            self.failed = Some(io::Error::new(io::ErrorKind::InvalidData, "the checksum is wrong"));
        }
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.inside {
                if self.decoder.can_collect() > 0 {
                    return self.decoder.read(buffer);
                }
                if self.decoder.is_finished() || self.failed.is_some() {
                    self.end();
                } else {
                    self.decode();
                }
                continue;
            }
            if let Some(error) = self.failed.take() {
                // Later calls fail again: nothing can be decoded after an error.
                self.failed = Some(io::Error::new(error.kind(), error.to_string()));
                return Err(error);
            }
            match self.begin() {
                Ok(true) => {}
                Ok(false) => return Ok(0),
                Err(error) => self.failed = Some(error),
            }
        }
    }
}
