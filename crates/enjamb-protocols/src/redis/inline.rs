//! Inline commands: words on a line, for people who type. The rules are those of the server's
//! `sdssplitargs`: quotes may begin inside a word, must be followed by white space, and have
//! escapes.
//!
//! The server searches for the end of the line with `strchr`, so it does not see a line that
//! contains a NUL byte, and waits for more.

use super::excerpt::{Excerpt, Form, Size};
use super::line::is_space;
use super::syntax_error::SyntaxError;

/// A splitter of a line into words, byte by byte, so that the cuts do not matter.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Words {
    state: State,
    count: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Between,
    Word,
    Double,
    DoubleEscape,
    /// Behind `\x`.
    Hex,
    /// Behind `\x` and one digit, as written.
    HexDigit(u8),
    Single,
    SingleEscape,
    /// Behind a closing quote.
    Closed,
    Unbalanced,
    /// Behind a NUL byte.
    Nul,
}

impl Words {
    pub(super) fn piece<const V: usize, const T: usize>(&mut self, piece: &[u8], excerpt: &mut Excerpt<V, T>) {
        for &byte in piece {
            self.state = self.byte(byte, excerpt);
        }
    }

    /// Returns the number of words, whole or begun.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Ends the line.
    ///
    /// # Errors
    /// It ends inside quotes, a word follows a closing quote directly, or there is a NUL byte in it.
    pub(super) fn end<const V: usize, const T: usize>(
        &mut self,
        excerpt: &mut Excerpt<V, T>,
    ) -> Result<(), SyntaxError> {
        match self.state {
            State::Between => Ok(()),
            State::Word | State::Closed => {
                excerpt.settle();
                self.state = State::Between;
                Ok(())
            }
            State::Nul => Err(SyntaxError::Nul),
            _ => Err(SyntaxError::Quotes),
        }
    }

    fn byte<const V: usize, const T: usize>(&mut self, byte: u8, excerpt: &mut Excerpt<V, T>) -> State {
        match (self.state, byte) {
            (State::Nul, _) | (_, 0) => State::Nul,
            (State::Unbalanced, _) => State::Unbalanced,
            (State::Between, byte) if is_space(byte) => State::Between,
            (State::Word | State::Closed, byte) if is_space(byte) => {
                excerpt.settle();
                State::Between
            }
            (State::Closed, _) => State::Unbalanced,
            (State::Between, byte) => {
                self.count += 1;
                excerpt.begin(Form::Bulk, 0, Size::Streamed);
                in_word(byte, excerpt)
            }
            (State::Word, byte) => in_word(byte, excerpt),
            (State::Double, byte) => in_double(byte, excerpt),
            (State::DoubleEscape, b'x') => State::Hex,
            (State::DoubleEscape, byte) => {
                excerpt.text(&[match byte {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    byte => byte,
                }]);
                State::Double
            }
            (State::Hex, byte) if byte.is_ascii_hexdigit() => State::HexDigit(byte),
            (State::Hex, byte) => {
                excerpt.text(b"x");
                in_double(byte, excerpt)
            }
            (State::HexDigit(high), byte) => match (hex(high), hex(byte)) {
                (Some(high), Some(low)) => {
                    excerpt.text(&[high << 4 | low]);
                    State::Double
                }
                _ => {
                    excerpt.text(&[b'x', high]);
                    in_double(byte, excerpt)
                }
            },
            (State::Single, b'\'') => State::Closed,
            (State::Single, b'\\') => State::SingleEscape,
            (State::SingleEscape, b'\'') => {
                excerpt.text(b"'");
                State::Single
            }
            (State::SingleEscape, b'\\') => {
                excerpt.text(b"\\");
                State::SingleEscape
            }
            (State::SingleEscape, byte) => {
                excerpt.text(&[b'\\', byte]);
                State::Single
            }
            (State::Single, byte) => {
                excerpt.text(&[byte]);
                State::Single
            }
        }
    }
}

fn in_word<const V: usize, const T: usize>(byte: u8, excerpt: &mut Excerpt<V, T>) -> State {
    match byte {
        b'"' => State::Double,
        b'\'' => State::Single,
        byte => {
            excerpt.text(&[byte]);
            State::Word
        }
    }
}

fn in_double<const V: usize, const T: usize>(byte: u8, excerpt: &mut Excerpt<V, T>) -> State {
    match byte {
        b'"' => State::Closed,
        b'\\' => State::DoubleEscape,
        byte => {
            excerpt.text(&[byte]);
            State::Double
        }
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<Vec<String>> {
        let (mut words, mut excerpt) = (Words::default(), <Excerpt>::default());
        words.piece(line.as_bytes(), &mut excerpt);
        let balanced = words.end(&mut excerpt).is_ok();
        let texts: Vec<_> =
            excerpt.values().iter().map(|value| excerpt.kept(value).escape_ascii().to_string()).collect();
        assert_eq!(texts.len() as u64, words.count());
        balanced.then_some(texts)
    }

    #[test]
    fn words_are_those_of_the_server() {
        let cases: [(&str, Option<&[&str]>); 18] = [
            ("", Some(&[])),
            (" \t ", Some(&[])),
            ("PING", Some(&["PING"])),
            (" SET  a b ", Some(&["SET", "a", "b"])),
            (r#"SET a "b c""#, Some(&["SET", "a", "b c"])),
            (r#"SET a "" ''"#, Some(&["SET", "a", "", ""])),
            (r#"a"b"c"#, None),
            (r#"a"b" c"#, Some(&["ab", "c"])),
            (r#""\x41\n\q\"""#, Some(&[r#"A\nq\""#])),
            (r#""\x4g\xg""#, Some(&["x4gxg"])),
            (r#""\x4""#, Some(&["x4"])),
            (r"'a\'b\n\\'", None),
            (r"'a\'b\n'", Some(&[r"a\'b\\n"])),
            (r#""open"#, None),
            ("'open", None),
            (r#""open\"#, None),
            ("\0", None),
            ("PING\0 x", None),
        ];
        for (line, expected) in cases {
            let expected = expected.map(|words| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
            assert_eq!(words(line), expected, "{line}");
        }
    }
}
