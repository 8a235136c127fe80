//! Reading messages that lie whole in one chunk.
//!
//! Most messages do, and are small. Preparing for splits, as the framer does, costs several times
//! their parsing. So a whole message of a plain type is read here in one go. For anything else (cut
//! off, rare, malformed, over a limit) the result is `None`, and the handler reads it as usual:
//! only the handlers decide what a message is. Both ways leave the same excerpt, and a stream that
//! arrives byte by byte is never read here, so the split law compares the two.
//!
//! A message is read at most twice, since a glance is tried only if no message is in progress.
//!
//! Few messages need an excerpt: a reader of the summary uses it, and pairing in rare cases. So the
//! first reading of a message only finds its length ([`NullSink`]), and a second one, of its bytes,
//! makes an excerpt on demand.

use std::num::NonZeroUsize;

use super::excerpt::{Excerpt, Form, Size};
use super::limits::{ARGUMENTS_MAX, BULK_MAX};
use super::line::signed_integer;

/// The maximum number of digits of a count or a length here: enough for every limit.
const DIGITS_MAX: usize = 9;

/// The maximum length of the text of a line here, in bytes.
const TEXT_MAX: usize = 64;

/// The receiver of the values of a message.
pub(super) trait ValueSink {
    /// Receives the beginning of an aggregate.
    fn begin(&mut self, form: Form, size: Size);
    /// Receives a whole value.
    fn whole(&mut self, form: Form, depth: usize, text: &[u8]);
}

/// A sink that keeps nothing.
pub(super) struct NullSink;

impl ValueSink for NullSink {
    #[inline(always)]
    fn begin(&mut self, _: Form, _: Size) {}
    #[inline(always)]
    fn whole(&mut self, _: Form, _: usize, _: &[u8]) {}
}

impl ValueSink for Excerpt {
    fn begin(&mut self, form: Form, size: Size) {
        Self::begin(self, form, 0, size);
    }
    fn whole(&mut self, form: Form, depth: usize, text: &[u8]) {
        Self::whole(self, form, depth, text, text.len() as u64);
    }
}

/// A command.
pub(super) struct Command<'a> {
    /// Its length in bytes.
    pub(super) taken: NonZeroUsize,
    /// The number of its arguments, including its name.
    pub(super) arguments: u64,
    /// The first argument.
    pub(super) name: &'a [u8],
}

/// Reads a command, an array of bulks.
#[inline(always)]
pub(super) fn command<'a>(chunk: &'a [u8], sink: &mut impl ValueSink) -> Option<Command<'a>> {
    let (arguments, rest) = number(chunk.strip_prefix(b"*")?)?;
    if !(1..=ARGUMENTS_MAX.unsigned_abs()).contains(&arguments) {
        return None;
    }
    let (name, mut rest) = bulk(rest.strip_prefix(b"$")?, 0, sink)?;
    for _ in 1..arguments {
        (_, rest) = bulk(rest.strip_prefix(b"$")?, 0, sink)?;
    }
    Some(Command { taken: before(rest, chunk)?, arguments, name })
}

/// Reads a value without nested aggregates. Returns its length in bytes and its form.
#[inline(always)]
pub(super) fn reply(chunk: &[u8], sink: &mut impl ValueSink) -> Option<(NonZeroUsize, Form)> {
    let (&kind, text) = chunk.split_first()?;
    let form = match kind {
        b'*' => Form::Array,
        b'>' => Form::Push,
        b'%' => Form::Map,
        b'~' => Form::Set,
        _ => {
            let (form, rest) = scalar(chunk, 0, sink)?;
            return Some((before(rest, chunk)?, form));
        }
    };
    let (count, mut rest) = number(text)?;
    sink.begin(form, Size::Known(count));
    for _ in 0..if form == Form::Map { 2 * count } else { count } {
        (_, rest) = scalar(rest, 1, sink)?;
    }
    Some((before(rest, chunk)?, form))
}

/// Returns the number of bytes of the chunk before this rest of it.
fn before(rest: &[u8], chunk: &[u8]) -> Option<NonZeroUsize> {
    NonZeroUsize::new(chunk.len() - rest.len())
}

/// Reads a value that is not an aggregate. Returns its form and the rest behind it.
#[inline(always)]
fn scalar<'a>(text: &'a [u8], depth: usize, sink: &mut impl ValueSink) -> Option<(Form, &'a [u8])> {
    let (kind, text) = text.split_first()?;
    match kind {
        b'$' => match text.strip_prefix(b"-1\r\n") {
            Some(rest) => {
                sink.whole(Form::Null, depth, b"-1");
                Some((Form::Null, rest))
            }
            None => Some((Form::Bulk, bulk(text, depth, sink)?.1)),
        },
        b'+' => line(text, Form::Simple, depth, sink, |_| true),
        b'-' => line(text, Form::Error, depth, sink, |_| true),
        b':' => line(text, Form::Integer, depth, sink, is_integer),
        b'_' => line(text, Form::Null, depth, sink, <[u8]>::is_empty),
        _ => None,
    }
}

/// Returns whether the text is a number of 64 bits. A number of few digits cannot be larger, so
/// only the digits are checked.
#[inline]
fn is_integer(text: &[u8]) -> bool {
    match text {
        [_, ..] if text.len() <= 18 && text.iter().all(u8::is_ascii_digit) => true,
        _ => signed_integer(text).is_some(),
    }
}

/// Reads a text on a line, without another CR or LF. Returns the rest behind it.
#[inline]
fn line<'a>(
    text: &'a [u8],
    form: Form,
    depth: usize,
    sink: &mut impl ValueSink,
    is_valid: impl FnOnce(&[u8]) -> bool,
) -> Option<(Form, &'a [u8])> {
    let end = text.iter().take(TEXT_MAX).position(|&byte| matches!(byte, b'\r' | b'\n'))?;
    let (line, rest) = text.split_at(end);
    let rest = rest.strip_prefix(b"\r\n")?;
    if !is_valid(line) {
        return None;
    }
    sink.whole(form, depth, line);
    Some((form, rest))
}

/// Reads a bulk, from its length on. Returns its payload and the rest behind it.
#[inline(always)]
fn bulk<'a>(text: &'a [u8], depth: usize, sink: &mut impl ValueSink) -> Option<(&'a [u8], &'a [u8])> {
    let (length, rest) = number(text)?;
    if length > BULK_MAX {
        return None;
    }
    let (payload, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let rest = rest.strip_prefix(b"\r\n")?;
    sink.whole(Form::Bulk, depth, payload);
    Some((payload, rest))
}

/// Reads a number without sign or leading zero, and its CR LF. Returns the rest behind them.
#[inline(always)]
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    match text {
        [one @ b'0'..=b'9', b'\r', b'\n', rest @ ..] => Some((u64::from(one - b'0'), rest)),
        [ten @ b'1'..=b'9', one @ b'0'..=b'9', b'\r', b'\n', rest @ ..] => {
            Some((u64::from(ten - b'0') * 10 + u64::from(one - b'0'), rest))
        }
        text => longer_number(text),
    }
}

#[inline(never)]
fn longer_number(text: &[u8]) -> Option<(u64, &[u8])> {
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
