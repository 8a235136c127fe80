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
//! Lines are short, so they are read eight bytes at a time, as one number whose lowest byte is the
//! first.
//!
//! Few messages need an excerpt: a reader of the summary uses it, and pairing in rare cases. So the
//! first reading of a message only finds its length ([`NullSink`]), and a second one, of its bytes,
//! makes an excerpt on demand.

use std::num::NonZeroUsize;
use std::ops::Range;

use super::excerpt::{Excerpt, Form, Size};
use super::limits::{ARGUMENTS_MAX, BULK_MAX};
use super::line::signed_integer;

/// The maximum number of digits of a count or a length here: enough for every limit.
const DIGITS_MAX: usize = 9;

/// The maximum length of the text of a line here, in bytes.
const TEXT_MAX: usize = 64;

/// Eight bytes of 1.
const ONES: u64 = 0x0101_0101_0101_0101;

/// CR LF, as a number whose lowest byte is the first.
const CRLF: u16 = u16::from_le_bytes(*b"\r\n");

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
pub(super) struct Command {
    /// Its length in bytes.
    pub(super) taken: NonZeroUsize,
    /// The number of its arguments, including its name.
    pub(super) arguments: u64,
    /// The place of the first argument.
    pub(super) name: Range<usize>,
}

/// A reply or a push.
pub(super) struct Reply<'a> {
    /// Its length in bytes.
    pub(super) taken: NonZeroUsize,
    pub(super) form: Form,
    /// The text of a scalar; empty for an aggregate.
    pub(super) text: &'a [u8],
}

/// A scalar, and the offset behind it.
struct Scalar<'a> {
    form: Form,
    text: &'a [u8],
    end: usize,
}

/// Reads a command, an array of bulks.
#[inline(always)]
pub(super) fn command(chunk: &[u8], sink: &mut impl ValueSink) -> Option<Command> {
    if *chunk.first()? != b'*' {
        return None;
    }
    let (arguments, at) = small_number(chunk, 1)?;
    if !(1..=ARGUMENTS_MAX.unsigned_abs()).contains(&arguments) {
        return None;
    }
    let (first, mut at) = argument::<true>(chunk, at, sink)?;
    let name = at - 2 - first.len()..at - 2;
    for _ in 1..arguments {
        (_, at) = argument::<false>(chunk, at, sink)?;
    }
    Some(Command { taken: NonZeroUsize::new(at)?, arguments, name })
}

/// Reads a value without nested aggregates.
#[inline(always)]
pub(super) fn reply<'a>(chunk: &'a [u8], sink: &mut impl ValueSink) -> Option<Reply<'a>> {
    let form = match *chunk.first()? {
        b'*' => Form::Array,
        b'>' => Form::Push,
        b'%' => Form::Map,
        b'~' => Form::Set,
        _ => {
            let Scalar { form, text, end } = scalar(chunk, 0, 0, sink)?;
            return Some(Reply { taken: NonZeroUsize::new(end)?, form, text });
        }
    };
    let (count, mut at) = number(chunk, 1)?;
    sink.begin(form, Size::Known(count));
    for _ in 0..if form == Form::Map { 2 * count } else { count } {
        at = scalar(chunk, at, 1, sink)?.end;
    }
    Some(Reply { taken: NonZeroUsize::new(at)?, form, text: &[] })
}

/// Reads a value at `at` that is not an aggregate.
#[inline(always)]
fn scalar<'a>(chunk: &'a [u8], at: usize, depth: usize, sink: &mut impl ValueSink) -> Option<Scalar<'a>> {
    let (form, text, end) = match *chunk.get(at)? {
        b'$' => match number(chunk, at + 1) {
            Some((length, start)) => {
                let (text, end) = bulk(chunk, length, start)?;
                (Form::Bulk, text, end)
            }
            None => {
                let null = chunk.get(at + 1..at + 5)?;
                (null == b"-1\r\n").then_some((Form::Null, &null[..2], at + 5))?
            }
        },
        b':' => {
            let (text, end) = line(chunk, at + 1)?;
            is_integer(text).then_some((Form::Integer, text, end))?
        }
        b'+' => {
            let (text, end) = line(chunk, at + 1)?;
            (Form::Simple, text, end)
        }
        b'-' => {
            let (text, end) = line(chunk, at + 1)?;
            (Form::Error, text, end)
        }
        b'_' => {
            let (text, end) = line(chunk, at + 1)?;
            text.is_empty().then_some((Form::Null, text, end))?
        }
        _ => return None,
    };
    sink.whole(form, depth, text);
    Some(Scalar { form, text, end })
}

