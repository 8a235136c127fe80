//! Line ends that the samples do not have.

use enjamb_law::{Decoded, Never, Pushing};

use crate::{at_end, planted};

#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    after_cr: bool,
}

type Found = Result<Vec<Vec<u8>>, Never>;

impl Lines {
    /// The bug: a CR is removed only if it is in the chunk of its LF.
    fn feed(&mut self, bug: bool, chunk: &[u8]) -> Found {
        let mut lines = Vec::new();
        for (at, &byte) in chunk.iter().enumerate() {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let with_cr = if bug { at > 0 && chunk[at - 1] == b'\r' } else { self.line.last() == Some(&b'\r') };
            if with_cr {
                self.line.pop();
            }
            lines.push(std::mem::take(&mut self.line));
        }
        Ok(lines)
    }

    /// Lines that end in CR, LF or both. The bug: a LF at the start of a chunk is always a line
    /// end.
    fn feed_any(&mut self, bug: bool, chunk: &[u8]) -> Found {
        let mut lines = Vec::new();
        for (at, &byte) in chunk.iter().enumerate() {
            let after_cr = std::mem::take(&mut self.after_cr) && !(bug && at == 0);
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    lines.push(std::mem::take(&mut self.line));
                }
                byte => self.line.push(byte),
            }
        }
        Ok(lines)
    }
}

/// Blocks that end in an empty line. The bug: only the last three bytes before a read are searched
/// again, which is enough for LF LF and not for CR LF CR LF.
#[derive(Default)]
struct Blocks {
    searched: usize,
}

impl Blocks {
    fn next(&mut self, bug: bool, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
        let overlap = if bug { 2 } else { 3 };
        let from = self.searched.saturating_sub(overlap);
        let rest = &buffer[from..];
        let lf = rest.windows(2).position(|end| end == b"\n\n").map(|at| at + 2);
        let crlf = rest.windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4);
        let Some(end) = [lf, crlf].into_iter().flatten().min() else {
            self.searched = buffer.len();
            return Ok(None);
        };
        self.searched = 0;
        Ok(Some(buffer.drain(..from + end).collect()))
    }
}

planted! {
    carriage_return_in_another_chunk: [Split], ["one\n", "two\n"],
        |bug| Pushing::returning(Lines::default, move |lines: &mut Lines, chunk| lines.feed(bug, chunk));
    line_feed_in_the_next_chunk: [Split], ["one\n", "two\n"],
        |bug| Pushing::returning(Lines::default, move |lines: &mut Lines, chunk| lines.feed_any(bug, chunk));
    empty_line_of_four_bytes: [Split], ["a: b\n\n", "c: d\n\n"],
        |bug| Decoded::by(Blocks::default, move |blocks: &mut Blocks, buffer: &mut Vec<u8>| blocks.next(bug, buffer), |_: &mut Blocks, buffer: &mut Vec<u8>| at_end(buffer));
}
