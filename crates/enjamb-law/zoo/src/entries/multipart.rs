//! Multipart bodies.

use enjamb_law::{DebugText, Streaming, Subject as _};
use futures::{Stream, StreamExt as _};

use super::STREAM;
use crate::entry::Entry;
use crate::subject::any;

const FORM: &[u8] = b"--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nhello\r\n--B\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\nx\r\n-y\r\n--B--\r\n";
const EMPTY: &[u8] = b"--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n--B--\r\n";
const STREAMED: &[u8] = b"--B\r\nContent-Length: 5\r\n\r\nhello\r\n";

/// Makes an event of a head, and one of each byte of a body, since the pieces of a body follow the
/// cuts.
fn bytes(head: Option<String>, body: &[u8]) -> Vec<DebugText> {
    let bytes = body.iter().map(|byte| DebugText(format!("body {}", byte.escape_ascii())));
    head.map(DebugText).into_iter().chain(bytes).collect()
}

macro_rules! mpart {
    ($mpart:ident, $body:expr) => {
        any(Streaming::new(|body| $mpart::server::MultipartParser::new("B", $body(body))).flat_map(
            |output| match output {
                $mpart::server::ParseOutput::Headers(headers) => bytes(Some(format!("{headers:?}")), b""),
                $mpart::server::ParseOutput::Bytes(piece) => bytes(None, &piece),
            },
        ))
    };
}

/// Converts a body to an older version of `bytes`.
fn older(
    body: impl Stream<Item = std::io::Result<bytes::Bytes>>,
) -> impl Stream<Item = std::io::Result<bytes_05::Bytes>> {
    body.map(|chunk| chunk.map(|chunk| bytes_05::Bytes::copy_from_slice(&chunk)))
}

pub fn entries() -> Vec<Entry> {
    vec![
        Entry::new("mpart-async 0.4.0", "multipart bodies", STREAM, || {
            mpart!(mpart_async_04, |body| Box::pin(older(body)))
        })
        .messages([FORM, EMPTY])
        .dependent(),
        Entry::new("mpart-async 0.7.0", "multipart bodies", STREAM, || mpart!(mpart_async, |body| body))
            .tokens([&b"\r\n\r\n"[..], b"--B\r\nA: a"])
            .messages([FORM, EMPTY])
            .dependent(),
        Entry::new("multer 3.1.0", "multipart bodies", STREAM, || {
            any(Streaming::with(
                |body| (multer::Multipart::new(body, "B"), None::<multer::Field<'static>>),
                async |(multipart, field)| {
                    if let Some(open) = field {
                        match open.chunk().await? {
                            Some(piece) => return Ok::<_, multer::Error>(Some(bytes(None, &piece))),
                            None => *field = None,
                        }
                    }
                    let Some(next) = multipart.next_field().await? else {
                        return Ok(None);
                    };
                    let head = format!("{:?}", next.headers());
                    *field = Some(next);
                    Ok(Some(bytes(Some(head), b"")))
                },
            )
            .flat_map(|events| events))
        })
        .messages([FORM, EMPTY])
        .dependent(),
        Entry::new("multipart-stream 0.1.2", "multipart bodies without end", STREAM, || {
            any(Streaming::new(|body| {
                multipart_stream::parser::ParserBuilder::new().max_header_bytes(30).parse(body, "B")
            }))
        })
        .messages([STREAMED, b"--B\r\nContent-Length: 0\r\n\r\n\r\n"]),
    ]
}
