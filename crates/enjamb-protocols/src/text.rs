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
    /// Returns what follows a line of a reply: another line behind `250-`, and nothing behind `250 `.
    ///
    /// # Errors
    /// Never. A line without a code is a reply of its own.
    pub(crate) fn next(line: &[u8]) -> Result<Next, Fault> {
        Ok(if matches!(line, [a, b, c, b'-', ..] if is_code([*a, *b, *c])) { Next::Line } else { Next::End })
    }

    /// Returns whether a line begins with one of these words, in any case, and a blank or the end of
    /// the line behind it.
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

    /// Returns whether these are the first bytes of a greeting: this code, and one of these words in
    /// the first line, in any case.
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
