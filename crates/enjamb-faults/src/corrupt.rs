//! Changes of one message: a byte, its terminator, or its length.
//!
//! A message does not tell where its length is. But a number that counts the bytes behind it is
//! very likely the length of these bytes, so such a number is looked for: in digits, as HTTP, Redis
//! and language servers write it, and in binary, near the beginning.

use std::fmt::Write as _;
use std::ops::Range;

use crate::effect::Part;

/// The number of bytes at the beginning of a message in which a binary length is looked for.
const BINARY_SEARCH_MAX: usize = 16;

/// The number of bytes at the beginning of a message in which digits are looked for.
const TEXT_SEARCH_MAX: usize = 64 << 10;

/// The bytes that end messages: LF, CR, NUL, and the end of a frame in AMQP.
const TERMINATORS: [u8; 4] = [b'\n', b'\r', 0, 0xce];

impl Part {
    /// Returns `byte`, `length` or `terminator`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Byte => "byte",
            Self::Length => "length",
            Self::Terminator => "terminator",
        }
    }
}

/// Changes a part of a message, and describes the change. `None`: the part was not found.
pub(crate) fn corrupt(bytes: &mut [u8], part: Part, random: &mut fastrand::Rng) -> Option<String> {
    match part {
        Part::Byte if bytes.is_empty() => None,
        Part::Byte => {
            let at = random.usize(0..bytes.len());
            Some(change_byte(bytes, at, part, random))
        }
        Part::Terminator => {
            let at = bytes.len().checked_sub(1).filter(|at| TERMINATORS.contains(&bytes[*at]))?;
            Some(change_byte(bytes, at, part, random))
        }
        Part::Length => {
            let range = find_length(bytes)?;
            let before = shown(&bytes[range.clone()]);
            change_length(&mut bytes[range.clone()], random);
            let after = shown(&bytes[range.clone()]);
            Some(format!("the length at byte {} from {before} to {after}", range.start))
        }
    }
}

fn change_byte(bytes: &mut [u8], at: usize, part: Part, random: &mut fastrand::Rng) -> String {
    let before = bytes[at];
    bytes[at] ^= random.u8(1..=255);
    format!("{} at byte {at} from {before:#04x} to {:#04x}", part.as_str(), bytes[at])
}

/// Writes digits as they are, and other bytes in hexadecimal.
fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    if bytes.iter().all(u8::is_ascii_digit) {
        text.extend(bytes.iter().map(|byte| char::from(*byte)));
    } else {
        text.push_str("0x");
        for byte in bytes {
            // Writing to a `String` does not fail.
            let _ = write!(text, "{byte:02x}");
        }
    }
    text
}

/// Changes a length into another one of the same width: one more, one less, none, or the most that
/// fits.
fn change_length(bytes: &mut [u8], random: &mut fastrand::Rng) {
    let before = bytes.to_vec();
    let is_text = bytes.iter().all(u8::is_ascii_digit);
    let (least, most) = if is_text { (b'0', b'9') } else { (0, 0xff) };
    let last = bytes.len() - 1;
    match random.u8(0..4) {
        0 if bytes[last] < most => bytes[last] += 1,
        1 if bytes[last] > least => bytes[last] -= 1,
        2 => bytes.fill(least),
        _ => bytes.fill(most),
    }
    if bytes == before {
        bytes[last] = if before[last] == most { least } else { before[last] + 1 };
    }
}

/// Returns the place of a number that counts the bytes behind it, or those of the whole message.
fn find_length(bytes: &[u8]) -> Option<Range<usize>> {
    let is_text = bytes.iter().take(4).all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    if is_text {
        find_digits(bytes).or_else(|| find_binary(bytes))
    } else {
        find_binary(bytes).or_else(|| find_digits(bytes))
    }
}

