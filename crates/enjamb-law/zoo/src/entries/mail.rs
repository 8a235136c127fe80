//! IMAP and SMTP.

use bytes::BytesMut;
use enjamb_law::{Decoded, Parsed, Parsing};
use mailrs_imap_codec::{ImapCodec, ImapInput};
use tokio_util::codec::Decoder as _;

use super::{DECODER, PARSE};
use crate::entry::Entry;
use crate::subject::any;

const RESPONSES: [&[u8]; 5] =
    [b"a OK done\r\n", b"* 1 FETCH (BODY[] {3}\r\nabc)\r\n", b"+ go\r\n", b"* FLAGS (\\Seen)\r\n", b"* SEARCH 1 2\r\n"];

pub fn entries() -> Vec<Entry> {
    vec![
        Entry::new("imap-codec 0.10.0 client", "IMAP responses", DECODER, || {
            any(Decoded::new(|| imap_codec::tokio::client::ImapClientCodec::new(64)))
        })
        .messages([&b"* OK hi\r\n"[..]])
        .messages(RESPONSES)
        .dependent(),
        Entry::new("imap-codec 0.10.0 server", "IMAP commands", DECODER, || {
            any(Decoded::new(|| imap_codec::tokio::server::ImapServerCodec::new(64)))
        })
        .messages([
            &b"a NOOP\r\n"[..],
            b"a LOGIN {3}\r\nabc {2}\r\nxy\r\n",
            b"b SELECT INBOX\r\n",
            b"c LOGIN \"a b\" \"c\"\r\n",
            b"f APPEND x {2}\r\nab\r\n",
        ]),
        Entry::new("imap-proto 0.17.0", "IMAP responses", PARSE, || {
            any(Parsing::new(|bytes| {
                Parsed::nom8(bytes, imap_proto::Response::parse(bytes)).map(|response| format!("{response:?}"))
            }))
        })
        .messages(RESPONSES)
        .messages([&b"* LIST (\\HasNoChildren) \"/\" \"a b\"\r\n"[..], b"* 3 EXISTS\r\n"]),
        Entry::new("mailrs-imap-codec 1.1.0 lines", "IMAP commands", DECODER, || {
            any(Decoded::new(|| ImapCodec::new().with_max_line(64)))
        })
        .messages([&b"a NOOP\r\n"[..], b"\r\n", b"a LOGIN x y\r\n"])
        .limit(64),
        Entry::new("mailrs-imap-codec 1.1.0 literals", "IMAP commands", DECODER, || {
            any(Decoded::by(ImapCodec::new, imap_command, |codec: &mut ImapCodec, buffer: &mut BytesMut| {
                codec.decode_eof(buffer)
            }))
        })
        .messages([&b"a NOOP\r\n"[..], b"a APPEND x {3}\r\nabc\r\n"]),
        Entry::new("mailrs-smtp-codec 1.0.2 commands", "SMTP commands", DECODER, || {
            any(Decoded::new(mailrs_smtp_codec::SmtpCodec::new))
        })
        .messages([&b"EHLO a\r\n"[..], b"\r\n", &[&b"NOOP"[..], &[b'a'; 500], b"\r\n"].concat()])
        .limit(1024),
        Entry::new("mailrs-smtp-codec 1.0.2 data", "SMTP data", DECODER, || {
            any(Decoded::new(|| {
                let mut codec = mailrs_smtp_codec::SmtpCodec::new().with_max_message_size(16);
                codec.enter_data_mode();
                codec
            }))
        })
        .messages([&b"hi\r\n.\r\n"[..], b"QUIT\r\n"])
        .dependent()
        .limit(16),
    ]
}

/// Follows its documentation: the caller that reads a line with an announced literal passes the
/// length to the codec.
fn imap_command(codec: &mut ImapCodec, buffer: &mut BytesMut) -> std::io::Result<Option<ImapInput>> {
    let input = codec.decode(buffer)?;
    if let Some(ImapInput::Line(line)) = &input
        && let Some((_, announced)) = line.rsplit_once('{')
        && let Some(len) = announced.strip_suffix('}').and_then(|len| len.parse().ok())
    {
        codec.expect_literal(len);
    }
    Ok(input)
}
