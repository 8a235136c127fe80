//! Messages that lie whole in one chunk.
//!
//! Most do, and most are small: the care that the framer takes of what may be split costs several times the parsing of them.
//! So a message of a plain kind that is all there is read here in one go. Anything else (cut off, rare, malformed,
//! over a limit) is `None`, and the handler reads it as if nobody had looked: what a message is, the handlers alone decide. Both leave
//! the same excerpt, and a stream that arrives byte by byte never comes here, so the split law holds between the two.
//!
//! A message that is begun is read twice at most, since this is tried only where none is in progress.

use std::num::NonZeroUsize;

use super::command::ARGUMENTS_MAX;
use super::excerpt::{Excerpt, Form, Size};
use super::line::signed_integer;
use super::payload::BULK_MAX;

/// The most digits of a count or a length here: enough for every limit.
const DIGITS_MAX: usize = 9;

/// The longest text of a line here.
const TEXT_MAX: usize = 64;

/// A command as an array of bulks: its length in bytes, and its arguments.
pub(super) fn command(chunk: &[u8], excerpt: &mut Excerpt) -> Option<(NonZeroUsize, u64)> {
    let (count, mut rest) = number(chunk.strip_prefix(b"*")?)?;
    if !(1..=ARGUMENTS_MAX.unsigned_abs()).contains(&count) {
        return None;
    }
    for _ in 0..count {
        rest = bulk(rest.strip_prefix(b"$")?, 0, excerpt)?;
    }
    Some((before(rest, chunk)?, count))
}

/// A value that is not nested deeper than an array: its length in bytes.
pub(super) fn reply(chunk: &[u8], excerpt: &mut Excerpt) -> Option<NonZeroUsize> {
    let (&kind, text) = chunk.split_first()?;
    let form = match kind {
        b'*' => Form::Array,
        b'>' => Form::Push,
        b'%' => Form::Map,
        b'~' => Form::Set,
        _ => return before(scalar(chunk, 0, excerpt)?, chunk),
    };
    let (count, mut rest) = number(text)?;
    excerpt.begin(form, 0, Size::Known(count));
    for _ in 0..if form == Form::Map { 2 * count } else { count } {
        rest = scalar(rest, 1, excerpt)?;
    }
    before(rest, chunk)
}

/// How much of the chunk comes before this rest of it.
fn before(rest: &[u8], chunk: &[u8]) -> Option<NonZeroUsize> {
    NonZeroUsize::new(chunk.len() - rest.len())
}

/// What follows a value that is not an aggregate.
fn scalar<'a>(text: &'a [u8], depth: usize, excerpt: &mut Excerpt) -> Option<&'a [u8]> {
    let (kind, text) = text.split_first()?;
    match kind {
        b'$' => match text.strip_prefix(b"-1\r\n") {
            Some(rest) => {
                excerpt.whole(Form::Null, depth, b"-1", 2);
                Some(rest)
            }
            None => bulk(text, depth, excerpt),
        },
        b'+' => line(text, Form::Simple, depth, excerpt, |_| true),
        b'-' => line(text, Form::Error, depth, excerpt, |_| true),
        b':' => line(text, Form::Integer, depth, excerpt, |text| signed_integer(text).is_some()),
        b'_' => line(text, Form::Null, depth, excerpt, <[u8]>::is_empty),
        _ => None,
    }
}

/// What follows a text on a line.
fn line<'a>(
    text: &'a [u8],
    form: Form,
    depth: usize,
    excerpt: &mut Excerpt,
    is_valid: impl FnOnce(&[u8]) -> bool,
) -> Option<&'a [u8]> {
    let lf = text.iter().take(TEXT_MAX).position(|&byte| byte == b'\n')?;
    let line = text[..lf].strip_suffix(b"\r").filter(|line| is_valid(line))?;
    excerpt.whole(form, depth, line, line.len() as u64);
    Some(&text[lf + 1..])
}

/// What follows a bulk, whose length `text` begins with.
fn bulk<'a>(text: &'a [u8], depth: usize, excerpt: &mut Excerpt) -> Option<&'a [u8]> {
    let (length, rest) = number(text)?;
    if length > BULK_MAX {
        return None;
    }
    let (payload, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let rest = rest.strip_prefix(b"\r\n")?;
    excerpt.whole(Form::Bulk, depth, payload, length);
    Some(rest)
}

/// A number without sign or zero in front, and what follows its CR LF.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (at, &byte) in text.iter().enumerate().take(DIGITS_MAX + 1) {
        match byte {
            b'0'..=b'9' if at < DIGITS_MAX => value = value * 10 + u64::from(byte - b'0'),
            b'\r' if at == 1 || (at > 1 && text[0] != b'0') => {
                return text[at + 1..].strip_prefix(b"\n").map(|rest| (value, rest));
            }
            _ => return None,
        }
    }
    None
}
