//! The vocabulary of a protocol: whole messages, their important tokens, and the forms of lengths.

/// The vocabulary of a protocol. Inputs made from it are not refused at the first byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grammar {
    /// Well-formed messages, each whole.
    pub messages: Vec<Vec<u8>>,
    /// Pieces of messages that are important by themselves: delimiters, keywords, headers.
    pub tokens: Vec<Vec<u8>>,
    /// The forms of a length in front of a payload.
    pub prefixes: Vec<Prefix>,
}

/// The form of a length in front of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "width and byte order")]
#[non_exhaustive]
pub enum Prefix {
    U8,
    U16Be,
    U16Le,
    U24Be,
    U24Le,
    U32Be,
    U32Le,
    U64Be,
    U64Le,
    /// Seven bits in each byte, the least significant first. The highest bit is set in all bytes
    /// except the last: protobuf, MQTT.
    Varint,
    /// Decimal digits, then a colon: netstrings.
    DecimalColon,
    /// Decimal digits, then CRLF: Redis, memcached.
    DecimalCrlf,
    /// Hexadecimal digits, then CRLF: HTTP's chunks.
    HexadecimalCrlf,
}

impl Prefix {
    /// All forms.
    pub const ALL: [Self; 13] = [
        Self::U8,
        Self::U16Be,
        Self::U16Le,
        Self::U24Be,
        Self::U24Le,
        Self::U32Be,
        Self::U32Le,
        Self::U64Be,
        Self::U64Le,
        Self::Varint,
        Self::DecimalColon,
        Self::DecimalCrlf,
        Self::HexadecimalCrlf,
    ];

    /// Writes `length` in this form. Bits that do not fit are cut off.
    #[must_use]
    pub fn write(self, length: u64) -> Vec<u8> {
        let big = length.to_be_bytes();
        let little = length.to_le_bytes();
        match self {
            Self::U8 => little[..1].to_vec(),
            Self::U16Be => big[6..].to_vec(),
            Self::U16Le => little[..2].to_vec(),
            Self::U24Be => big[5..].to_vec(),
            Self::U24Le => little[..3].to_vec(),
            Self::U32Be => big[4..].to_vec(),
            Self::U32Le => little[..4].to_vec(),
            Self::U64Be => big.to_vec(),
            Self::U64Le => little.to_vec(),
            Self::Varint => {
                let mut bytes = Vec::new();
                let mut rest = length;
                while rest >= 0x80 {
                    bytes.push(rest as u8 | 0x80);
                    rest >>= 7;
                }
                bytes.push(rest as u8);
                bytes
            }
            Self::DecimalColon => format!("{length}:").into_bytes(),
            Self::DecimalCrlf => format!("{length}\r\n").into_bytes(),
            Self::HexadecimalCrlf => format!("{length:x}\r\n").into_bytes(),
        }
    }
}

impl Grammar {
    /// Adds the parts that the messages show: their common ending, and the form of their length if
    /// all begin with it.
    #[must_use]
    pub fn inferred(mut self) -> Self {
        let own = self.messages.clone();
        let messages: Vec<&[u8]> = own.iter().map(Vec::as_slice).filter(|message| !message.is_empty()).collect();
        if messages.len() >= 2 {
            let ending = messages.iter().skip(1).fold(messages[0], |ending, message| common_suffix(ending, message));
            // If all messages are the same bytes, their end is not a common ending.
            if !ending.is_empty() && messages.iter().any(|message| message.len() > ending.len()) {
                let ending = ending[ending.len().saturating_sub(4)..].to_vec();
                self.add_token(ending);
            }
        }
        for delimiter in [&b"\r\n"[..], b"\n", b"\r", b"\0"] {
            if messages.iter().any(|message| message.windows(delimiter.len()).any(|window| window == delimiter)) {
                self.add_token(delimiter.to_vec());
            }
        }
        for prefix in Prefix::ALL {
            let begins_with_its_length = |message: &&[u8]| {
                (0..=message.len()).any(|payload| {
                    let written = prefix.write((message.len() - payload) as u64);
                    written.len() == payload && message.starts_with(&written)
                })
            };
            if !messages.is_empty() && messages.iter().all(begins_with_its_length) {
                self.add_prefixes(|other| other == prefix);
            }
        }
        self
    }

