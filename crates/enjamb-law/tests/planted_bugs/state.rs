//! State that one message leaves for the next, or one call for the next; and work that grows.

use std::cell::Cell;
use std::hint::black_box;

use enjamb_law::{Decoded, Never, Pushing};

use crate::{at_end, planted};

/// Blocks of `name: value` lines. The bug: the fields of a block stay for the next one.
#[derive(Default)]
struct Blocks {
    fields: Vec<String>,
}

impl Blocks {
    fn next(&mut self, bug: bool, buffer: &mut Vec<u8>) -> Result<Option<Vec<String>>, &'static str> {
        loop {
            let end = buffer.iter().position(|byte| *byte == b'\n');
            if end.unwrap_or(buffer.len()) > 200 {
                return Err("too long");
            }
            let Some(end) = end else { return Ok(None) };
            let line = String::from_utf8_lossy(&buffer.drain(..=end).collect::<Vec<u8>>()).into_owned();
            if line == "\n" {
                let fields = self.fields.clone();
                if !bug {
                    self.fields.clear();
                }
                return Ok(Some(fields));
            }
            self.fields.push(line);
        }
    }
}

/// Lines. The bug: after the first line the decoder is done.
#[derive(Default)]
struct Once {
    done: bool,
}

impl Once {
    fn next(&mut self, bug: bool, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
        if self.done && bug {
            buffer.clear();
            return Ok(None);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        if end.unwrap_or(buffer.len()) > 200 {
            return Err("too long");
        }
        Ok(end.map(|end| {
            self.done = true;
            buffer.drain(..=end).collect()
        }))
    }
}

/// Lines. The bug: every call without a line searches all bytes again.
#[derive(Default)]
struct Searching {
    searched: usize,
}

impl Searching {
    fn next(&mut self, bug: bool, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
        let from = if bug { 0 } else { self.searched };
        match buffer[from..].iter().position(|byte| *black_box(byte) == b'\n') {
            Some(at) => {
                self.searched = 0;
                Ok(Some(buffer.drain(..=from + at).collect()))
            }
            None => {
                self.searched = buffer.len();
                Ok(None)
            }
        }
    }
}

thread_local! {
    static LINES_OF_ALL_READERS: Cell<u64> = const { Cell::new(0) };
}

/// Lines with their numbers. The bug: the number is shared by all readers of the thread.
#[derive(Default)]
struct Numbered {
    line: Vec<u8>,
}

impl Numbered {
    fn feed(&mut self, bug: bool, chunk: &[u8]) -> Result<Vec<(u64, Vec<u8>)>, Never> {
        let mut lines = Vec::new();
        for &byte in chunk {
            if byte == b'\n' {
                let number = LINES_OF_ALL_READERS.with(|lines| if bug { lines.replace(lines.get() + 1) } else { 0 });
                lines.push((number, std::mem::take(&mut self.line)));
            } else {
                self.line.push(byte);
            }
        }
        Ok(lines)
    }
}

/// Lists in brackets. The bug: one call for each level, without a limit.
fn depth(bug: bool, bytes: &[u8], level: usize) -> Result<usize, &'static str> {
    let frame = black_box([0_u8; 512]);
    match bytes.first() {
        Some(b'[') if !bug && level == 64 => Err("too deep"),
        Some(b'[') => depth(bug, &bytes[1..], level + 1),
        _ => Ok(level + usize::from(frame[7])),
    }
}

fn list(bug: bool, buffer: &mut Vec<u8>) -> Result<Option<usize>, &'static str> {
    let end = buffer.iter().position(|byte| *byte == b';');
    if !bug && end.unwrap_or(buffer.len()) > 200 {
        return Err("too long");
    }
    let Some(end) = end else { return Ok(None) };
    let line: Vec<u8> = buffer.drain(..=end).collect();
    depth(bug, &line, 0).map(Some)
}

planted! {
    fields_stay_for_the_next_block: [Alone], ["a: b\n\n", "c: d\n\n"],
        |bug| Decoded::by(Blocks::default, move |blocks: &mut Blocks, buffer: &mut Vec<u8>| blocks.next(bug, buffer), |blocks: &mut Blocks, buffer: &mut Vec<u8>| if blocks.fields.is_empty() || !buffer.is_empty() { at_end(buffer) } else { Err("unfinished") });
    done_after_the_first_line: [Alone], ["one\n", "two\n"],
        |bug| Decoded::by(Once::default, move |lines: &mut Once, buffer: &mut Vec<u8>| lines.next(bug, buffer), |_: &mut Once, buffer: &mut Vec<u8>| at_end(buffer));
    searches_all_again: [Linear], ["one\n", "two\n"],
        |bug| Decoded::by(Searching::default, move |lines: &mut Searching, buffer: &mut Vec<u8>| lines.next(bug, buffer), |_: &mut Searching, buffer: &mut Vec<u8>| at_end(buffer));
    numbers_of_all_readers: [Split, Coalesce], ["one\n", "two\n"],
        |bug| Pushing::returning(Numbered::default, move |lines: &mut Numbered, chunk| lines.feed(bug, chunk));
    one_call_for_each_level: [Total], ["[one;", "[[two;"],
        |bug| Decoded::by(|| (), move |(): &mut (), buffer: &mut Vec<u8>| list(bug, buffer), |(): &mut (), buffer: &mut Vec<u8>| at_end(buffer));
}
