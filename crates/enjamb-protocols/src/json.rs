//! JSON (RFC 8259) without a tree: the places of values in a text.
//!
//! The text may be the beginning of a longer one. Nesting costs one byte a level, and no recursion.

/// The reason why a text has no value at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonError {
    /// The text ends inside the value.
    Short,
    /// The text is not JSON.
    Syntax,
}

/// A place in a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Json<'a> {
    pub(crate) const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Skips blanks. Returns the next byte.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    /// Takes this byte, with the blanks before it, if it comes next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        match self.peek() {
            None => Err(JsonError::Short),
            Some(next) if next == byte => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(JsonError::Syntax),
        }
    }

    /// Takes a value of any type. Returns its text.
    pub(crate) fn value(&mut self) -> Result<&'a [u8], JsonError> {
        self.peek();
        let begin = self.at;
        // The brackets that are open.
        let mut open: Vec<u8> = Vec::new();
        loop {
            match self.peek().ok_or(JsonError::Short)? {
                bracket @ (b'{' | b'[') => {
                    self.at += 1;
                    let close = if bracket == b'{' { b'}' } else { b']' };
                    if !self.take(close) {
                        open.push(close);
                        if close == b'}' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                b'"' => {
                    self.string()?;
                }
                b'-' | b'0'..=b'9' => self.number()?,
                b't' => self.literal(b"true")?,
                b'f' => self.literal(b"false")?,
                b'n' => self.literal(b"null")?,
                _ => return Err(JsonError::Syntax),
            }
            // Behind a value.
            loop {
                let Some(close) = open.last().copied() else { return Ok(&self.text[begin..self.at]) };
                if self.take(b',') {
                    if close == b'}' {
                        self.key()?;
                    }
                    break;
                }
                self.expect(close)?;
                open.pop();
            }
        }
    }

    /// Takes the name of a member, and the colon. Returns the name as it is written.
    pub(crate) fn key(&mut self) -> Result<&'a [u8], JsonError> {
        if self.peek().ok_or(JsonError::Short)? != b'"' {
            return Err(JsonError::Syntax);
        }
        let name = self.string()?;
        self.expect(b':')?;
        Ok(name)
    }

    /// Takes a string. Returns what is between the quotes.
    fn string(&mut self) -> Result<&'a [u8], JsonError> {
        let begin = self.at + 1;
        let mut at = begin;
        loop {
            let rest = self.text.get(at..).unwrap_or_default();
            at += memchr::memchr2(b'"', b'\\', rest).ok_or(JsonError::Short)?;
            if self.text[at] == b'"' {
                break;
            }
            at += 2;
        }
        self.at = at + 1;
        let text = &self.text[begin..at];
        if text.iter().any(|byte| *byte < 0x20) { Err(JsonError::Syntax) } else { Ok(text) }
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let rest = &self.text[self.at..];
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.iter().take_while(|byte| is_part(byte)).count();
        // A number at the end of the text may go on.
        if length == rest.len() {
            self.at = self.text.len();
            return Ok(());
        }
        self.at += length;
        if rest[..length].ends_with(b"-") { Err(JsonError::Syntax) } else { Ok(()) }
    }

    fn literal(&mut self, literal: &[u8]) -> Result<(), JsonError> {
        let rest = &self.text[self.at..];
        if rest.starts_with(literal) {
            self.at += literal.len();
            Ok(())
        } else if literal.starts_with(rest) {
            Err(JsonError::Short)
        } else {
            Err(JsonError::Syntax)
        }
    }

    /// Takes the members of an object, and passes the name and the value of each to `member`.
    pub(crate) fn object(&mut self, mut member: impl FnMut(&'a [u8], &'a [u8])) -> Result<(), JsonError> {
        self.expect(b'{')?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let name = self.key()?;
            member(name, self.value()?);
            if !self.take(b',') {
                return self.expect(b'}');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Json, JsonError};

    #[test]
    fn values_end_where_their_text_ends() {
        for text in [
            "{}",
            "[]",
            "{\"a\":[1,{\"b\":\"}\\\"\"}],\"c\":null}",
            "\"\\\\\"",
            "true",
            "[[],[[]],{}]",
            "\"\u{1f600}\"",
        ] {
            let more = format!(" {text} ,");
            assert_eq!(Json::new(more.as_bytes()).value(), Ok(text.as_bytes()), "{text}");
            for cut in 1..text.len() {
                let part = &text.as_bytes()[..cut];
                assert_eq!(Json::new(part).value(), Err(JsonError::Short), "{}", part.escape_ascii());
            }
        }
    }

    #[test]
    fn other_texts_are_errors() {
        for text in ["{a:1}", "[1 2]", "{\"a\" 1}", "[,]", "{\"a\":1,}", "}", "nul!", "\"\n\"", "{]"] {
            assert_eq!(Json::new(text.as_bytes()).value(), Err(JsonError::Syntax), "{text}");
        }
    }

    #[test]
    fn a_million_levels_are_read_without_recursion() {
        let text = [vec![b'['; 1_000_000], vec![b']'; 1_000_000]].concat();
        assert_eq!(Json::new(&text).value().map(<[u8]>::len), Ok(2_000_000));
    }
}
