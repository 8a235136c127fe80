//! Detection of Redis by the first bytes of a side.

use enjamb::Side;

use crate::sniff::Sniff;

/// Replies that often begin a conversation with a Redis server, and hardly ever one with another
/// server.
const GREETINGS: [&[u8]; 12] = [
    b"+OK\r\n",
    b"+PONG\r\n",
    b"+QUEUED\r\n",
    b"-NOAUTH ",
    b"-WRONGPASS ",
    b"-NOPERM ",
    b"-NOPROTO ",
    b"-DENIED Redis",
    b"-LOADING Redis",
    b"-MISCONF ",
    b"-ERR unknown com",
    b"-ERR Protocol er",
];

/// Inline commands, in capitals, that other protocols do not begin with.
const INLINE: [&[u8]; 5] = [b"PING\r\n", b"INFO\r\n", b"MONITOR\r\n", b"HELLO 2", b"HELLO 3"];

/// The maximum number of digits of a count that a conversation begins with.
const DIGITS_MAX: usize = 8;

/// Returns whether a stream of `side` that begins with `first` is Redis. Decides within 16 bytes.
pub fn sniff(side: Side, first: &[u8]) -> Sniff {
    match (side, first) {
        (_, []) => Sniff::More,
        (Side::Client, [b'*', count @ ..]) => header(count, |next| next == b'$'),
        (Side::Client, first) => one_of(&INLINE, first),
        (Side::Server, [b'*' | b'%' | b'~' | b'>' | b'|', count @ ..]) => {
            header(count, |next| b"+-:$*_#,(!=%~>|".contains(&next))
        }
        (Side::Server, [b'$' | b':' | b'=' | b'!', count @ ..]) => header(count, |_| true),
        (Side::Server, first) => one_of(&GREETINGS, first),
    }
}

/// Matches a number, CR LF, and a byte that may follow.
fn header(text: &[u8], may_follow: impl Fn(u8) -> bool) -> Sniff {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let digits = unsigned.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > DIGITS_MAX {
        return Sniff::No;
    }
    match &unsigned[digits..] {
        [] => Sniff::More,
        [b'\r'] if digits > 0 => Sniff::More,
        // An empty or null aggregate, or a scalar, may be the end.
        [b'\r', b'\n'] if digits > 0 => Sniff::More,
        [b'\r', b'\n', next, ..] if digits > 0 && may_follow(*next) => Sniff::Yes,
        _ => Sniff::No,
    }
}

fn one_of(words: &[&[u8]], first: &[u8]) -> Sniff {
    let begins = |word: &&&[u8]| {
        let common = word.len().min(first.len());
        word[..common].eq_ignore_ascii_case(&first[..common])
    };
    match words.iter().filter(begins).map(|word| word.len() <= first.len()).max() {
        Some(true) => Sniff::Yes,
        Some(false) => Sniff::More,
        None => Sniff::No,
    }
}