    pub(crate) fn add_token(&mut self, token: Vec<u8>) {
        if !token.is_empty() && !self.tokens.contains(&token) {
            self.tokens.push(token);
        }
    }

    pub(crate) fn add_prefixes(&mut self, written_so: impl Fn(Prefix) -> bool) {
        for prefix in Prefix::ALL.into_iter().filter(|prefix| written_so(*prefix)) {
            if !self.prefixes.contains(&prefix) {
                self.prefixes.push(prefix);
            }
        }
    }

    /// Returns the message or token with this number, modulo their count. Empty if there is none.
    pub(crate) fn piece(&self, number: u8) -> &[u8] {
        let pieces = self.messages.len() + self.tokens.len();
        let Some(at) = usize::from(number).checked_rem(pieces) else {
            return &[];
        };
        self.messages.get(at).unwrap_or_else(|| &self.tokens[at - self.messages.len()])
    }

    /// Returns the tokens as a dictionary for libFuzzer and AFL, one on each line.
    #[must_use]
    pub fn dictionary(&self) -> String {
        let prefixes = self.prefixes.iter().map(|prefix| prefix.write(5));
        let words = self.tokens.iter().chain(&self.messages).cloned().chain(prefixes).filter(|word| word.len() <= 64);
        let mut lines: Vec<String> = words
            .map(|word| {
                let escaped: String = word
                    .iter()
                    .map(|&byte| match byte {
                        b'"' | b'\\' => format!("\\{}", byte as char),
                        b' '..=b'~' => (byte as char).to_string(),
                        byte => format!("\\x{byte:02x}"),
                    })
                    .collect();
                format!("\"{escaped}\"\n")
            })
            .collect();
        lines.sort();
        lines.dedup();
        lines.concat()
    }
}

fn common_suffix<'a>(a: &'a [u8], b: &[u8]) -> &'a [u8] {
    let same = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    &a[a.len() - same..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grammar(messages: &[&[u8]]) -> Grammar {
        Grammar { messages: messages.iter().map(|message| message.to_vec()).collect(), ..Grammar::default() }.inferred()
    }

    #[test]
    fn the_common_ending_of_messages_is_found() {
        assert_eq!(
            grammar(&[b"one\r\n", b"\r\n", b"three\r\n"]).tokens,
            [b"\r\n".to_vec(), b"\n".to_vec(), b"\r".to_vec()]
        );
        assert_eq!(grammar(&[b"a;", b"bc;"]).tokens, [b";".to_vec()]);
        assert!(grammar(&[b"abc"]).tokens.is_empty());
    }

    #[test]
    fn the_form_of_lengths_is_found() {
        assert_eq!(grammar(&[b"\x00\x02ab", b"\x00\x00"]).prefixes, [Prefix::U16Be]);
        assert_eq!(grammar(&[b"\x02ab", b"\x00"]).prefixes, [Prefix::U8, Prefix::Varint]);
        assert_eq!(grammar(&[b"5:hello", b"0:"]).prefixes, [Prefix::DecimalColon]);
        assert!(grammar(&[b"5:hello", b"1:"]).prefixes.is_empty());
    }

    #[test]
    fn a_dictionary_is_escaped() {
        let mut grammar = grammar(&[b"a\"\\\r\n", b"\r\n"]);
        grammar.messages.remove(0);
        assert_eq!(grammar.dictionary(), "\"\\x0a\"\n\"\\x0d\"\n\"\\x0d\\x0a\"\n");
    }
}
