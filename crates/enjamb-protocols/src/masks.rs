//! The places of secrets in the messages of binary protocols, by protocol and kind.
//!
//! The names and lengths that a session reads stay, so the masked message is framed in the same way
//! and has the same kind.

use std::ops::Range;

use enjamb::{Message, Side};

use crate::ber;
use crate::kit::Cursor;

/// Returns the place of the secret in the first bytes of a message, if it has one.
pub(crate) fn secret(message: &Message<'_>, bytes: &[u8]) -> Option<Range<usize>> {
    let from = |at: usize| Some(at..bytes.len());
    let behind_zero = |at: usize| {
        let end = bytes.get(at..)?.iter().position(|byte| *byte == 0)?;
        from(at + end + 1)
    };
    let range = match (message.protocol, message.side, message.kind) {
        ("postgres", Side::Client, "PasswordMessage" | "SASLResponse") => from(5),
        ("postgres", Side::Client, "SASLInitialResponse") => behind_zero(5),
        // The user is behind the capabilities: those of version 4.1, or the short ones.
        ("mysql", Side::Client, "login") => behind_zero(if bytes.get(5)? & 2 != 0 { 36 } else { 9 }),
        ("mysql", Side::Client, "authentication") => from(4),
        ("mysql", Side::Client, "COM_CHANGE_USER") => behind_zero(5),
        ("mongodb", _, "saslStart" | "saslContinue" | "reply") => payload(bytes),
        ("kafka", _, "SASL token") => from(4),
        ("kafka", Side::Client, "SaslAuthenticate") => {
            let client = u16::from_be_bytes([*bytes.get(12)?, *bytes.get(13)?]);
            from(14 + if client == u16::MAX { 0 } else { usize::from(client) })
        }
        ("amqp", Side::Client, "connection.start-ok") => start_ok(bytes),
        ("amqp", Side::Client, "connection.secure-ok") => Some(11..bytes.len().saturating_sub(1)),
        ("cassandra", Side::Client, "AUTH_RESPONSE" | "CREDENTIALS") => match bytes.first()? {
            1 | 2 => from(8),
            version if *version <= 6 && matches!(bytes.get(4), Some(4 | 15)) => from(9),
            // Behind the header of an outer frame.
            _ => from(15),
        },
        ("ldap", Side::Client, "bindRequest") => bind(bytes),
        ("tds", Side::Client, "TDS4 login" | "TDS7 login" | "federated token" | "SSPI") => from(8),
        _ => None,
    };
    range.filter(|range| range.start < range.end && range.end <= bytes.len())
}

/// Returns the place of the binary field `payload` of a document.
fn payload(bytes: &[u8]) -> Option<Range<usize>> {
    const NAME: &[u8] = b"\x05payload\0";
    let at = memchr::memmem::find(bytes, NAME)? + NAME.len();
    let length = u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?);
    let end = usize::try_from(length).ok()?.saturating_add(at + 5);
    Some(at + 5..end.min(bytes.len()))
}

/// Returns the place of the response in a `start-ok`: behind a table and the name of a mechanism.
fn start_ok(bytes: &[u8]) -> Option<Range<usize>> {
    let mut fields = Cursor::new(bytes.get(11..)?);
    let table = fields.u32().ok()?;
    fields.take(usize::try_from(table).ok()?).ok()?;
    let mechanism = fields.u8().ok()?;
    fields.take(mechanism.into()).ok()?;
    let length = usize::try_from(fields.u32().ok()?).ok()?;
    let at = bytes.len() - fields.rest().len();
    Some(at..at.saturating_add(length).min(bytes.len()))
}

/// Returns the place of the credentials in a `bindRequest`: behind a version and a name.
fn bind(bytes: &[u8]) -> Option<Range<usize>> {
    let mut fields = Cursor::new(bytes);
    ber::header(&mut fields).ok()?;
    ber::element(&mut fields).ok()?;
    let (_, length) = ber::header(&mut fields).ok()?;
    let end = usize::try_from(length).ok()?.saturating_add(bytes.len() - fields.rest().len());
    ber::element(&mut fields).ok()?;
    ber::element(&mut fields).ok()?;
    let (tag, _) = ber::header(&mut fields).ok()?;
    if tag == 0xa3 {
        // SASL: the mechanism is no secret.
        ber::element(&mut fields).ok()?;
        ber::header(&mut fields).ok()?;
    }
    Some(bytes.len() - fields.rest().len()..end.min(bytes.len()))
}

#[cfg(test)]
mod tests {
    use enjamb::Side;

    use crate::registry::Registry;
    use crate::secrets::redact;

    /// Returns the messages with their secrets overwritten, and checks that a session reads the
    /// result as it read the bytes.
    fn masked(protocol: &str, side: Side, bytes: &[u8]) -> Vec<u8> {
        let protocol = Registry::builtin().resolve(protocol).unwrap();
        let messages = |bytes: &[u8]| {
            let (mut kinds, mut masked) = (Vec::new(), Vec::new());
            protocol.session(None).feed(side, bytes, &mut |message| {
                let span = message.span.offset as usize..message.span.end() as usize;
                let mut copy = Vec::new();
                let has_secret = redact(message, &bytes[span.clone()], &mut copy);
                masked.extend_from_slice(if has_secret { &copy } else { &bytes[span] });
                kinds.push((message.kind.to_owned(), message.span));
            });
            (kinds, masked)
        };
        let (kinds, masked) = messages(bytes);
        assert_eq!(messages(&masked).0, kinds);
        masked
    }

    #[test]
    fn secrets_of_binary_protocols_are_overwritten() {
        let client = Side::Client;
        let mut login = b"\x29\0\0\x01\0\x02\0\0".to_vec();
        login.extend_from_slice(&[0; 28]);
        login.extend_from_slice(b"me\0\x05abcde");
        let mut masked_login = login.clone();
        masked_login[39..].fill(b'*');
        for (protocol, bytes, expected) in [
            ("postgres", &b"p\0\0\0\x08pwd\0"[..], &b"p\0\0\0\x08****"[..]),
            (
                "ldap",
                b"\x30\x10\x02\x01\x01\x60\x0b\x02\x01\x03\x04\x01a\x80\x03pwd",
                b"\x30\x10\x02\x01\x01\x60\x0b\x02\x01\x03\x04\x01a\x80\x03***",
            ),
            ("cassandra", b"\x04\0\0\x01\x0f\0\0\0\x07\0\0\0\x03abc", b"\x04\0\0\x01\x0f\0\0\0\x07*******"),
            ("mysql", &login, &masked_login),
            ("kafka", b"\0\0\0\x0e\0\x24\0\0\0\0\0\x01\0\x01abcd", b"\0\0\0\x0e\0\x24\0\0\0\0\0\x01\0\x01a***"),
            (
                "amqp",
                b"\x01\0\0\0\0\0\x16\0\x0a\0\x0b\0\0\0\0\x05PLAIN\0\0\0\x04\0a\0b\xce",
                b"\x01\0\0\0\0\0\x16\0\x0a\0\x0b\0\0\0\0\x05PLAIN\0\0\0\x04****\xce",
            ),
        ] {
            let masked = masked(protocol, client, bytes);
            assert_eq!(masked, expected, "{protocol}: {}", masked.escape_ascii());
        }
    }
}
