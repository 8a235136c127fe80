//! Programs of terminators: the settings, and a stream in which they occur.

use fastrand::Rng;

use super::message::pick;
use super::pieces::rearrange;
use crate::engine::case::ESCAPE;

/// The number of bytes before the settings: flags, and the limit.
const HEAD: usize = 2;

/// The maximum number of settings.
const SETTINGS_MAX: usize = 8;

/// A program in its parts.
struct Parts {
    flags: u8,
    max: u8,
    settings: Vec<Vec<u8>>,
    /// Bytes and items of the stream.
    stream: Vec<Vec<u8>>,
}

impl Parts {
    fn read(data: &[u8]) -> Self {
        let at = |at: usize| data.get(at).copied().unwrap_or(0);
        let (flags, max) = (at(0), at(1));
        let mut from = HEAD.min(data.len());
        let settings = (0..(flags & 7) + 1).map(|_| {
            let setting = setting(&data[from..]).to_vec();
            from += setting.len();
            setting
        });
        let settings = settings.collect();
        Self { flags, max, settings, stream: items(&data[from..]) }
    }

    fn write(&self) -> Vec<u8> {
        let count = self.settings.len().clamp(1, SETTINGS_MAX);
        let mut data = vec![self.flags & !7 | (count as u8 - 1), self.max];
        for number in 0..count {
            data.extend(self.settings.get(number).map_or(&b"\0"[..], Vec::as_slice));
        }
        data.extend(self.stream.concat());
        data
    }

    /// Returns the delimiters of all settings.
    fn delimiters(&self) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for setting in &self.settings {
            match setting.first().map(|kind| kind % 8) {
                Some(2..=4) => found.extend(setting.get(2..).map(<[u8]>::to_vec)),
                Some(5) => {
                    let mut rest = setting.get(2..).unwrap_or_default();
                    while let Some((length, bytes)) = rest.split_first() {
                        let (one, behind) = bytes.split_at(usize::from(length % 4 + 1).min(bytes.len()));
                        found.push(one.to_vec());
                        rest = behind;
                    }
                }
                _ => {}
            }
        }
        found.retain(|delimiter| !delimiter.is_empty());
        found
    }
}

/// Returns the first setting of the bytes.
fn setting(data: &[u8]) -> &[u8] {
    let at = |at: usize| usize::from(data.get(at).copied().unwrap_or(0));
    let length = match at(0) % 8 {
        1 => 2,
        2..=4 => 2 + at(1) % 8 + 1,
        5 => {
            let mut length = 2;
            for _ in 0..at(1) % 4 + 1 {
                length += 1 + at(length) % 4 + 1;
            }
            length
        }
        _ => 1,
    };
    &data[..length.min(data.len())]
}

/// Splits a stream into bytes and items.
fn items(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut items = Vec::new();
    let mut rest = stream;
    while let Some(first) = rest.first() {
        let length = match (first, rest.get(1)) {
            (&ESCAPE, Some(&ESCAPE)) => 2,
            (&ESCAPE, Some(kind)) => 2 + usize::from(kind % 2),
            _ => 1,
        };
        let (item, behind) = rest.split_at(length.min(rest.len()));
        items.push(item.to_vec());
        rest = behind;
    }
    items
}

fn escaped(byte: u8) -> Vec<u8> {
    if byte == ESCAPE { vec![ESCAPE; 2] } else { vec![byte] }
}

/// Returns the program with some edits.
pub(super) fn mutate(data: &[u8], edits: usize, random: &mut Rng) -> Vec<u8> {
    let mut parts = Parts::read(data);
    for _ in 0..edits {
        change(&mut parts, random);
    }
    parts.write()
}

