//! The fields of a hello (RFC 8446, sections 4.1.2 and 4.1.3).

use std::borrow::Cow;

use crate::kit::{Cursor, Short};

/// The length of the header of a record.
const RECORD_HEADER: usize = 5;

const SERVER_NAME: u16 = 0;
const APPLICATION_PROTOCOLS: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;

const CLIENT_HELLO: u8 = 1;

/// The upper byte of the versions of drafts of TLS 1.3.
const DRAFTS: u16 = 0x7f;

/// A `ClientHello` or a `ServerHello`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hello<'a> {
    /// The highest version that the client offers, or the one that the server chose.
    pub(super) version: u16,
    /// The name of the server (RFC 6066, section 3).
    pub(super) name: Option<&'a [u8]>,
    /// The first application protocol (RFC 7301).
    pub(super) alpn: Option<&'a [u8]>,
    /// The cipher suite that the server chose.
    pub(super) cipher: Option<u16>,
}

/// Returns the bytes of handshake messages, without the headers of their records.
pub(super) fn handshake_bytes(head: &[u8], records: u64) -> Cow<'_, [u8]> {
    if records <= 1 {
        return Cow::Borrowed(head.get(RECORD_HEADER..).unwrap_or_default());
    }
    let mut joined = Vec::with_capacity(head.len());
    let mut rest = head;
    while let Some((header, body)) = rest.split_first_chunk::<RECORD_HEADER>() {
        let length = usize::from(u16::from_be_bytes([header[3], header[4]])).min(body.len());
        joined.extend_from_slice(&body[..length]);
        rest = &body[length..];
    }
    Cow::Owned(joined)
}

impl<'a> Hello<'a> {
    /// Parses a hello at the front of handshake messages. `None` if a field does not fit into it,
    /// or if not all of it is there.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&[kind, high, middle, low], rest) = bytes.split_first_chunk()?;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        Self::fields(kind == CLIENT_HELLO, Cursor::new(rest.get(..length)?)).ok()
    }

    fn fields(is_client: bool, mut fields: Cursor<'a>) -> Result<Self, Short> {
        let mut hello = Self { version: fields.u16()?, name: None, alpn: None, cipher: None };
        fields.take(32)?;
        // The drafts of TLS 1.3 up to 21 had neither a session nor a compression in a ServerHello.
        let is_draft = !is_client && hello.version >> 8 == DRAFTS;
        if !is_draft {
            let session = fields.u8()?;
            fields.take(session.into())?;
        }
        if is_client {
            let suites = fields.u16()?;
            fields.take(suites.into())?;
            let methods = fields.u8()?;
            fields.take(methods.into())?;
        } else {
            hello.cipher = Some(fields.u16()?);
            if !is_draft {
                fields.u8()?;
            }
        }
        // Before TLS 1.2 there may be none.
        if fields.is_empty() {
            return Ok(hello);
        }
        let length = fields.u16()?;
        let mut extensions = Cursor::new(fields.take(length.into())?);
        while !extensions.is_empty() {
            let kind = extensions.u16()?;
            let length = extensions.u16()?;
            let mut extension = Cursor::new(extensions.take(length.into())?);
            match kind {
                SERVER_NAME if is_client => hello.name = server_name(&mut extension),
                APPLICATION_PROTOCOLS => hello.alpn = first_protocol(&mut extension),
                SUPPORTED_VERSIONS if is_client => {
                    let versions = extension.rest().get(1..).unwrap_or_default();
                    // Values like 0x0a0a keep servers tolerant (RFC 8701).
                    let known = versions.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                    hello.version = known.filter(|version| version >> 8 == 3).max().unwrap_or(hello.version);
                }
                SUPPORTED_VERSIONS => hello.version = extension.u16()?,
                _ => {}
            }
        }
        Ok(hello)
    }
}

/// Returns the first name in the list of an extension.
fn server_name<'a>(extension: &mut Cursor<'a>) -> Option<&'a [u8]> {
    extension.u16().ok()?;
    let kind = extension.u8().ok()?;
    let length = extension.u16().ok()?;
    extension.take(length.into()).ok().filter(|name| kind == 0 && !name.is_empty())
}

/// Returns the first protocol in the list of an extension.
fn first_protocol<'a>(extension: &mut Cursor<'a>) -> Option<&'a [u8]> {
    extension.u16().ok()?;
    let length = extension.u8().ok()?;
    extension.take(length.into()).ok().filter(|protocol| !protocol.is_empty())
}
