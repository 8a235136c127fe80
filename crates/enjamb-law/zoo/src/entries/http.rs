//! HTTP heads, and formats with similar heads.

use enjamb_law::{Decoded, Parsed, Parsing};

use super::{DECODER, PARSE};
use crate::entry::Entry;
use crate::old_decoder;
use crate::subject::any;

pub fn entries() -> Vec<Entry> {
    vec![
        Entry::new("httparse 1.10.1 Request", "HTTP/1 request heads", PARSE, || {
            any(Parsing::new(|bytes| {
                let mut headers = [httparse::EMPTY_HEADER; 16];
                let mut request = httparse::Request::new(&mut headers);
                Parsed::from(request.parse(bytes)).map(|()| format!("{request:?}"))
            }))
        })
        .messages([
            &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
            b"POST /x HTTP/1.0\nA:  b \n\n",
            b"\r\nGET * HTTP/1.1\r\n\r\n",
        ]),
        Entry::new("httparse 1.10.1 Response", "HTTP/1 response heads", PARSE, || {
            any(Parsing::new(|bytes| {
                let mut headers = [httparse::EMPTY_HEADER; 16];
                let mut response = httparse::Response::new(&mut headers);
                Parsed::from(response.parse(bytes)).map(|()| format!("{response:?}"))
            }))
        })
        .messages([&b"HTTP/1.1 200 OK\r\nA:b\r\n\r\n"[..], b"HTTP/1.0 404\r\n\r\n", b"HTTP/1.1 200 \r\nA:b\r\n\r\n"]),
        Entry::new("httparse 1.10.1 chunk size", "sizes of HTTP chunks", PARSE, || {
            any(Parsing::new(|bytes| match httparse::parse_chunk_size(bytes) {
                Ok(httparse::Status::Complete((used, size))) => Parsed::Done(size, used),
                Ok(httparse::Status::Partial) => Parsed::Incomplete,
                Err(error) => Parsed::Failed(format!("{error:?}")),
            }))
        })
        .messages([&b"5\r\n"[..], b"0\r\n", b"ffff;a=b\r\n", b"A \r\n"]),
        Entry::new("rtsp-types 0.1.3", "RTSP", PARSE, || {
            any(Parsing::new(|bytes| match rtsp_types::Message::<Vec<u8>>::parse(bytes) {
                Ok((message, used)) => Parsed::Done(format!("{message:?}"), used),
                Err(rtsp_types::ParseError::Incomplete(_)) => Parsed::Incomplete,
                Err(error) => Parsed::Failed(format!("{error:?}")),
            }))
        })
        .messages([
            &b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"[..],
            b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 3\r\n\r\nabc",
            b"$\x00\x00\x03xyz",
        ]),
        Entry::new("lsp-codec 0.3.0", "language server messages", super::OLD_DECODER, || {
            any(old_decoder!(tokio_util_06, bytes, lsp_codec::LspDecoder::default))
        })
        .messages([
            &b"Content-Length: 2\r\n\r\n{}"[..],
            b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 4\r\n\r\nnull",
        ]),
        Entry::new("lsp-server-tokio 0.4.0", "language server messages", DECODER, || {
            any(Decoded::new(lsp_server_tokio::LspCodec::new))
        })
        .messages([
            &b"Content-Length: 44\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"shutdown\"}"[..],
            b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 33\r\n\r\n{\"jsonrpc\":\"2.0\",\"method\":\"exit\"}",
        ]),
    ]
}
