//! Framings: the form of one side's frames, and their limit.

use std::num::NonZeroU64;

use enjamb::{AnyOf, Delimiter, Limit, Terminator};

use crate::framing_error::FramingError;
use crate::line_feed::line_feed;

/// The framing of one side's stream, from a spec such as `u32be max=1M`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framing {
    pub(crate) form: FrameForm,
    pub(crate) limit: Limit,
}

/// The maximum length of a prefix, in bytes: 2^64 - 1 has 20 digits.
pub(crate) const PREFIX_MAX: usize = 20;

/// The form of frames: their beginnings and ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FrameForm {
    Lines,
    Delimiter(Delimiter),
    AnyOf(AnyOf),
    Fixed(NonZeroU64),
    Prefix(Prefix),
    Varint,
    Netstring,
    Cobs,
}

impl FrameForm {
    /// Returns the terminator of the first part of a frame.
    pub(crate) fn start(&self) -> Terminator {
        match self {
            Self::Lines => line_feed(),
            Self::Delimiter(delimiter) => Terminator::Delimiter(delimiter.clone()),
            Self::AnyOf(set) => Terminator::AnyOf(set.clone()),
            Self::Fixed(length) => Terminator::Length(*length),
            Self::Prefix(prefix) => Terminator::Length(prefix.width),
            Self::Varint => Terminator::Length(NonZeroU64::MIN),
            Self::Netstring => Terminator::Delimiter(Delimiter::from(b':')),
            Self::Cobs => Terminator::Delimiter(Delimiter::from(0)),
        }
    }

    /// Returns the first part of a frame.
    pub(crate) fn first(&self) -> Part {
        match self {
            Self::Prefix(_) | Self::Varint | Self::Netstring => Part::Prefix,
            Self::Lines | Self::Delimiter(_) | Self::AnyOf(_) | Self::Fixed(_) | Self::Cobs => Part::Payload,
        }
    }

    /// Returns the length in a prefix. `None`: more of the prefix follows.
    pub(crate) fn length(&self, prefix: &[u8]) -> Result<Option<u64>, FramingError> {
        match self {
            Self::Varint => varint(prefix),
            Self::Netstring => digits(prefix).map(Some),
            Self::Prefix(fixed) => fixed.decode(prefix).map(Some),
            Self::Lines | Self::Delimiter(_) | Self::AnyOf(_) | Self::Fixed(_) | Self::Cobs => Ok(None),
        }
    }
}

/// Reads a varint: seven bits per byte, the lowest first. The eighth bit means that another byte
/// follows. At most 64 bits in ten bytes, as in Protocol Buffers, which write the length of a
/// message in this way.
fn varint(bytes: &[u8]) -> Result<Option<u64>, FramingError> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let bits = u64::from(byte & 0x7f);
        let shift = 7 * u32::try_from(at).unwrap_or(u32::MAX);
        // The tenth byte has room for one bit.
        if shift > 63 || (bits << shift) >> shift != bits {
            return Err(FramingError::ImpossibleLength);
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// Reads the length of a netstring (Bernstein, 1997): digits without a leading zero.
fn digits(bytes: &[u8]) -> Result<u64, FramingError> {
    let well = matches!(bytes, [b'0'] | [b'1'..=b'9', ..]) && bytes.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(bytes).ok().filter(|_| well);
    text.and_then(|text| text.parse().ok()).ok_or(FramingError::NotANetstring)
}

/// A length in front of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub(crate) width: NonZeroU64,
    pub(crate) big_endian: bool,
    /// The number that is added to the length in the prefix.
    pub(crate) adjust: i64,
}

impl Prefix {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        let (width, big_endian) = match word {
            "u8" => (1, true),
            "u16be" => (2, true),
            "u16le" => (2, false),
            "u24be" => (3, true),
            "u24le" => (3, false),
            "u32be" => (4, true),
            "u32le" => (4, false),
            "u64be" => (8, true),
            "u64le" => (8, false),
            _ => return None,
        };
        Some(Self { width: NonZeroU64::new(width)?, big_endian, adjust: 0 })
    }

    /// Returns the length of the frame behind the prefix.
    fn decode(self, bytes: &[u8]) -> Result<u64, FramingError> {
        let append = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        let value = if self.big_endian { bytes.iter().fold(0, append) } else { bytes.iter().rev().fold(0, append) };
        value.checked_add_signed(self.adjust).ok_or(FramingError::ImpossibleLength)
    }
}

/// A part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Prefix,
    Payload,
    /// The comma of a netstring.
    Comma,
}
