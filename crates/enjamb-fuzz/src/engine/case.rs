//! The input of the engine targets: a program of terminators, limits, a stream, and its cuts.
//!
//! Every byte string is a case. Missing bytes are 0.
//!
//! ```text
//! FLAGS MAX           bits 0 to 2: the number of settings less 1; bit 3: the program begins again
//!                     bits 4 and 5: the policy of the limit; bit 6: a frame of MAX more bytes is
//!                     allowed every second time
//! settings            one after the other:
//!   0                   keep the terminator
//!   1 N                 a length, at least 1
//!   2..4 N BYTES        a delimiter of N % 8 + 1 bytes
//!   5 N (M BYTES)...    N % 4 + 1 delimiters of M % 4 + 1 bytes
//!   6                   the end of the stream
//!   7                   stop
//! stream              bytes; FF and one more byte is an item:
//!   FF FF               the byte FF
//!   FF even             a cut
//!   FF odd N            a cut, at which setting N is put in force from outside
//! ```

use enjamb::{Limit, Overflow, Terminator};

/// The byte that introduces an item of the stream.
pub(crate) const ESCAPE: u8 = 0xff;

/// The terminator that a frame puts in force.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Setting {
    Keep,
    Set(Terminator),
    Stop,
}

/// A case of the engine targets.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineCase {
    pub(crate) first: Terminator,
    pub(crate) settings: Vec<Setting>,
    /// Whether the program begins again at its end. Otherwise the terminator stays.
    pub(crate) cycle: bool,
    /// The limits of the even frames and of the odd ones.
    pub(crate) limits: [Limit; 2],
    pub(crate) stream: Vec<u8>,
    /// The offsets of cuts, in ascending order, and the terminator that is put in force there.
    pub(crate) cuts: Vec<(usize, Option<Terminator>)>,
}

impl EngineCase {
    /// Decodes a case. Every byte string is one.
    #[must_use]
    pub fn decode(data: &[u8]) -> Self {
        let mut input = data.iter().copied();
        let mut next = || input.next().unwrap_or(0);
        let (flags, max) = (next(), u64::from(next()));
        let settings: Vec<Setting> = (0..(flags & 7) + 1).map(|_| setting(&mut next)).collect();
        let overflow = match flags >> 4 & 3 {
            2 => Overflow::Skip,
            3 => Overflow::Truncate,
            _ => Overflow::Refuse,
        };
        let limit = if flags >> 4 & 3 == 0 { Limit::NONE } else { Limit { max, overflow } };
        let other = if flags & 0x40 == 0 { limit } else { Limit { max: limit.max.saturating_mul(2), overflow } };
        let mut case = Self {
            first: settings.iter().find_map(terminator).unwrap_or_else(Terminator::lf),
            settings,
            cycle: flags & 8 != 0,
            limits: [limit, other],
            stream: Vec::with_capacity(data.len()),
            cuts: Vec::new(),
        };
        while let Some(byte) = input.next() {
            if byte != ESCAPE {
                case.stream.push(byte);
                continue;
            }
            match input.next() {
                None | Some(ESCAPE) => case.stream.push(ESCAPE),
                Some(kind) if kind % 2 == 0 => case.cuts.push((case.stream.len(), None)),
                Some(_) => {
                    let number = usize::from(input.next().unwrap_or(0)) % case.settings.len();
                    case.cuts.push((case.stream.len(), terminator(&case.settings[number])));
                }
            }
        }
        case
    }

    /// Returns the setting after frame number `frame`.
    pub(crate) fn after(&self, frame: usize) -> &Setting {
        let number = if self.cycle { frame % self.settings.len() } else { frame };
        self.settings.get(number).unwrap_or(&Setting::Keep)
    }

    /// Returns the limit of frame number `frame`.
    pub(crate) fn limit(&self, frame: usize) -> Limit {
        self.limits[frame % 2]
    }

    /// Returns the chunks, each with the terminator that is put in force behind it.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = (&[u8], Option<&Terminator>)> {
        let ends = self.cuts.iter().map(|(at, set)| (*at, set.as_ref())).chain([(self.stream.len(), None)]);
        let mut from = 0;
        ends.map(move |(to, set)| {
            let chunk = &self.stream[from..to];
            from = to;
            (chunk, set)
        })
    }
}

fn terminator(setting: &Setting) -> Option<Terminator> {
    if let Setting::Set(terminator) = setting { Some(terminator.clone()) } else { None }
}

fn setting(next: &mut impl FnMut() -> u8) -> Setting {
    let bytes = |next: &mut dyn FnMut() -> u8, length: u8| -> Vec<u8> { (0..length).map(|_| next()).collect() };
    let made = match next() % 8 {
        0 => return Setting::Keep,
        1 => Terminator::length(u64::from(next()).max(1)),
        2..=4 => {
            let length = next() % 8 + 1;
            Terminator::delimiter(bytes(next, length)).ok()
        }
        5 => {
            let count = next() % 4 + 1;
            let set: Vec<Vec<u8>> = (0..count)
                .map(|_| {
                    let length = next() % 4 + 1;
                    bytes(next, length)
                })
                .collect();
            Terminator::any_of(set).ok()
        }
        6 => Some(Terminator::Close),
        _ => return Setting::Stop,
    };
    made.map_or(Setting::Keep, Setting::Set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_string_is_a_case() {
        for data in [&b""[..], b"\xff", b"\x07", b"\x00\x00\x02\x01ab", b"\xff\xff\x05\xff\xff\xff"] {
            let case = EngineCase::decode(data);
            assert_eq!(case.chunks().map(|(chunk, _)| chunk.len()).sum::<usize>(), case.stream.len());
        }
    }

    #[test]
    fn cuts_and_changes_are_items_of_the_stream() {
        let case = EngineCase::decode(b"\x01\x00\x02\x01\r\n\x01\x03ab\xff\x00c\xff\x01\x01\xff\xffd");
        assert_eq!(case.stream, b"abc\xffd");
        assert_eq!(case.cuts, [(2, None), (3, Terminator::length(3))]);
        let chunks: Vec<_> = case.chunks().map(|(chunk, set)| (chunk, set.is_some())).collect();
        assert_eq!(chunks, [(&b"ab"[..], false), (b"c", true), (b"\xffd", false)]);
    }
}
