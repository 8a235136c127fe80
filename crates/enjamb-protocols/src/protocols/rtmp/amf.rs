//! Commands in AMF0 ("Action Message Format", 0): the fields at their front.

use std::borrow::Cow;

use crate::kit::Cursor;

/// The types of values.
const NUMBER: u8 = 0;
const STRING: u8 = 2;

/// A command.
#[derive(Debug)]
pub(super) struct Command<'a> {
    pub(super) name: &'a [u8],
    /// The number of the transaction, as an integer.
    pub(super) transaction: u64,
    rest: &'a [u8],
}

impl<'a> Command<'a> {
    /// Parses the front of a command.
    pub(super) fn parse(payload: &'a [u8]) -> Option<Self> {
        let mut fields = Cursor::new(payload);
        let name = string(&mut fields)?;
        let transaction = match fields.u8() {
            Ok(NUMBER) => f64::from_bits(fields.u64().ok()?) as u64,
            _ => 0,
        };
        Some(Self { name, transaction, rest: fields.rest() })
    }

    /// Returns the code in the information of an answer.
    pub(super) fn code(&self) -> Option<Cow<'a, str>> {
        self.member(b"\0\x04code").map(String::from_utf8_lossy)
    }

    /// Returns whether the level in the information is that of an error.
    pub(super) fn is_error(&self) -> bool {
        self.member(b"\0\x05level") == Some(b"error")
    }

    /// Returns the string behind a name, which has its length in front.
    fn member(&self, name: &[u8]) -> Option<&'a [u8]> {
        let at = self.rest.windows(name.len()).position(|part| part == name)?;
        string(&mut Cursor::new(&self.rest[at + name.len()..]))
    }
}

/// Takes a string, with its type.
fn string<'a>(fields: &mut Cursor<'a>) -> Option<&'a [u8]> {
    if fields.u8().ok()? != STRING {
        return None;
    }
    let length = fields.u16().ok()?;
    fields.take(length.into()).ok()
}