/// Finds digits that count the bytes behind their line, or behind the blank line after it. A line
/// end at the end of the message may or may not count.
fn find_digits(bytes: &[u8]) -> Option<Range<usize>> {
    let searched = &bytes[..bytes.len().min(TEXT_SEARCH_MAX)];
    let blank_line = searched.windows(4).position(|end| end == b"\r\n\r\n").map(|at| bytes.len() - at - 4);
    let mut at = 0;
    while let Some(start) = searched[at..].iter().position(u8::is_ascii_digit).map(|start| at + start) {
        let digits = searched[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        at = start + digits;
        let line_end = searched[at..].iter().position(|byte| *byte == b'\n')?;
        let behind = bytes.len() - (at + line_end + 1);
        let Ok(value) = std::str::from_utf8(&searched[start..at]).unwrap_or_default().parse::<usize>() else {
            continue;
        };
        let counts = value > 0 && (value == behind || value + 2 == behind || Some(value) == blank_line);
        if counts {
            return Some(start..at);
        }
    }
    None
}

/// Finds a binary number that counts the bytes behind it, those from its own first byte on, or all.
/// A few bytes behind it may not count: the rest of a header, or a byte that ends the frame.
fn find_binary(bytes: &[u8]) -> Option<Range<usize>> {
    let length = bytes.len();
    for start in 0..length.min(BINARY_SEARCH_MAX) {
        for width in [4, 2, 3, 1] {
            let Some(number) = bytes.get(start..start + width) else { continue };
            let big = number.iter().fold(0_usize, |value, byte| value << 8 | usize::from(*byte));
            let little = number.iter().rev().fold(0_usize, |value, byte| value << 8 | usize::from(*byte));
            let behind = length - start - width;
            // MySQL has one byte of the header behind its length, HTTP/2 six.
            let rests: &[usize] = match width {
                3 => &[0, 1, 6],
                1 => &[0],
                _ => &[0, 1],
            };
            let counts = |value: usize| {
                let is_rest = rests.iter().any(|rest| Some(value) == behind.checked_sub(*rest));
                value > 0 && (is_rest || value == length || value == length - start)
            };
            if counts(big) || counts(little) {
                return Some(start..start + width);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_message_is_found() {
        let cases: [(&[u8], Option<Range<usize>>); 12] = [
            (b"$5\r\nhello\r\n", Some(1..2)),
            (b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", Some(14..15)),
            (b"POST / HTTP/1.1\r\nContent-Length: 12\r\nHost: a\r\n\r\n{\"id\":\"abc\"}", Some(33..35)),
            (b"PUB subject 5\r\nhello\r\n", Some(12..13)),
            (b"GET / HTTP/1.1\r\n\r\n", None),
            (b"\x30\x05\x00\x01ahi", Some(1..2)),
            (b"Q\x00\x00\x00\x0cselect\x00", Some(1..5)),
            (b"\x03\x00\x00\x01\x01ab", Some(0..3)),
            (b"\x01\x00\x01\x00\x00\x00\x05hello\xce", Some(3..7)),
            (b"\x00\x00\x03\x01\x04\x00\x00\x00\x01abc", Some(0..3)),
            (b"\x1d\x00\x00\x00abcdefghijklmnopqrstuvwxy", Some(0..4)),
            (b"", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(find_length(bytes), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_changed_part_differs_and_nothing_else_does() {
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            for part in [Part::Byte, Part::Length, Part::Terminator] {
                let before = b"$5\r\nhello\r\n";
                let mut after = *before;
                let change = corrupt(&mut after, part, &mut random).unwrap();
                let changed: Vec<_> = (0..before.len()).filter(|at| before[*at] != after[*at]).collect();
                let expected = match part {
                    Part::Byte => changed[0],
                    Part::Length => 1,
                    Part::Terminator => before.len() - 1,
                };
                assert_eq!(changed, [expected], "{change}");
                assert!(change.contains(&format!("byte {expected}")), "{change}");
            }
        }
        let mut random = fastrand::Rng::with_seed(1);
        assert_eq!(corrupt(&mut b"abc".to_owned(), Part::Terminator, &mut random), None);
    }
}
