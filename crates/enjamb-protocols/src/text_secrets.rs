//! Secrets in the commands of text protocols.
//!
//! They are overwritten byte by byte, and what frames the message stays: blanks, line ends, tags,
//! and the lengths of literals.

use crate::text::number;

/// The byte that overwrites a secret.
const MASK: u8 = b'*';

/// Overwrites the secrets in the bytes of a message. Returns whether there was one.
type Mask = fn(&mut [u8]) -> bool;

/// Returns what overwrites the secrets of a client's message of this kind, if it may have some.
pub(crate) fn mask_of(protocol: &str, kind: &str) -> Option<Mask> {
    let mask: Mask = match (protocol, kind) {
        ("imap", "authentication") => |bytes| mask_imap(bytes, 0),
        ("imap", "LOGIN" | "AUTHENTICATE") => |bytes| mask_imap(bytes, 3),
        ("smtp" | "pop3", "authentication") => |bytes| mask_words(bytes, 0),
        ("pop3" | "ftp" | "irc", "PASS") | ("ftp", "ACCT" | "ADAT") | ("irc", "AUTHENTICATE") | ("nats", "CONNECT") => {
            |bytes| mask_words(bytes, 1)
        }
        ("smtp" | "pop3", "AUTH") | ("pop3", "APOP") | ("irc", "OPER") | ("ftp", "SITE") => {
            |bytes| mask_words(bytes, 2)
        }
        ("xmpp", "auth" | "response") => mask_element,
        _ => return None,
    };
    Some(mask)
}

/// Overwrites all words from the word `first` on.
fn mask_words(bytes: &mut [u8], first: usize) -> bool {
    let words = bytes.split_mut(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.skip(first).map(|word| word.fill(MASK)).count() > 0
}

/// Overwrites the text of an element.
fn mask_element(bytes: &mut [u8]) -> bool {
    let start = bytes.iter().position(|byte| *byte == b'>').map_or(bytes.len(), |at| at + 1);
    let end = bytes.iter().rposition(|byte| *byte == b'<').filter(|end| *end > start);
    let text = &mut bytes[start..];
    let length = end.map_or(text.len(), |end| end - start);
    text[..length].fill(MASK);
    length > 0
}

/// Overwrites all words of a command of IMAP from the word `first` on, and its literals, but not
/// the `{5}` that announces one.
fn mask_imap(bytes: &mut [u8], mut first: usize) -> bool {
    let (mut found, mut at) = (false, 0);
    while at < bytes.len() {
        let end = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length + 1);
        let line = bytes[at..end].trim_ascii_end();
        let word = line.split(u8::is_ascii_whitespace).next_back().unwrap_or_default();
        let announced = word.strip_suffix(b"}").and_then(|word| {
            let digits = word.strip_suffix(b"+").unwrap_or(word);
            number(digits.strip_prefix(b"~").unwrap_or(digits).strip_prefix(b"{")?)
        });
        let text_end = at + line.len() - announced.map_or(0, |_| word.len());
        found |= mask_words(&mut bytes[at..text_end], first);
        first = 0;
        at = end;
        if let Some(length) = announced {
            let literal_end = usize::try_from(length).ok().and_then(|length| at.checked_add(length));
            let literal_end = literal_end.unwrap_or(usize::MAX).min(bytes.len());
            bytes[at..literal_end].fill(MASK);
            found |= literal_end > at;
            at = literal_end;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::mask_of;

    #[test]
    fn secrets_are_overwritten_and_their_framing_stays() {
        for (protocol, kind, bytes, expected) in [
            ("pop3", "PASS", "PASS a b\r\n", "PASS * *\r\n"),
            ("pop3", "AUTH", "AUTH PLAIN abc=\r\n", "AUTH PLAIN ****\r\n"),
            ("smtp", "authentication", "abc=\r\n", "****\r\n"),
            ("ftp", "PASS", "pass a\r\n", "pass *\r\n"),
            ("irc", "OPER", "OPER a b\r\n", "OPER a *\r\n"),
            ("nats", "CONNECT", "CONNECT {\"pass\": \"a\"}\r\n", "CONNECT ******** ****\r\n"),
            ("xmpp", "auth", "<auth a='b'>abc</auth>", "<auth a='b'>***</auth>"),
            ("imap", "LOGIN", "a LOGIN b {3+}\r\nc d\r\n", "a LOGIN b {3+}\r\n***\r\n"),
            ("imap", "LOGIN", "a LOGIN {1+}\r\nb {3+}\r\n{1}\r\n", "a LOGIN {1+}\r\n* {3+}\r\n***\r\n"),
        ] {
            let mut copy = bytes.as_bytes().to_vec();
            assert!(mask_of(protocol, kind).unwrap()(&mut copy), "{bytes}");
            assert_eq!(String::from_utf8(copy).unwrap(), expected);
        }
        assert!(mask_of("pop3", "USER").is_none());
    }
}
