//! The pieces of a line: escaped text, numbers, addresses.
//!
//! Text from the wire ends up in logs and on terminals. JSON escapes it by its own rules (RFC 8259,
//! section 7). Text for people escapes every control character, so that a message can neither draw
//! on a terminal nor begin a line: `\n`, `\r`, `\t`, and `\x1b` for the others in ASCII, as the
//! summaries of protocols write them. Both forms escape the characters that have no width or change
//! the direction of text: a name could look like another one. They are `\u{202e}` in text.

use std::fmt;
use std::net::SocketAddr;

/// Appends formatted text. Writing to a `String` does not fail. A `Display` that reports an error
/// has written a part of its text.
pub(crate) fn push(out: &mut impl fmt::Write, arguments: fmt::Arguments<'_>) {
    let _ = out.write_fmt(arguments);
}

/// A line that grows: a text, or the bytes of one.
pub(crate) trait Line {
    fn push_str(&mut self, text: &str);
}

impl Line for String {
    #[inline]
    fn push_str(&mut self, text: &str) {
        self.push_str(text);
    }
}

impl Line for Vec<u8> {
    #[inline]
    fn push_str(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }
}

/// Escapes everything that is written to it.
struct JsonEscaping<'a>(&'a mut Vec<u8>);

impl fmt::Write for JsonEscaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_json(text, self.0);
        Ok(())
    }
}

/// Escapes the control characters of everything that is written to it.
struct PlainEscaping<'a>(&'a mut String);

impl fmt::Write for PlainEscaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_plain(text, self.0);
        Ok(())
    }
}

/// Appends the text of `display`, as the inside of a JSON string.
pub(crate) fn push_json_display(display: &dyn fmt::Display, line: &mut Vec<u8>) {
    push(&mut JsonEscaping(line), format_args!("{display}"));
}

/// Appends the text of `display`, with its control characters escaped.
pub(crate) fn push_plain_display(display: &dyn fmt::Display, line: &mut String) {
    push(&mut PlainEscaping(line), format_args!("{display}"));
}

/// Appends a number in decimal digits.
pub(crate) fn push_number(number: u64, line: &mut impl Line) {
    line.push_str(itoa::Buffer::new().format(number));
}

/// Appends a count and a noun whose plural ends in `s`.
pub(crate) fn push_counted(number: u64, noun: &str, line: &mut String) {
    push_number(number, line);
    line.push(' ');
    line.push_str(noun);
    line.push_str(if number == 1 { "" } else { "s" });
}

/// Appends an address as its `Display` writes it. Every record has two of them, so IPv4 addresses
/// are written without `Display`, which is slower.
pub(crate) fn push_address(address: &SocketAddr, line: &mut impl Line) {
    let SocketAddr::V4(address) = address else { return line.push_str(&address.to_string()) };
    // An octet takes at most three digits and the character after it, a port five digits.
    let mut text = [0; 4 * 4 + 5];
    let mut end = 0;
    let mut put = |byte| {
        text[end] = byte;
        end += 1;
    };
    for (octet, follows) in address.ip().octets().into_iter().zip(*b"...:") {
        if octet >= 100 {
            put(b'0' + octet / 100);
        }
        if octet >= 10 {
            put(b'0' + octet / 10 % 10);
        }
        put(b'0' + octet % 10);
        put(follows);
    }
    for byte in itoa::Buffer::new().format(address.port()).bytes() {
        put(byte);
    }
    // All of it is ASCII.
    line.push_str(std::str::from_utf8(&text[..end]).unwrap_or_default());
}

/// Appends the inside of a JSON string (RFC 8259, section 7). DEL and the C1 controls are escaped
/// too, although JSON allows them.
pub(crate) fn push_json(text: &str, line: &mut Vec<u8>) {
    let text = text.as_bytes();
    let mut at = 0;
    while at < text.len() {
        // The whole block, not up to the first suspect: so the compiler can use vector
        // instructions.
        if let Some(block) = text[at..].first_chunk::<BLOCK>()
            && block.iter().fold(true, |plain, byte| plain & is_plain_in_json(*byte))
        {
            line.extend_from_slice(block);
            at += BLOCK;
            continue;
        }
        // Byte by byte: runs between suspects are so short that copying them takes longer.
        let end = text.len().min(at + BLOCK);
        while at < end {
            let byte = text[at];
            if JSON_SUSPECTS[usize::from(byte)] {
                at += push_json_escape(&text[at..], line);
            } else {
                line.push(byte);
                at += 1;
            }
        }
    }
}

/// The bytes that may need an escape in JSON.
const JSON_SUSPECTS: [bool; 256] = suspects(b"\"\\");

/// Returns whether the byte is no suspect.
#[inline(always)]
fn is_plain_in_json(byte: u8) -> bool {
    (byte >= b' ') & (byte != b'"') & (byte != b'\\') & (byte < 0x7f)
}

/// Appends the character that `text` begins with, escaped if necessary. Its first byte is a
/// suspect. Returns how many bytes were taken.
#[inline]
fn push_json_escape(text: &[u8], line: &mut Vec<u8>) -> usize {
    match *text {
        [b'"', ..] => line.extend_from_slice(b"\\\""),
        [b'\\', ..] => line.extend_from_slice(b"\\\\"),
        [b'\n', ..] => line.extend_from_slice(b"\\n"),
        [b'\r', ..] => line.extend_from_slice(b"\\r"),
        [b'\t', ..] => line.extend_from_slice(b"\\t"),
        [0x80..=0xff, ..] => return push_json_character(text, line),
        [byte @ (0..0x20 | 0x7f), ..] => line.push_str(&format!("\\u{byte:04x}")),
        [byte, ..] => line.push(byte),
        [] => {}
    }
    1
}

