//! Escape characters that no sample shows, cut from the byte that they escape.

use enjamb_law::{Never, Pushing};

use crate::planted;

/// A reader of bytes with an escape, fed in chunks.
#[derive(Default)]
struct Unescaper {
    frame: Vec<u8>,
    escaped: bool,
    quoted: bool,
}

type Frames = Result<Vec<Vec<u8>>, Never>;

impl Unescaper {
    /// Frames that end in `end`. `escape` takes the next byte, changed by `change`. The bug: the
    /// escape is forgotten at the end of a chunk.
    fn feed(&mut self, bug: bool, chunk: &[u8], escape: u8, end: u8, change: impl Fn(u8) -> u8) -> Frames {
        let mut frames = Vec::new();
        if bug {
            self.escaped = false;
        }
        for &byte in chunk {
            if std::mem::take(&mut self.escaped) {
                self.frame.push(change(byte));
            } else if byte == escape {
                self.escaped = true;
            } else if byte == end {
                frames.push(std::mem::take(&mut self.frame));
            } else {
                self.frame.push(byte);
            }
        }
        Ok(frames)
    }

    /// Lines of CSV: a comma and a line feed inside quotes belong to the field. The bug: a quote is
    /// forgotten at the end of a chunk.
    fn feed_csv(&mut self, bug: bool, chunk: &[u8]) -> Frames {
        let mut records = Vec::new();
        if bug {
            self.quoted = false;
        }
        for &byte in chunk {
            match byte {
                b'"' => self.quoted = !self.quoted,
                b'\n' if !self.quoted => records.push(std::mem::take(&mut self.frame)),
                byte => self.frame.push(byte),
            }
        }
        Ok(records)
    }

    /// Lines with percent-encoded bytes. The bug: an encoded byte must be in one chunk.
    fn feed_percent(&mut self, bug: bool, chunk: &[u8]) -> Frames {
        let mut lines = Vec::new();
        let mut at = 0;
        while at < chunk.len() {
            if bug && chunk[at] == b'%' && at + 2 < chunk.len() {
                self.frame.push(hex(chunk[at + 1], chunk[at + 2]));
                at += 3;
                continue;
            }
            self.frame.push(chunk[at]);
            if !bug && self.frame.len() >= 3 && self.frame[self.frame.len() - 3] == b'%' {
                let [_, high, low] = self.frame[self.frame.len() - 3..] else { unreachable!() };
                self.frame.truncate(self.frame.len() - 3);
                self.frame.push(hex(high, low));
            } else if chunk[at] == b'\n' {
                lines.push(std::mem::take(&mut self.frame));
            }
            at += 1;
        }
        Ok(lines)
    }
}

fn hex(high: u8, low: u8) -> u8 {
    let digit = |byte: u8| char::from(byte).to_digit(16).map_or(0, |digit| digit as u8);
    // A `%` is never the result: it would begin another encoded byte.
    match 16 * digit(high) + digit(low) {
        b'%' => b'?',
        byte => byte,
    }
}

/// Comments from `#` to the end of the line. The bug: a comment ends with its chunk.
#[derive(Default)]
struct Comments {
    line: Vec<u8>,
    comment: bool,
}

impl Comments {
    fn feed(&mut self, bug: bool, chunk: &[u8]) -> Frames {
        let mut lines = Vec::new();
        if bug {
            self.comment = false;
        }
        for &byte in chunk {
            match byte {
                b'\n' => {
                    self.comment = false;
                    lines.push(std::mem::take(&mut self.line));
                }
                b'#' => self.comment = true,
                byte if !self.comment => self.line.push(byte),
                _ => {}
            }
        }
        Ok(lines)
    }
}

/// Elements between `<` and `>`. The bug: a comment is recognised only if its start is in one
/// chunk.
#[derive(Default)]
struct Elements {
    element: Vec<u8>,
    comment: bool,
}

impl Elements {
    fn feed(&mut self, bug: bool, chunk: &[u8]) -> Frames {
        let mut elements = Vec::new();
        for (at, &byte) in chunk.iter().enumerate() {
            self.element.push(byte);
            let starts =
                if bug { self.element == b"<" && chunk[at..].starts_with(b"<!--") } else { self.element == b"<!--" };
            self.comment |= starts;
            let ends = if self.comment { self.element.ends_with(b"-->") } else { byte == b'>' };
            if ends {
                let element = std::mem::take(&mut self.element);
                if !std::mem::take(&mut self.comment) {
                    elements.push(element);
                }
            }
        }
        Ok(elements)
    }
}

planted! {
    backslash_is_forgotten: [Split], ["one\n", "two\n"],
        |bug| Pushing::returning(Unescaper::default, move |reader: &mut Unescaper, chunk| reader.feed(bug, chunk, b'\\', b'\n', |byte| byte));
    slip_escape_is_forgotten: [Split], [&b"one\xc0"[..], b"two\xc0"],
        |bug| Pushing::returning(Unescaper::default, move |reader: &mut Unescaper, chunk| reader.feed(bug, chunk, 0xdb, 0xc0, |byte| byte.wrapping_sub(0x1c)));
    hdlc_escape_is_forgotten: [Split], ["one~", "two~"],
        |bug| Pushing::returning(Unescaper::default, move |reader: &mut Unescaper, chunk| reader.feed(bug, chunk, 0x7d, 0x7e, |byte| byte ^ 0x20));
    data_link_escape_is_forgotten: [Split], ["one\x03", "two\x03"],
        |bug| Pushing::returning(Unescaper::default, move |reader: &mut Unescaper, chunk| reader.feed(bug, chunk, 0x10, 0x03, |byte| byte));
    an_unusual_escape_is_forgotten: [Split], ["one;", "two;"],
        |bug| Pushing::returning(Unescaper::default, move |reader: &mut Unescaper, chunk| reader.feed(bug, chunk, 0xb7, b';', |byte| byte));
    quote_is_forgotten: [Split], ["a,b\n", "c,d\n"],
        |bug| Pushing::returning(Unescaper::default, move |reader: &mut Unescaper, chunk| reader.feed_csv(bug, chunk));
    percent_must_be_in_one_chunk: [Split], ["one\n", "two\n"],
        |bug| Pushing::returning(Unescaper::default, move |reader: &mut Unescaper, chunk| reader.feed_percent(bug, chunk));
    comment_ends_with_its_chunk: [Split], ["one\n", "two\n"],
        |bug| Pushing::returning(Comments::default, move |reader: &mut Comments, chunk| reader.feed(bug, chunk));
    start_of_a_comment_must_be_in_one_chunk: [Split], ["<a>", "<b>"],
        |bug| Pushing::returning(Elements::default, move |reader: &mut Elements, chunk| reader.feed(bug, chunk));
}
