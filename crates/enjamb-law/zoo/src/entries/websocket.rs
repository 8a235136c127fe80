//! WebSocket frames and messages.

use std::io::ErrorKind;

use bytes::BytesMut;
use enjamb_law::{Blocking, Decoded, Reading};
use tokio_util::codec::Encoder as _;
use websocket_codec::MessageCodec;

use super::{ASYNC, BLOCKING, DECODER};
use crate::entry::Entry;
use crate::subject::{any, encoding};

/// Messages as a server sends them: text, fragments with a ping between them, binary with a 16-bit
/// length, and a character in two fragments.
fn messages() -> Vec<Vec<u8>> {
    vec![
        b"\x81\x05hello".to_vec(),
        b"\x01\x02he\x89\x00\x80\x03llo".to_vec(),
        [&b"\x82\x7e\x00\x7e"[..], &[b'a'; 126]].concat(),
        b"\x82\x00".to_vec(),
        b"\x01\x01\xc3\x80\x01\xa9".to_vec(),
    ]
}

pub fn entries() -> Vec<Entry> {
    vec![
        Entry::new("tungstenite 0.30.0", "WebSocket", BLOCKING, || {
            any(Blocking::with(
                |incoming| tungstenite::WebSocket::from_raw_socket(incoming, tungstenite::protocol::Role::Client, None),
                |socket| match socket.read() {
                    Ok(message) => Ok(Some(message)),
                    Err(
                        tungstenite::Error::ConnectionClosed
                        | tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake),
                    ) => Ok(None),
                    Err(error) => Err(error),
                },
            )
            .would_block(
                |error| matches!(error, tungstenite::Error::Io(error) if error.kind() == ErrorKind::WouldBlock),
            ))
        })
        .messages(messages()),
        Entry::new("soketto 0.8.1", "WebSocket", ASYNC, || {
            any(Reading::with(
                |chunks| soketto::connection::Builder::new(chunks, soketto::connection::Mode::Client).finish(),
                async |(_sender, receiver)| {
                    let mut message = Vec::new();
                    match receiver.receive(&mut message).await {
                        Ok(kind) => Ok(Some((format!("{kind:?}"), message))),
                        Err(soketto::connection::Error::Closed) => Ok(None),
                        Err(soketto::connection::Error::Io(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                            Ok(None)
                        }
                        Err(error) => Err(error),
                    }
                },
            ))
        })
        .messages(messages()),
        Entry::new("fastwebsockets 0.10.0", "WebSocket frames", ASYNC, || {
            any(Reading::with(
                |chunks| {
                    let mut socket = fastwebsockets::WebSocket::after_handshake(chunks, fastwebsockets::Role::Client);
                    socket.set_auto_pong(false);
                    socket
                },
                async |socket| match socket.read_frame().await {
                    Ok(frame) => Ok(Some((frame.fin, format!("{:?}", frame.opcode), frame.payload.to_vec()))),
                    Err(fastwebsockets::WebSocketError::UnexpectedEOF) => Ok(None),
                    Err(error) => Err(error),
                },
            ))
        })
        .messages(messages()),
        Entry::new("fastwebsockets 0.10.0 FragmentCollector", "WebSocket", ASYNC, || {
            any(Reading::with(
                |chunks| {
                    fastwebsockets::FragmentCollector::new(fastwebsockets::WebSocket::after_handshake(
                        chunks,
                        fastwebsockets::Role::Client,
                    ))
                },
                async |socket| match socket.read_frame().await {
                    Ok(frame) => Ok(Some((format!("{:?}", frame.opcode), frame.payload.to_vec()))),
                    Err(fastwebsockets::WebSocketError::UnexpectedEOF) => Ok(None),
                    Err(error) => Err(error),
                },
            ))
        })
        .messages(messages()),
        Entry::new("websocket-codec 0.5.2", "WebSocket", DECODER, || {
            encoding(Decoded::new(MessageCodec::client), |message: &websocket_codec::Message| {
                // The decoder reads the output of the other side.
                let mut encoded = BytesMut::new();
                MessageCodec::server().encode(message.clone(), &mut encoded).ok()?;
                Some(encoded.to_vec())
            })
        })
        .messages(messages()),
    ]
}
