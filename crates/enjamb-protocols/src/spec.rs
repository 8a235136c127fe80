//! The framing spec language: protocols that need no code.
//!
//! ```text
//! spec     = framing | "client=" framing " server=" framing      (in either order)
//! framing  = form { " max=" SIZE }       the longest frame, without prefix and delimiter;
//!                                        1 MiB by default
//! form     = "lines"                     up to LF; one CR before it is cut off
//!          | "delimiter:" HEX            up to these bytes, two hexadecimal digits each
//!          | "any:" HEX { "|" HEX }      up to any of these: the leftmost, then the longest
//!          | "fixed:" SIZE               frames of this length
//!          | "varint"                    a length of seven bits a byte, the lowest first
//!                                        (Protocol Buffers), then that many bytes
//!          | "netstring"                 LENGTH ":" bytes ","
//!          | "cobs"                      up to a byte of 0, with byte stuffing, which is decoded;
//!                                        max counts stuffed bytes
//!          | PREFIX [("+" | "-") SIZE]   a length, then that many bytes; the adjustment is added
//!                                        to the length
//! PREFIX   = "u8" | ("u16" | "u24" | "u32" | "u64") ("be" | "le")
//! SIZE     = a size in the syntax of `enjamb::units`, such as 16, 64k or 1M
//! ```
//!
//! A length that counts its own prefix is `u32be-4`; one that leaves out a 4-byte header behind the
//! prefix is `u32be+4`. A wrong spec is refused with a caret under the first wrong character.

use std::fmt;

use enjamb::units::parse_size;
use enjamb::{AnyOf, Delimiter, Limit};

use crate::framing::{FrameForm, Framing, Prefix};
use crate::pair::Pair;

/// The framings of both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sides {
    /// The framing of the client's stream.
    pub client: Framing,
    /// The framing of the server's stream.
    pub server: Framing,
}

impl Sides {
    /// Creates a session that frames each side in its way.
    #[must_use]
    pub fn session(&self, name: &str) -> Pair {
        Pair::new(name, &self.client, &self.server)
    }
}

