//! Characters, byte-order marks and empty messages.

use enjamb_law::{Decoded, Never, Pushing};

use crate::planted;

/// Text that arrives in pieces.
#[derive(Default)]
struct Text {
    part: Vec<u8>,
    line: String,
    bytes: Vec<u8>,
    begun: bool,
}

type Lines = Result<Vec<String>, Never>;

impl Text {
    fn lines(&mut self, text: &str) -> Lines {
        let mut lines = Vec::new();
        for character in text.chars() {
            match character {
                '\n' => lines.push(std::mem::take(&mut self.line)),
                character => self.line.push(character),
            }
        }
        Ok(lines)
    }

    /// The bug: a chunk that completes a character and begins another loses the beginning.
    fn feed(&mut self, bug: bool, chunk: &[u8]) -> Lines {
        let carried = !self.part.is_empty();
        let mut bytes = std::mem::take(&mut self.part);
        bytes.extend_from_slice(chunk);
        let whole = match std::str::from_utf8(&bytes) {
            Ok(_) => bytes.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return self.replacing(&bytes),
        };
        if !(bug && carried) {
            self.part = bytes[whole..].to_vec();
        }
        let text = String::from_utf8_lossy(&bytes[..whole]).into_owned();
        self.lines(&text)
    }

    /// Decodes with replacements, and keeps an unfinished character.
    fn replacing(&mut self, bytes: &[u8]) -> Lines {
        let mut rest = bytes;
        let mut text = String::new();
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    break;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    match error.error_len() {
                        None => {
                            self.part = after.to_vec();
                            break;
                        }
                        Some(len) => {
                            text.push('\u{fffd}');
                            rest = &after[len..];
                        }
                    }
                }
            }
        }
        self.lines(&text)
    }

    /// The bug: the byte-order mark is looked for only in the first chunk.
    fn feed_with_mark(&mut self, bug: bool, chunk: &[u8]) -> Result<Vec<Vec<u8>>, Never> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        if self.begun {
            return self.split(chunk);
        }
        self.part.extend_from_slice(chunk);
        if self.part.is_empty() || (!bug && self.part.len() < MARK.len() && MARK.starts_with(&self.part)) {
            return Ok(Vec::new());
        }
        self.begun = true;
        let first = std::mem::take(&mut self.part);
        self.split(first.strip_prefix(MARK).unwrap_or(&first))
    }

    /// The bug: a byte-order mark is removed from the front of each chunk.
    fn feed_without_marks(&mut self, bug: bool, chunk: &[u8]) -> Result<Vec<Vec<u8>>, Never> {
        self.split(if bug { chunk.strip_prefix(b"\xef\xbb\xbf").unwrap_or(chunk) } else { chunk })
    }

    fn split(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, Never> {
        let mut lines = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => lines.push(std::mem::take(&mut self.bytes)),
                byte => self.bytes.push(*byte),
            }
        }
        Ok(lines)
    }

    /// The bug: a chunk that is an empty line counts as a sign of life, and not as a message.
    fn feed_with_signs_of_life(&mut self, bug: bool, chunk: &[u8]) -> Result<Vec<Vec<u8>>, Never> {
        if bug && chunk == b"\n" {
            return Ok(Vec::new());
        }
        self.split(chunk)
    }
}

/// Frames of a length of two bytes. The bug: an empty frame waits for the next byte.
fn frames(bug: bool, buffer: &mut Vec<u8>, at_end: bool) -> Result<Option<Vec<u8>>, &'static str> {
    let [high, low, rest @ ..] = &buffer[..] else {
        return if buffer.is_empty() || !at_end { Ok(None) } else { Err("unfinished") };
    };
    let len = usize::from(u16::from_be_bytes([*high, *low]));
    if rest.len() < len || (bug && !at_end && rest.is_empty()) {
        return if at_end { Err("unfinished") } else { Ok(None) };
    }
    Ok(Some(buffer.drain(..2 + len).skip(2).collect()))
}

planted! {
    cut_characters_with_one_byte_between: [Split], ["one\n", "two\n"],
        |bug| Pushing::returning(Text::default, move |text: &mut Text, chunk| text.feed(bug, chunk));
    mark_only_in_the_first_chunk: [Split], ["one\n", "two\n"],
        |bug| Pushing::returning(Text::default, move |text: &mut Text, chunk| text.feed_with_mark(bug, chunk));
    mark_in_each_chunk: [Split], ["one\n", "two\n"],
        |bug| Pushing::returning(Text::default, move |text: &mut Text, chunk| text.feed_without_marks(bug, chunk));
    empty_line_alone_in_a_chunk: [Split], ["one\n", "two\n"],
        |bug| Pushing::returning(Text::default, move |text: &mut Text, chunk| text.feed_with_signs_of_life(bug, chunk));
    empty_frame_waits: [Prompt], ["\0\x03one", "\0\x05three"],
        |bug| Decoded::by(|| (), move |(): &mut (), buffer: &mut Vec<u8>| frames(bug, buffer, false), move |(): &mut (), buffer: &mut Vec<u8>| frames(bug, buffer, true));
}