/// Returns whether the text is a number of 64 bits. A number of few digits cannot be larger, so
/// only the digits are checked.
#[inline(always)]
fn is_integer(text: &[u8]) -> bool {
    match text {
        [_, ..] if text.len() <= 18 && text.iter().all(u8::is_ascii_digit) => true,
        _ => signed_integer(text).is_some(),
    }
}

/// Reads a text on a line at `at`, without another CR or LF. Returns the text and the offset behind
/// its CR LF.
#[inline(always)]
fn line(chunk: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let mut end = at;
    loop {
        let ends = line_ends(word(chunk, end));
        if ends != 0 {
            end += ends.trailing_zeros() as usize / 8;
            break;
        }
        end += 8;
        if end >= chunk.len() || end - at > TEXT_MAX {
            return None;
        }
    }
    let text = chunk.get(at..end).filter(|text| text.len() < TEXT_MAX)?;
    (word(chunk, end) as u16 == CRLF).then_some((text, end + 2))
}

/// Returns a number whose lowest byte that is not 0 is at the first CR or LF of `word`.
#[inline(always)]
fn line_ends(word: u64) -> u64 {
    zero_bytes(word ^ (ONES * b'\r' as u64)) | zero_bytes(word ^ (ONES * b'\n' as u64))
}

/// Returns a number whose lowest byte that is not 0 is the lowest byte of `word` that is 0.
#[inline(always)]
fn zero_bytes(word: u64) -> u64 {
    // A borrow may set bits above the lowest byte that is 0.
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}

/// Reads an argument at `at`, which is mostly short if it `IS_SMALL`. Returns its text and the
/// offset behind it.
#[inline(always)]
fn argument<'a, const IS_SMALL: bool>(
    chunk: &'a [u8],
    at: usize,
    sink: &mut impl ValueSink,
) -> Option<(&'a [u8], usize)> {
    if *chunk.get(at)? != b'$' {
        return None;
    }
    let (length, start) = if IS_SMALL { small_number(chunk, at + 1)? } else { number(chunk, at + 1)? };
    let (text, end) = bulk(chunk, length, start)?;
    sink.whole(Form::Bulk, 0, text);
    Some((text, end))
}

/// Reads a bulk whose text begins at `start`. Returns the text and the offset behind its CR LF.
#[inline(always)]
fn bulk(chunk: &[u8], length: u64, start: usize) -> Option<(&[u8], usize)> {
    if length > BULK_MAX {
        return None;
    }
    let end = start + length as usize;
    if chunk.get(end..)?.first_chunk()? != b"\r\n" {
        return None;
    }
    // It lies in the chunk, since its end does.
    Some((chunk.get(start..end).unwrap_or_default(), end + 2))
}

/// Reads a number at `at`, without sign or leading zero, and its CR LF. Returns it and the offset
/// behind them.
#[inline(always)]
fn number(chunk: &[u8], at: usize) -> Option<(u64, usize)> {
    let word = word(chunk, at);
    let digit = |at: u32| (word >> (8 * at) & 0xff).wrapping_sub(u64::from(b'0'));
    let ends = |at: u32| (word >> (8 * at)) as u16 == CRLF;
    if ends(2) {
        let is_valid = digit(0).wrapping_sub(1) < 9 && digit(1) < 10;
        return is_valid.then(|| (digit(0) * 10 + digit(1), at + 4));
    }
    if ends(1) {
        return (digit(0) < 10).then_some((digit(0), at + 3));
    }
    if ends(3) {
        let is_valid = digit(0).wrapping_sub(1) < 9 && digit(1) < 10 && digit(2) < 10;
        return is_valid.then(|| (digit(0) * 100 + digit(1) * 10 + digit(2), at + 5));
    }
    longer_number(chunk, at)
}

