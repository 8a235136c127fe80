//! Edits of one message: its length, its numbers, its end, its words.

use std::ops::Range;

use fastrand::Rng;

/// Bytes at which parsers turn.
const BYTES: [u8; 16] = [0, 1, 0x7f, 0x80, 0xff, 0xfe, b'\r', b'\n', b' ', b'0', b'-', b'"', b';', b':', b',', b'\\'];

/// Numbers at which parsers turn, as text.
const NUMBERS: [&str; 18] = [
    "a",
    "1F",
    "ffffffffffffffff",
    "10000000000000000",
    "0",
    "-1",
    "00",
    "1",
    "10",
    "127",
    "255",
    "65535",
    "65536",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
];

/// Changes a message once.
pub(super) fn edit(message: &mut Vec<u8>, tokens: &[Vec<u8>], random: &mut Rng) {
    if message.is_empty() {
        message.push(pick(&BYTES, random));
        return;
    }
    match random.u8(..16) {
        0..=2 => change_length(message, random),
        3 | 4 => change_number(message, random),
        5 | 6 => change_end(message, random),
        7 => message.truncate(random.usize(..message.len())),
        8 => extend(message, random),
        9..=11 => insert_token(message, tokens, random),
        12 => {
            let range = range(message, random);
            message.drain(range);
        }
        13 => {
            let copy = message[range(message, random)].to_vec();
            let at = random.usize(..=message.len());
            message.splice(at..at, copy);
        }
        14 => {
            let at = random.usize(..message.len());
            if random.bool() {
                message[at] ^= 1 << random.u8(..8);
            } else {
                message[at] = pick(&BYTES, random);
            }
        }
        _ => change_case(message, random),
    }
}

pub(super) fn pick<T: Copy>(of: &[T], random: &mut Rng) -> T {
    of[random.usize(..of.len())]
}

/// Returns a short range that is not empty.
fn range(bytes: &[u8], random: &mut Rng) -> Range<usize> {
    let from = random.usize(..bytes.len());
    let most = (bytes.len() - from).min(if random.bool() { 4 } else { 64 });
    from..from + random.usize(1..=most)
}

/// A number in a message that may be a length.
struct Length {
    at: usize,
    width: usize,
    is_little: bool,
    value: u64,
}

/// Returns the numbers that count the bytes of the message, or those behind them, as far as common
/// protocols count: the number itself, and a few bytes around it, belong to the count or do not.
fn lengths(message: &[u8]) -> Vec<Length> {
    let mut found = Vec::new();
    for at in 0..message.len().min(24) {
        for width in [1usize, 2, 3, 4, 8] {
            let Some(bytes) = message.get(at..at + width) else { continue };
            let big = bytes.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
            let little = bytes.iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
            let (all, rest) = (message.len() as u64, (message.len() - at - width) as u64);
            for (value, is_little) in [(big, false), (little, true)] {
                let counts = value == all
                    || value == rest
                    || value.wrapping_add(4) == all
                    || value.wrapping_add(2) == rest
                    || value == rest + width as u64;
                if counts && (width == 1 || value > 0) && !(width == 1 && is_little) {
                    found.push(Length { at, width, is_little, value });
                }
            }
        }
    }
    found
}

/// Changes a length by one, or to nothing, or to the most that it can be.
fn change_length(message: &mut [u8], random: &mut Rng) {
    let found = lengths(message);
    if found.is_empty() {
        // Any number of two bytes may be one.
        let at = random.usize(..message.len());
        message[at] = message[at].wrapping_add(if random.bool() { 1 } else { 0xff });
        return;
    }
    let Length { at, width, is_little, value } = &found[random.usize(..found.len())];
    let most = if *width == 8 { u64::MAX } else { (1 << (8 * width)) - 1 };
    let value = match random.u8(..8) {
        0 | 1 => value.wrapping_add(1),
        2 | 3 => value.wrapping_sub(1),
        4 => 0,
        5 => most,
        6 => most / 2 + 1,
        _ => value.wrapping_add(u64::from(random.u8(..))),
    } & most;
    let bytes = value.to_be_bytes();
    let bytes = &bytes[8 - width..];
    message[*at..at + width].copy_from_slice(bytes);
    if *is_little {
        message[*at..at + width].reverse();
    }
}

