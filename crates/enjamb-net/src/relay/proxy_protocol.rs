//! The PROXY protocol: a header before the first byte of a connection, with the addresses of the
//! real client (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>).

use std::io;
use std::net::SocketAddr;

use proxy_header::{Error, ParseConfig, ProxiedAddress, ProxyHeader};

use crate::relay::link::Link;

/// The maximum length of a header. The addresses need 232 bytes at most; the rest is extensions.
const HEADER_MAX: usize = 4096;

/// A version of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyProtocol {
    /// A line of text.
    V1,
    /// The binary form.
    V2,
}

/// The addresses of a real client, and the address to which it connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) client: SocketAddr,
    pub(crate) destination: SocketAddr,
}

/// Reads a header of either version, and nothing behind it. `None`: the peer speaks for itself.
pub(crate) async fn read_header(client: &mut Link<'_>) -> io::Result<Option<Origin>> {
    let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    let mut head = Vec::new();
    loop {
        if client.receive(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match ProxyHeader::parse(&head, ParseConfig { include_tlvs: false, ..ParseConfig::default() }) {
            Ok((header, length)) => {
                let address = header.proxied_address().cloned();
                client.put_back(&head[length..]);
                return Ok(
                    address.map(|ProxiedAddress { source, destination, .. }| Origin { client: source, destination })
                );
            }
            Err(Error::BufferTooShort) if head.len() < HEADER_MAX => {}
            Err(Error::BufferTooShort) => return Err(invalid(format!("it has more than {HEADER_MAX} bytes"))),
            Err(_) => return Err(invalid("the first bytes are no such header".to_owned())),
        }
    }
}

/// Returns the header of a connection.
pub(crate) fn header(version: ProxyProtocol, origin: Origin) -> Vec<u8> {
    let Origin { client, destination } = origin;
    // A client of a Unix socket has no address.
    let header = if client.ip().is_unspecified() {
        ProxyHeader::with_local()
    } else {
        ProxyHeader::with_address(ProxiedAddress::stream(client, destination))
    };
    let encode = |header: &ProxyHeader<'_>, bytes: &mut Vec<u8>| match version {
        ProxyProtocol::V1 => header.encode_v1(bytes),
        ProxyProtocol::V2 => header.encode_v2(bytes),
    };
    let mut bytes = Vec::new();
    if encode(&header, &mut bytes).is_err() {
        // The two addresses are not of one family, which neither version can say.
        bytes.clear();
        let _ = encode(&ProxyHeader::with_local(), &mut bytes);
    }
    bytes
}
