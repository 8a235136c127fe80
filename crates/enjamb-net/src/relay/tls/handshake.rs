//! The handshakes of a connection.
//!
//! The client's first message says which server and which application protocols it wants. Then the
//! relay and the server finish their handshake, and with its result the relay and the client finish
//! theirs.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use enjamb::Side;
use enjamb::units::format_duration;
use rustls::server::{Accepted, Acceptor};
use rustls::{ClientConnection, Connection, InvalidMessage, ProtocolVersion};

use crate::relay::link::Link;
use crate::relay::tls::session::Session;
use crate::relay::tls::{Tls, TlsParameters};

/// The first byte of a TLS record with a part of a handshake, and of one with an alert (RFC 8446,
/// section 5.1).
const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;

/// A fatal alert `internal_error`, in plain text (RFC 8446, section 6).
const INTERNAL_ERROR: [u8; 7] = [ALERT, 3, 3, 0, 2, 2, 80];

/// The number of bytes that the reason of a failure shows.
const SHOWN_MAX: usize = 12;

/// The handshake with a side failed.
pub(crate) struct HandshakeError {
    pub(crate) side: Side,
    pub(crate) source: io::Error,
}

impl HandshakeError {
    pub(crate) fn timed_out(side: Side, limit: Duration) -> Self {
        let reason = format!("it was not finished within {}", format_duration(limit));
        Self { side, source: io::Error::new(io::ErrorKind::TimedOut, reason) }
    }
}

/// The facts about a connection that its certificates depend on.
pub(crate) struct Target<'a> {
    /// The host of the server, as the relay was given it.
    pub(crate) host: &'a str,
    /// The address to which the client connected.
    pub(crate) listener: IpAddr,
}

/// Begins TLS on both sides, as far as `tls` asks for it. `waits_for` is the side whose handshake
/// is in progress.
pub(crate) async fn secure(
    links: &mut [Link<'_>; 2],
    tls: &Tls,
    target: &Target<'_>,
    waits_for: &mut Side,
) -> Result<[Option<TlsParameters>; 2], HandshakeError> {
    let [client, server] = links;
    let failed = |side| move |source| HandshakeError { side, source };
    let mut parameters = [None, None];
    let alpn = || tls.alpn.iter().map(|name| name.clone().into_bytes()).collect::<Vec<_>>();

    let hello = match &tls.client {
        Some(termination) => Some((termination, receive_hello(client).await.map_err(failed(Side::Client))?)),
        None => None,
    };
    let (server_name, offered) = match &hello {
        None => (None, alpn()),
        Some((_, accepted)) => {
            let hello = accepted.client_hello();
            let offered = hello.alpn().map(|names| names.map(<[u8]>::to_vec).collect());
            (hello.server_name().map(str::to_owned), offered.unwrap_or_default())
        }
    };

    let mut chosen = alpn();
    if let Some(origination) = &tls.server {
        *waits_for = Side::Server;
        let connect = async {
            let name = origination.server_name(target.host, server_name.as_deref()).map_err(io::Error::other)?;
            let sent = matches!(name, rustls::pki_types::ServerName::DnsName(_)).then(|| name.to_str().into_owned());
            let connection = ClientConnection::new(origination.config(offered), name).map_err(io::Error::other)?;
            let connection = complete(server, connection.into()).await?;
            io::Result::Ok((parameters_of(&connection, sent), connection))
        };
        match connect.await {
            Ok((agreed, connection)) => {
                chosen = connection.alpn_protocol().map(<[u8]>::to_vec).into_iter().collect();
                server.secure(Session::new(connection));
                parameters[Side::Server.index()] = Some(agreed);
            }
            Err(source) => {
                if hello.is_some() {
                    // It is reset anyway.
                    let _ = client.send_all(&INTERNAL_ERROR).await;
                }
                return Err(HandshakeError { side: Side::Server, source });
            }
        }
    }

    if let Some((termination, accepted)) = hello {
        *waits_for = Side::Client;
        let accept = async {
            let config = termination.config(server_name.as_deref(), target.listener, chosen);
            let connection = match accepted.into_connection(config.map_err(io::Error::other)?) {
                Ok(connection) => connection,
                Err((error, mut alert)) => {
                    let mut bytes = Vec::new();
                    alert.write_all(&mut bytes)?;
                    let _ = client.send_all(&bytes).await;
                    return Err(io::Error::other(error));
                }
            };
            let connection = complete(client, connection.into()).await?;
            client.secure(Session::new(connection_of(&mut parameters, connection, server_name)));
            Ok(())
        };
        accept.await.map_err(failed(Side::Client))?;
    }
    Ok(parameters)
}

/// Notes the parameters of the client's connection.
fn connection_of(
    parameters: &mut [Option<TlsParameters>; 2],
    connection: Connection,
    server_name: Option<String>,
) -> Connection {
    parameters[Side::Client.index()] = Some(parameters_of(&connection, server_name));
    connection
}

fn parameters_of(connection: &Connection, server_name: Option<String>) -> TlsParameters {
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        _ => "TLS",
    };
    let alpn = connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
    TlsParameters { version, server_name, alpn }
}