/// Returns the runs of digits.
fn numbers(message: &[u8]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, byte) in message.iter().enumerate() {
        if !byte.is_ascii_digit() {
            continue;
        }
        match found.last_mut() {
            Some(last) if last.end == at => last.end += 1,
            _ => found.push(at..at + 1),
        }
    }
    found
}

/// Changes a number that is written in digits.
fn change_number(message: &mut Vec<u8>, random: &mut Rng) {
    let found = numbers(message);
    if found.is_empty() {
        return change_length(message, random);
    }
    let range = found[random.usize(..found.len())].clone();
    let digits = String::from_utf8_lossy(&message[range.clone()]).into_owned();
    let value = digits.parse::<u64>().unwrap_or(0);
    let changed = match random.u8(..10) {
        0 | 1 => value.wrapping_add(1).to_string(),
        2 | 3 => value.saturating_sub(1).to_string(),
        4 => format!("0{digits}"),
        5 => format!("{value:x}"),
        6 => format!("{value:X}"),
        7 => format!("{}{digits}", pick(&["+", "-", " ", "0x"], random)),
        _ => pick(&NUMBERS, random).to_owned(),
    };
    message.splice(range, changed.into_bytes());
}

/// Breaks or moves the end of a line or of the message.
fn change_end(message: &mut Vec<u8>, random: &mut Rng) {
    let ends: Vec<usize> = (0..message.len()).filter(|at| matches!(message[*at], b'\r' | b'\n' | 0)).collect();
    if ends.is_empty() {
        message.pop();
        return;
    }
    let at = ends[random.usize(..ends.len())];
    match random.u8(..7) {
        0 | 1 => {
            message.remove(at);
        }
        2 => message[at] = pick(b"\r\n\0 ", random),
        3 => message.insert(at, message[at]),
        4 => message.insert(at, pick(b" \t\r\n\0x", random)),
        5 => {
            // A line is folded.
            let behind =
                (at + 1..message.len()).find(|at| !matches!(message[*at], b'\r' | b'\n')).unwrap_or(message.len());
            message.insert(behind, pick(b" \t", random));
        }
        _ => {
            message.splice(at..at, *b"\r\n");
        }
    }
}

fn extend(message: &mut Vec<u8>, random: &mut Rng) {
    let length = 1 << random.u8(..7);
    let byte = if random.bool() { pick(&BYTES, random) } else { random.u8(..) };
    message.extend(std::iter::repeat_n(byte, length));
}

/// Puts a token behind or in the place of another word.
fn insert_token(message: &mut Vec<u8>, tokens: &[Vec<u8>], random: &mut Rng) {
    if tokens.is_empty() {
        let at = random.usize(..=message.len());
        return message.insert(at, pick(&BYTES, random));
    }
    let token = &tokens[random.usize(..tokens.len())];
    // Words begin behind what is no letter and no digit.
    let begins: Vec<usize> =
        (0..=message.len()).filter(|at| *at == 0 || !message[at - 1].is_ascii_alphanumeric()).collect();
    let at = if random.u8(..4) == 0 { random.usize(..=message.len()) } else { begins[random.usize(..begins.len())] };
    let word = message[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let replaced = if random.bool() { word.max(usize::from(random.bool()) * token.len()) } else { 0 };
    let end = (at + replaced).min(message.len());
    message.splice(at..end, token.iter().copied());
}

fn change_case(message: &mut [u8], random: &mut Rng) {
    let at = random.usize(..message.len());
    let word = message[at..].iter_mut().take_while(|byte| byte.is_ascii_alphabetic());
    let lower = random.bool();
    for byte in word {
        if lower { byte.make_ascii_lowercase() } else { byte.make_ascii_uppercase() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_found_in_both_byte_orders() {
        let at = |message: &[u8]| -> Vec<(usize, usize, bool)> {
            lengths(message).iter().map(|length| (length.at, length.width, length.is_little)).collect()
        };
        assert!(at(b"\x00\x00\x00\x0aabcdefghij").contains(&(0, 4, false)));
        assert!(at(b"\x0a\x00\x00\x00abcdefghij").contains(&(0, 4, true)));
        assert!(at(b"x\x05hello").contains(&(1, 1, false)));
        assert!(at(b"abcdefghij").is_empty());
    }

    #[test]
    fn numbers_are_runs_of_digits() {
        assert_eq!(numbers(b"Content-Length: 12\r\n$3"), [16..18, 21..22]);
    }
}