fn change(parts: &mut Parts, random: &mut Rng) {
    let delimiters = parts.delimiters();
    let at = random.usize(..=parts.stream.len());
    match random.u8(..20) {
        0 => parts.flags ^= 1 << random.u8(3..8),
        1 => {
            let near = [parts.max.wrapping_add(1), parts.max.wrapping_sub(1)];
            parts.max = pick(&[0, 1, 2, 3, near[0], near[1], random.u8(..16)], random);
        }
        2 => rearrange(&mut parts.settings, random),
        3 | 4 => parts.settings.insert(random.usize(..=parts.settings.len()), new_setting(&delimiters, random)),
        5 => {
            if let Some(number) = random.usize(..parts.settings.len().max(1)).checked_rem(parts.settings.len())
                && let Some(byte) =
                    random.usize(..parts.settings[number].len().max(1)).checked_rem(parts.settings[number].len())
            {
                parts.settings[number][byte] =
                    parts.settings[number][byte].wrapping_add(pick(&[1, 0xff, random.u8(..)], random));
            }
        }
        6..=9 if !delimiters.is_empty() => {
            // A delimiter, or the beginning of one, cut or not.
            let delimiter = &delimiters[random.usize(..delimiters.len())];
            let length = if random.u8(..3) == 0 { random.usize(..=delimiter.len()) } else { delimiter.len() };
            let mut items: Vec<Vec<u8>> = delimiter[..length].iter().map(|byte| escaped(*byte)).collect();
            if random.bool() {
                items.insert(random.usize(..=items.len()), vec![ESCAPE, 0]);
            }
            parts.stream.splice(at..at, items);
        }
        10 | 11 => parts.stream.insert(at, vec![ESCAPE, 0]),
        12 => parts.stream.insert(at, vec![ESCAPE, 1, random.u8(..)]),
        13 => parts.stream.retain(|item| item.len() != 2 || item[1] == ESCAPE),
        14 => {
            // A byte of a delimiter, which is taken for its beginning.
            let byte = delimiters.first().and_then(|delimiter| delimiter.first()).copied().unwrap_or(b'a');
            let count = random.usize(1..6);
            parts.stream.splice(at..at, std::iter::repeat_n(escaped(byte), count));
        }
        15 | 16 if !parts.stream.is_empty() => {
            let from = random.usize(..parts.stream.len());
            let to = (from + random.usize(1..12)).min(parts.stream.len());
            if random.bool() {
                parts.stream.drain(from..to);
            } else {
                let copy = parts.stream[from..to].to_vec();
                parts.stream.splice(at..at, copy);
            }
        }
        17 => parts.stream.truncate(at),
        _ => parts
            .stream
            .insert(at, escaped(pick(&[b'a', b'b', b'\r', b'\n', 0xc3, 0xa9, 0xe2, 0x82, random.u8(..)], random))),
    }
    parts.settings.truncate(SETTINGS_MAX);
}

/// Makes a setting. Delimiters often begin like one that exists.
fn new_setting(delimiters: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let mut delimiter = |most: usize| -> Vec<u8> {
        let mut bytes = delimiters.get(random.usize(..delimiters.len().max(1))).cloned().unwrap_or_default();
        bytes.truncate(random.usize(..=bytes.len()));
        bytes.push(pick(b"ab\r\n", random));
        bytes.truncate(most);
        bytes
    };
    let (one, other) = (delimiter(4), delimiter(8));
    match random.u8(..8) {
        0 => vec![0],
        1 => vec![1, random.u8(1..20)],
        2 | 3 => [&[2, other.len() as u8 - 1], &other[..]].concat(),
        4 | 5 => {
            let second = &other[..other.len().min(4)];
            [&[5, 1, one.len() as u8 - 1], &one[..], &[second.len() as u8 - 1], second].concat()
        }
        6 => vec![6],
        _ => vec![7],
    }
}

/// Puts the settings of one program before the stream of both.
pub(super) fn cross(one: &[u8], other: &[u8], random: &mut Rng) -> Vec<u8> {
    let (mut one, other) = (Parts::read(one), Parts::read(other));
    if random.bool() {
        let at = random.usize(..=one.settings.len());
        one.settings.splice(at..at, other.settings);
        one.settings.truncate(SETTINGS_MAX);
    }
    let at = random.usize(..=one.stream.len());
    let from = random.usize(..=other.stream.len());
    one.stream.splice(at.., other.stream[from..].iter().cloned());
    one.write()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_written_as_it_was_read() {
        let data = b"\x09\x05\x02\x01\r\n\x05\x01\x00a\x01bc\xff\x00x\xff\x01\x00\xff\xffy";
        let parts = Parts::read(data);
        assert_eq!(parts.settings, [b"\x02\x01\r\n".to_vec(), b"\x05\x01\x00a\x01bc".to_vec()]);
        assert_eq!(parts.delimiters(), [b"\r\n".to_vec(), b"a".to_vec(), b"bc".to_vec()]);
        assert_eq!(parts.stream.len(), 5);
        assert_eq!(parts.write(), data);
    }
}