/// Receives the client's first message.
async fn receive_hello(client: &mut Link<'_>) -> io::Result<Accepted> {
    let mut acceptor = Acceptor::default();
    let mut first = Vec::new();
    loop {
        match acceptor.accept() {
            Ok(Some(accepted)) => return Ok(accepted),
            Ok(None) => {}
            Err((error, mut alert)) => {
                let mut bytes = Vec::new();
                alert.write_all(&mut bytes)?;
                let _ = client.send_all(&bytes).await;
                return Err(explained(error, &first));
            }
        }
        let mut bytes = Vec::new();
        if client.receive(&mut bytes).await? == 0 {
            return Err(early_end(&first));
        }
        note_first(&mut first, &bytes);
        let mut rest = &bytes[..];
        while !rest.is_empty() && acceptor.read_tls(&mut rest)? > 0 {}
    }
}

/// Finishes the handshake of a connection.
async fn complete(link: &mut Link<'_>, mut connection: Connection) -> io::Result<Connection> {
    let mut first = Vec::new();
    loop {
        let mut bytes = Vec::new();
        while connection.wants_write() {
            connection.write_tls(&mut bytes)?;
        }
        link.send_all(&bytes).await?;
        if !connection.is_handshaking() {
            return Ok(connection);
        }
        let mut bytes = Vec::new();
        if link.receive(&mut bytes).await? == 0 {
            return Err(early_end(&first));
        }
        note_first(&mut first, &bytes);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let length = connection.read_tls(&mut rest)?;
            if let Err(error) = connection.process_new_packets() {
                let mut alert = Vec::new();
                while connection.wants_write() {
                    connection.write_tls(&mut alert)?;
                }
                let _ = link.send_all(&alert).await;
                return Err(explained(error, &first));
            }
            if length == 0 {
                break;
            }
        }
    }
}

fn note_first(first: &mut Vec<u8>, bytes: &[u8]) {
    let missing = SHOWN_MAX.saturating_sub(first.len()).min(bytes.len());
    first.extend_from_slice(&bytes[..missing]);
}

/// Returns an error with a reason that a person can act on.
fn explained(error: rustls::Error, first: &[u8]) -> io::Error {
    let is_other = first.first().is_some_and(|byte| !matches!(*byte, HANDSHAKE | ALERT));
    match error {
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge
            | InvalidMessage::InvalidEmptyPayload,
        ) if is_other => {
            let text = format!("its first bytes are not TLS: \"{}\"", first.escape_ascii());
            io::Error::new(io::ErrorKind::InvalidData, text)
        }
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}

fn early_end(first: &[u8]) -> io::Error {
    let text =
        if first.is_empty() { "its stream ended without a byte" } else { "its stream ended before the handshake did" };
    io::Error::new(io::ErrorKind::UnexpectedEof, text)
}