impl Framing {
    /// Parses the spec of one side.
    ///
    /// # Errors
    /// [`SpecError`], with the place of the error.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        let mut parser = Parser { text, at: 0 };
        let framing = parser.framing()?;
        parser.end()?;
        Ok(framing)
    }

    /// Parses a spec: the same for both sides, or one for each.
    ///
    /// # Errors
    /// [`SpecError`], with the place of the error.
    pub fn parse_sides(text: &str) -> Result<Sides, SpecError> {
        let mut parser = Parser { text, at: 0 };
        let (mut client, mut server) = (None, None);
        loop {
            let at = parser.at;
            let side = if parser.take("client=") {
                &mut client
            } else if parser.take("server=") {
                &mut server
            } else {
                break;
            };
            if side.is_some() {
                return Err(SpecError::new(text, at, "this side was given before"));
            }
            *side = Some(parser.framing()?);
            parser.spaces();
        }
        match (client, server) {
            (None, None) => Self::parse(text).map(|framing| Sides { client: framing.clone(), server: framing }),
            (Some(client), Some(server)) => {
                parser.end()?;
                Ok(Sides { client, server })
            }
            (Some(_), None) => Err(parser.fail("expected \" server=FRAMING\"")),
            (None, Some(_)) => Err(parser.fail("expected \" client=FRAMING\"")),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn take_while(&mut self, allowed: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !allowed(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn spaces(&mut self) {
        self.take_while(|c| c == ' ');
    }

    fn fail(&self, what: &str) -> SpecError {
        SpecError::new(self.text, self.at, what)
    }

    fn end(&mut self) -> Result<(), SpecError> {
        self.spaces();
        if self.rest().is_empty() { Ok(()) } else { Err(self.fail("expected \" max=SIZE\" or the end")) }
    }

    fn framing(&mut self) -> Result<Framing, SpecError> {
        let form = self.form()?;
        let mut limit = Limit::DEFAULT;
        loop {
            let before = self.at;
            self.spaces();
            if !self.take("max=") {
                self.at = before;
                break;
            }
            limit = Limit::refuse(self.size()?);
        }
        if let FrameForm::Fixed(length) = form
            && length.get() > limit.max
        {
            return Err(self.fail("every frame would be longer than max"));
        }
        Ok(Framing { form, limit })
    }

    fn form(&mut self) -> Result<FrameForm, SpecError> {
        let start = self.at;
        let word = self.take_while(|c| c.is_ascii_alphanumeric());
        match word {
            "lines" => Ok(FrameForm::Lines),
            "varint" => Ok(FrameForm::Varint),
            "netstring" => Ok(FrameForm::Netstring),
            "cobs" => Ok(FrameForm::Cobs),
            "delimiter" => {
                self.colon()?;
                let bytes = self.hex()?;
                Delimiter::new(bytes)
                    .map(FrameForm::Delimiter)
                    .map_err(|_| self.fail("expected hexadecimal digits, as in delimiter:0d0a"))
            }
            "any" => {
                self.colon()?;
                self.any_of().map(FrameForm::AnyOf)
            }
            "fixed" => {
                self.colon()?;
                let at = self.at;
                let length = self.size()?.try_into();
                length.map(FrameForm::Fixed).map_err(|_| SpecError::new(self.text, at, "a frame has at least one byte"))
            }
            _ => match Prefix::parse(word) {
                Some(mut prefix) => {
                    prefix.adjust = self.adjustment()?;
                    Ok(FrameForm::Prefix(prefix))
                }
                None if word.starts_with('u') && word[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                    Err(SpecError::new(
                        self.text,
                        start,
                        "a length prefix is u8, or u16, u24, u32 or u64 with be or le behind it",
                    ))
                }
                None => Err(SpecError::new(
                    self.text,
                    start,
                    "expected lines, delimiter:HEX, any:HEX|HEX, fixed:BYTES, varint, netstring, cobs, or a length prefix such as u32be",
                )),
            },
        }
    }

    fn colon(&mut self) -> Result<(), SpecError> {
        if self.take(":") { Ok(()) } else { Err(self.fail("expected \":\"")) }
    }

    fn any_of(&mut self) -> Result<AnyOf, SpecError> {
        let mut set = Vec::new();
        loop {
            let bytes = self.hex()?;
            if bytes.is_empty() {
                return Err(self.fail("expected hexadecimal digits, as in any:0a|0d0a"));
            }
            set.push(bytes);
            if !self.take("|") {
                return AnyOf::new(set).map_err(|illegal| self.fail(&illegal.to_string()));
            }
        }
    }

    fn adjustment(&mut self) -> Result<i64, SpecError> {
        let negative = match self.rest().as_bytes().first() {
            Some(b'+') => false,
            Some(b'-') => true,
            _ => return Ok(0),
        };
        self.at += 1;
        let at = self.at;
        let bytes = self.size()?;
        let bytes = i64::try_from(bytes).map_err(|_| SpecError::new(self.text, at, "the adjustment is too large"))?;
        Ok(if negative { -bytes } else { bytes })
    }

    fn size(&mut self) -> Result<u64, SpecError> {
        let at = self.at;
        let word = self.take_while(|c| c.is_alphanumeric() || c == '.');
        parse_size(word).map_err(|error| SpecError::new(self.text, at + error.at(), &error.to_string()))
    }

    fn hex(&mut self) -> Result<Vec<u8>, SpecError> {
        let at = self.at;
        let digits = self.take_while(|c| c.is_ascii_hexdigit());
        if !digits.len().is_multiple_of(2) {
            return Err(SpecError::new(self.text, at + digits.len(), "a byte is two hexadecimal digits"));
        }
        Ok((0..digits.len()).step_by(2).filter_map(|i| u8::from_str_radix(&digits[i..i + 2], 16).ok()).collect())
    }
}

/// The error of a text that is not a framing spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    text: String,
    at: usize,
    what: String,
    names: Option<String>,
    /// The known name that the text resembles.
    similar: Option<String>,
}

impl SpecError {
    fn new(text: &str, at: usize, what: &str) -> Self {
        Self { text: text.to_owned(), at, what: what.to_owned(), names: None, similar: None }
    }

    /// Adds the names that are allowed in place of a spec.
    pub(crate) fn with_names(mut self, names: String) -> Self {
        self.names = Some(names);
        self
    }

    /// Adds the known name that the text resembles, if there is one.
    pub(crate) fn with_similar(self, similar: Option<String>) -> Self {
        Self { similar, ..self }
    }

    /// Returns the byte of the text at which the error is.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(similar) = &self.similar {
            write!(f, "there is no protocol {:?}: did you mean {similar}?", self.text)?;
            return self.names.iter().try_for_each(|names| write!(f, "\nThe protocols are {names}, and framing specs"));
        }
        let column = self.text[..self.at].chars().count();
        writeln!(f, "{}", self.what)?;
        writeln!(f, "  {}", self.text)?;
        write!(f, "  {:column$}^", "")?;
        if let Some(names) = &self.names {
            write!(
                f,
                "\nA protocol is one of: {names}; or a framing spec: lines, delimiter:0d0a, any:0a|00, fixed:16, u32be+4 max=1M, varint, netstring, cobs, client=lines server=u16be"
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for SpecError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_spec_is_refused_with_a_caret_under_the_error() {
        for (text, caret) in [
            ("", 0),
            ("line", 0),
            ("lines 5", 6),
            ("delimiter", 9),
            ("delimiter:", 10),
            ("delimiter:0d0", 13),
            ("any", 3),
            ("any:", 4),
            ("any:0a|", 7),
            ("any:0a||00", 7),
            ("any:0a|0d0", 10),
            ("any:0a,00", 6),
            ("fixed:0", 6),
            ("fixed:99999999999999999999", 6),
            ("u32", 0),
            ("u9be", 0),
            ("varints", 0),
            ("varint+1", 6),
            ("cobs:00", 4),
            ("u32be+", 6),
            ("u32be max=", 10),
            ("u32be max=1T", 11),
            ("fixed:16 max=8", 14),
            ("client=lines", 12),
            ("client=lines client=lines", 13),
            ("client=lines server=u16", 20),
            ("lines \u{e9}", 6),
        ] {
            let error = Framing::parse_sides(text).expect_err(text);
            assert_eq!(error.at(), caret, "{text}: {error}");
            assert!(error.to_string().contains('^'));
        }
    }

    #[test]
    fn every_form_is_read() {
        for text in [
            "lines",
            "lines max=64k",
            "delimiter:0d0a",
            "delimiter:00 max=10",
            "any:00",
            "any:0a|0d0a|0a max=10",
            "fixed:16",
            "u8",
            "u16be",
            "u16le",
            "u24be",
            "u32be+4 max=1M",
            "u32le-4",
            "u64be",
            "varint max=1k",
            "netstring",
            "cobs",
            "client=lines server=u16be",
            "server=u16be max=1k client=fixed:1k",
        ] {
            Framing::parse_sides(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
    }
}