/// Appends the character outside ASCII that `text` begins with, escaped if it is hidden. Returns
/// how many bytes were taken.
#[cold]
fn push_json_character(text: &[u8], line: &mut Vec<u8>) -> usize {
    let length = text.iter().skip(1).take_while(|byte| **byte & 0xc0 == 0x80).count() + 1;
    match std::str::from_utf8(&text[..length]).ok().and_then(|text| text.chars().next()) {
        Some(c) if is_hidden(c) => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                line.push_str(&format!("\\u{unit:04x}"));
            }
        }
        _ => line.extend_from_slice(&text[..length]),
    }
    length
}

/// Returns whether a character is to be escaped: it is a control, has no width, changes the
/// direction of text, or ends a line. Joiners that writing needs are among them: U+200C and U+200D.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
                | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Appends text with its control characters and its hidden characters escaped: `\n`, `\x1b`,
/// `\u{202e}`.
pub(crate) fn push_plain(text: &str, line: &mut String) {
    const SUSPECTS: [bool; 256] = suspects(b"");
    let is_plain = |byte| matches!(byte, b' '..=b'~');
    push_runs(text, line, &SUSPECTS, is_plain, |c, line| {
        push_plain_character(c, line);
    });
}

fn push_plain_character(c: char, line: &mut String) {
    match c {
        '\n' => line.push_str("\\n"),
        '\r' => line.push_str("\\r"),
        '\t' => line.push_str("\\t"),
        c if c.is_ascii() && is_hidden(c) => push(line, format_args!("\\x{:02x}", u32::from(c))),
        c if is_hidden(c) => push(line, format_args!("\\u{{{:x}}}", u32::from(c))),
        c => line.push(c),
    }
}

/// Text with its control characters and its hidden characters escaped.
pub(crate) struct Plain<'a>(pub(crate) &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        push_plain(self.0, &mut text);
        f.write_str(&text)
    }
}

/// Returns the bytes that a character to be escaped may begin with: `others`, and the first bytes
/// of control characters and of [hidden](is_hidden) ones.
const fn suspects(others: &[u8]) -> [bool; 256] {
    let mut suspects = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        suspects[byte] = true;
        byte += 1;
    }
    suspects[0x7f] = true;
    let mut at = 0;
    while at < HIDDEN_FIRST_BYTES.len() {
        suspects[HIDDEN_FIRST_BYTES[at] as usize] = true;
        at += 1;
    }
    let mut at = 0;
    while at < others.len() {
        suspects[others[at] as usize] = true;
        at += 1;
    }
    suspects
}

/// The first bytes, in UTF-8, of the hidden characters outside ASCII. Other characters begin with
/// them, too.
const HIDDEN_FIRST_BYTES: [u8; 9] = [0xc2, 0xcd, 0xd8, 0xe1, 0xe2, 0xe3, 0xef, 0xf0, 0xf3];

/// The number of bytes that are checked together.
const BLOCK: usize = 16;

/// Returns the place of the first suspect. Most text has none, and a block without one takes a few
/// instructions.
#[inline(always)]
fn first_suspect(text: &[u8], suspects: &[bool; 256], is_plain: impl Fn(u8) -> bool) -> Option<usize> {
    let (blocks, _) = text.as_chunks::<BLOCK>();
    // The whole block, not up to the first suspect: so the compiler can use vector instructions.
    let plain = blocks.iter().take_while(|block| block.iter().fold(true, |plain, byte| plain & is_plain(*byte)));
    let from = plain.count() * BLOCK;
    text[from..].iter().position(|byte| suspects[usize::from(*byte)]).map(|at| from + at)
}

/// Copies `text`. A character that begins with a suspect is given to `escape` instead. `is_plain`
/// must be false for every suspect.
#[inline(always)]
fn push_runs(
    text: &str,
    line: &mut String,
    suspects: &[bool; 256],
    is_plain: impl Fn(u8) -> bool,
    escape: impl Fn(char, &mut String),
) {
    let mut rest = text;
    while let Some(at) = first_suspect(rest.as_bytes(), suspects, &is_plain) {
        // A suspect is always the first byte of a character.
        let (run, from) = rest.split_at(at);
        line.push_str(run);
        let mut chars = from.chars();
        if let Some(c) = chars.next() {
            escape(c, line);
        }
        rest = chars.as_str();
    }
    line.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_nothing_else_is() {
        for c in '\0'..=char::MAX {
            // Behind a block, across two, and in one.
            let text = format!("é{c}\u{a0}{c}, sixteen and more{c} of them at a time and{c}");
            let (mut json, mut plain) = (Vec::new(), String::new());
            push_json(&text, &mut json);
            let json = String::from_utf8(json).unwrap();
            push_plain(&text, &mut plain);
            assert_eq!(serde_json::from_str::<String>(&format!("\"{json}\"")).unwrap(), text);
            assert_eq!(json.len() > text.len(), is_hidden(c) || matches!(c, '"' | '\\'), "{c:?}");
            assert!(!plain.chars().any(is_hidden), "{c:?}");
            assert_eq!(plain == text, !is_hidden(c), "{c:?}");
        }
    }

    #[test]
    fn addresses_are_written_as_their_display_writes_them() {
        for address in ["0.0.0.0:0", "10.200.3.255:65535", "[::1]:80", "[fe80::1%3]:443", "[::ffff:1.2.3.4]:9"] {
            let address: SocketAddr = address.parse().unwrap();
            let mut written = String::new();
            push_address(&address, &mut written);
            assert_eq!(written, address.to_string());
        }
    }
}
