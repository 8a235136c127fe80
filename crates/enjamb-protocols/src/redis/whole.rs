//! Messages that lie whole in one chunk.
//!
//! Most do, and most are small: the care that the framer takes of what may be split costs several times the parsing of them.
//! So a message of a plain kind that is all there is read here in one go. Anything else (cut off, rare, malformed,
//! over a limit) is `None`, and the handler reads it as if nobody had looked: what a message is, the handlers alone decide. Both leave
//! the same excerpt, and a stream that arrives byte by byte never comes here, so the split law holds between the two.
//!
//! A message that is begun is read twice at most, since this is tried only where none is in progress.
//!
//! Few look at an excerpt: who asks for the summary, and pairing in rare cases. So the first reading of a message finds its length and
//! [keeps nothing](Nothing), and a second one, of its bytes, keeps an excerpt for whoever wants one.

use std::num::NonZeroUsize;

use super::command::ARGUMENTS_MAX;
use super::excerpt::{Excerpt, Form, Size};
use super::line::signed_integer;
use super::payload::BULK_MAX;

/// The most digits of a count or a length here: enough for every limit.
const DIGITS_MAX: usize = 9;

/// The longest text of a line here.
const TEXT_MAX: usize = 64;

/// What is kept of a message that is read.
pub(super) trait Keep {
    /// An aggregate begins.
    fn begin(&mut self, form: Form, size: Size);
    /// A value that is whole.
    fn whole(&mut self, form: Form, depth: usize, text: &[u8]);
}

/// Keeps nothing.
pub(super) struct Nothing;

impl Keep for Nothing {
    #[inline(always)]
    fn begin(&mut self, _: Form, _: Size) {}
    #[inline(always)]
    fn whole(&mut self, _: Form, _: usize, _: &[u8]) {}
}

impl Keep for Excerpt {
    fn begin(&mut self, form: Form, size: Size) {
        Self::begin(self, form, 0, size);
    }
    fn whole(&mut self, form: Form, depth: usize, text: &[u8]) {
        Self::whole(self, form, depth, text, text.len() as u64);
    }
}

/// A command.
pub(super) struct Command<'a> {
    /// How many bytes it has.
    pub(super) taken: NonZeroUsize,
    /// How many arguments, its name included.
    pub(super) arguments: u64,
    /// The first of them.
    pub(super) name: &'a [u8],
}

/// A command as an array of bulks.
#[inline(always)]
pub(super) fn command<'a>(chunk: &'a [u8], keep: &mut impl Keep) -> Option<Command<'a>> {
    let (arguments, rest) = number(chunk.strip_prefix(b"*")?)?;
    if !(1..=ARGUMENTS_MAX.unsigned_abs()).contains(&arguments) {
        return None;
    }
    let (name, mut rest) = bulk(rest.strip_prefix(b"$")?, 0, keep)?;
    for _ in 1..arguments {
        (_, rest) = bulk(rest.strip_prefix(b"$")?, 0, keep)?;
    }
    Some(Command { taken: before(rest, chunk)?, arguments, name })
}

/// A value that is not nested deeper than an array: its length in bytes, and what it is.
#[inline(always)]
pub(super) fn reply(chunk: &[u8], keep: &mut impl Keep) -> Option<(NonZeroUsize, Form)> {
    let (&kind, text) = chunk.split_first()?;
    let form = match kind {
        b'*' => Form::Array,
        b'>' => Form::Push,
        b'%' => Form::Map,
        b'~' => Form::Set,
        _ => {
            let (form, rest) = scalar(chunk, 0, keep)?;
            return Some((before(rest, chunk)?, form));
        }
    };
    let (count, mut rest) = number(text)?;
    keep.begin(form, Size::Known(count));
    for _ in 0..if form == Form::Map { 2 * count } else { count } {
        (_, rest) = scalar(rest, 1, keep)?;
    }
    Some((before(rest, chunk)?, form))
}

/// How much of the chunk comes before this rest of it.
fn before(rest: &[u8], chunk: &[u8]) -> Option<NonZeroUsize> {
    NonZeroUsize::new(chunk.len() - rest.len())
}

/// What a value is that is not an aggregate, and what follows it.
#[inline(always)]
fn scalar<'a>(text: &'a [u8], depth: usize, keep: &mut impl Keep) -> Option<(Form, &'a [u8])> {
    let (kind, text) = text.split_first()?;
    match kind {
        b'$' => match text.strip_prefix(b"-1\r\n") {
            Some(rest) => {
                keep.whole(Form::Null, depth, b"-1");
                Some((Form::Null, rest))
            }
            None => Some((Form::Bulk, bulk(text, depth, keep)?.1)),
        },
        b'+' => line(text, Form::Simple, depth, keep, |_| true),
        b'-' => line(text, Form::Error, depth, keep, |_| true),
        b':' => line(text, Form::Integer, depth, keep, is_integer),
        b'_' => line(text, Form::Null, depth, keep, <[u8]>::is_empty),
        _ => None,
    }
}

/// A number of 64 bits. Of so few digits that it cannot be larger, only these are looked at.
#[inline]
fn is_integer(text: &[u8]) -> bool {
    match text {
        [_, ..] if text.len() <= 18 && text.iter().all(u8::is_ascii_digit) => true,
        _ => signed_integer(text).is_some(),
    }
}

/// What follows a text on a line.
#[inline]
fn line<'a>(
    text: &'a [u8],
    form: Form,
    depth: usize,
    keep: &mut impl Keep,
    is_valid: impl FnOnce(&[u8]) -> bool,
) -> Option<(Form, &'a [u8])> {
    let lf = text.iter().take(TEXT_MAX).position(|&byte| byte == b'\n')?;
    let line = text[..lf].strip_suffix(b"\r").filter(|line| is_valid(line))?;
    keep.whole(form, depth, line);
    Some((form, &text[lf + 1..]))
}

/// A bulk whose length `text` begins with: its payload, and what follows it.
#[inline(always)]
fn bulk<'a>(text: &'a [u8], depth: usize, keep: &mut impl Keep) -> Option<(&'a [u8], &'a [u8])> {
    let (length, rest) = number(text)?;
    if length > BULK_MAX {
        return None;
    }
    let (payload, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let rest = rest.strip_prefix(b"\r\n")?;
    keep.whole(Form::Bulk, depth, payload);
    Some((payload, rest))
}

/// A number without sign or zero in front, and what follows its CR LF.
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