/// Reads a number that mostly has one digit, and its CR LF.
#[inline(always)]
fn small_number(chunk: &[u8], at: usize) -> Option<(u64, usize)> {
    match chunk.get(at..at + 3) {
        Some([digit @ b'0'..=b'9', b'\r', b'\n']) => Some((u64::from(digit - b'0'), at + 3)),
        _ => number(chunk, at),
    }
}

#[inline(never)]
fn longer_number(chunk: &[u8], at: usize) -> Option<(u64, usize)> {
    let text = chunk.get(at..)?;
    let mut value = 0;
    for (digits, &byte) in text.iter().enumerate().take(DIGITS_MAX + 1) {
        match byte {
            b'0'..=b'9' if digits < DIGITS_MAX => value = value * 10 + u64::from(byte - b'0'),
            b'\r' if digits == 1 || (digits > 1 && text[0] != b'0') => {
                return (text.get(digits + 1) == Some(&b'\n')).then_some((value, at + digits + 2));
            }
            _ => return None,
        }
    }
    None
}

/// Returns the eight bytes at `at` as a number. Bytes behind the end of the chunk are 0.
#[inline(always)]
pub(super) fn word(chunk: &[u8], at: usize) -> u64 {
    let bytes = chunk.get(at..at + 8).and_then(|bytes| bytes.first_chunk());
    bytes.map_or_else(|| last_word(chunk, at), |bytes| u64::from_le_bytes(*bytes))
}

#[inline(never)]
fn last_word(chunk: &[u8], at: usize) -> u64 {
    let bytes = chunk.get(at..).unwrap_or_default();
    bytes.iter().take(8).rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shape of a message, however it is read.
    fn seen(chunk: &[u8]) -> Option<(usize, Vec<u8>)> {
        reply(chunk, &mut NullSink).map(|reply| (reply.taken.get(), reply.text.to_vec()))
    }

    #[test]
    fn lines_of_every_length_end_at_their_first_cr_lf() {
        for length in 0..TEXT_MAX + 20 {
            for behind in [&b""[..], b"+", b"+OK\r\n:1\r\n"] {
                let text = vec![b'x'; length];
                let message = [b"+", &text[..], b"\r\n"].concat();
                let whole = [&message[..], behind].concat();
                let expected = (length < TEXT_MAX).then_some((message.len(), text));
                assert_eq!(seen(&whole), expected, "{length}");
                for cut in 0..message.len() {
                    assert_eq!(seen(&message[..cut]), None, "{cut} of {length}");
                }
            }
        }
        for text in ["a\nb", "a\rb", "\n", "\r", "\r\r\n", "a\n\r\n"] {
            assert_eq!(seen(format!("+{text}\r\n").as_bytes()).map(|(taken, _)| taken), None, "{text:?}");
        }
    }

    #[test]
    fn numbers_have_no_sign_and_no_leading_zero() {
        for number in (0..1200_u64).chain([9_999, 123_456, 999_999_999]) {
            let text = format!("{number}\r\n");
            for behind in ["", "$", "12345678", "\r\n\r\n\r\n\r\n"] {
                let whole = format!("{text}{behind}");
                assert_eq!(super::number(whole.as_bytes(), 0), Some((number, text.len())));
                assert_eq!(small_number(whole.as_bytes(), 0), Some((number, text.len())));
            }
            for cut in 0..text.len() {
                assert_eq!(super::number(&text.as_bytes()[..cut], 0), None);
                assert_eq!(small_number(&text.as_bytes()[..cut], 0), None);
            }
        }
        for text in [
            "",
            "01",
            "001",
            "00",
            "-1",
            "+1",
            "1x",
            "x1",
            "12x",
            "1x2",
            "x12",
            "123x",
            "1234567890",
            ":1",
            "1:",
            "12:4",
            "1\u{ff}",
            "/1",
        ] {
            assert_eq!(super::number(format!("{text}\r\n").as_bytes(), 0), None, "{text}");
        }
        for text in ["1\n", "1\r", "1\r\r\n", "12\r\t", "\r\n"] {
            assert_eq!(super::number(text.as_bytes(), 0), None, "{text:?}");
        }
    }
}
