//! Text dialogues: a word and its argument on a line, and replies with a code of three digits
//! (RFC 959, section 4.2; RFC 5321, section 4.2).

use crate::kit::{Fault, Next};
use crate::sniff::Sniff;

/// The longest beginning of a line from which its kind is known.
const WORD_MAX: usize = 64;

/// The longest greeting that is inspected.
const GREETING_MAX: usize = 256;

/// The framing of a dialogue of commands and replies with a code.
#[derive(Debug)]
pub(crate) struct Dialogue;

impl Dialogue {
    /// Returns what follows a line of a reply: another line behind `250-`, and nothing behind `250
    /// `.
    ///
    /// # Errors
    /// Never. A line without a code is a reply of its own.
    pub(crate) fn next(line: &[u8]) -> Result<Next, Fault> {
        Ok(if matches!(line, [a, b, c, b'-', ..] if is_code([*a, *b, *c])) { Next::Line } else { Next::End })
    }

    /// Returns whether a line begins with one of these words, in any case, and a blank or the end
    /// of the line behind it.
    pub(crate) fn begins_command(words: &[&str], bytes: &[u8]) -> Sniff {
        let end = bytes.iter().position(u8::is_ascii_whitespace);
        let word = &bytes[..end.unwrap_or(bytes.len())];
        match end {
            Some(_) if words.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(word)) => Sniff::Yes,
            None if words.iter().any(|known| {
                known.as_bytes().get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word))
            }) =>
            {
                Sniff::More
            }
            _ => Sniff::No,
        }
    }

    /// Returns whether a line begins with a code and a blank or a hyphen.
    pub(crate) fn begins_reply(bytes: &[u8]) -> Sniff {
        match bytes {
            [a, b, c, b' ' | b'-' | b'\r' | b'\n', ..] if is_code([*a, *b, *c]) => Sniff::Yes,
            [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'] | [b'1'..=b'5', b'0'..=b'9'] | [b'1'..=b'5'] | [] => Sniff::More,
            _ => Sniff::No,
        }
    }

    /// Returns whether these may be the first bytes of a server of mail or files: other protocols
    /// (NNTP) have replies with a code, too, but greet with others.
    pub(crate) fn likely_greeting(bytes: &[u8]) -> Sniff {
        starts_with_any(bytes, &[b"220 ", b"220-", b"220\r\n", b"421 ", b"554 ", b"530 "])
    }

    /// Returns whether these are the first bytes of a greeting: this code, and one of these words
    /// in the first line, in any case.
    pub(crate) fn greeting(bytes: &[u8], code: &str, words: &[&str]) -> Sniff {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = &line[..line.len().min(GREETING_MAX)];
        let whole = line.len() < bytes.len();
        let begin = &code.as_bytes()[..code.len().min(line.len())];
        if !line.starts_with(begin) {
            return Sniff::No;
        }
        let has = |word: &&str| line.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()));
        match words.iter().any(has) {
            true if line.len() >= code.len() => Sniff::Yes,
            _ if whole => Sniff::No,
            _ => Sniff::More,
        }
    }
}

/// Returns whether these bytes are a code.
fn is_code(bytes: [u8; 3]) -> bool {
    matches!(bytes, [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'])
}

/// Returns the code of a reply, and the text of its first line.
pub(crate) fn reply_code(reply: &[u8]) -> Option<(&str, &[u8])> {
    let line = trim_line(reply.split_inclusive(|byte| *byte == b'\n').next()?);
    let (code, text) = line.split_at_checked(3)?;
    let is_end = matches!(text.first(), None | Some(b' ' | b'-'));
    let code =
        std::str::from_utf8(code).ok().filter(|code| is_end && code.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((code, text.get(1..).unwrap_or_default()))
}

/// Returns a line without its end.
pub(crate) fn trim_line(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Returns the known word with which a line begins, in the form in which it is known, and what
/// follows it.
pub(crate) fn known_word<'a>(words: &[&'static str], line: &'a [u8]) -> Option<(&'static str, &'a [u8])> {
    let end = line.iter().take(WORD_MAX).position(|byte| *byte == b' ').unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    let known = words.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(word))?;
    Some((known, rest.trim_ascii()))
}

/// Returns the number that these decimal digits are. `None` if there are none, or other bytes, or
/// if it is not below 2^64.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Returns the words of a line, without the blanks between them.
pub(crate) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    trim_line(line).split(|byte| *byte == b' ').filter(|word| !word.is_empty())
}

/// Returns the number of a text that a request and its answer share. Texts of up to seven bytes
/// have different numbers; longer ones have a hash (FNV-1a).
pub(crate) fn id_of(text: &[u8]) -> u64 {
    if text.len() < 8 {
        // The length goes on top, below the bit that marks a hash.
        return text.iter().fold(text.len() as u64, |id, byte| id << 8 | u64::from(*byte));
    }
    let hash = text
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash | 1 << 63
}

/// Returns whether `text` begins with `start`, whose case does not matter. `More` if `text` is a
/// beginning of `start`.
pub(crate) fn starts_with(text: &[u8], start: &[u8]) -> Sniff {
    let common = text.len().min(start.len());
    match text[..common].eq_ignore_ascii_case(&start[..common]) {
        false => Sniff::No,
        true if text.len() < start.len() => Sniff::More,
        true => Sniff::Yes,
    }
}

/// Returns whether `text` begins with one of `starts`. See [`starts_with`].
pub(crate) fn starts_with_any(text: &[u8], starts: &[&[u8]]) -> Sniff {
    let mut found = Sniff::No;
    for start in starts {
        match starts_with(text, start) {
            Sniff::Yes => return Sniff::Yes,
            Sniff::More => found = Sniff::More,
            Sniff::Maybe | Sniff::No => {}
        }
    }
    found
}
