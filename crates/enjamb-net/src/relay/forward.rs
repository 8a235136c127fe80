//! Clients that name their server: SOCKS5 (RFC 1928) and HTTP `CONNECT` (RFC 9110, section 9.3.6).
//!
//! The first byte of a client tells which of them it uses. A client may only name servers that a
//! rule allows, so that nobody gets further through the relay than its owner wants. A rule is about
//! what the client asks for: one with a name allows every address that the name has.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::relay::link::Link;

/// The maximum length of the head of a `CONNECT` request.
const HEAD_MAX: usize = 16 << 10;

/// A rule about servers that clients may name: `HOST:PORT`. The host is a name, an address, a range
/// of addresses such as `10.0.0.0/8`, `*.example.com` for all names that end so, or `*`. The port
/// is a number, a range such as `8000-8999`, or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardRule {
    host: HostRule,
    ports: (u16, u16),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostRule {
    Any,
    Name(String),
    /// With the dot before it.
    Suffix(String),
    Network(IpAddr, u8),
}

/// The reason why a text is no [`ForwardRule`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected HOST:PORT, such as api.example.com:443, *.example.com:443, 10.0.0.0/8:*, [::1]:8000-8999 or *:*")]
pub struct ForwardRuleError;

impl FromStr for ForwardRule {
    type Err = ForwardRuleError;

    fn from_str(text: &str) -> Result<Self, ForwardRuleError> {
        let (host, ports) = text.rsplit_once(':').ok_or(ForwardRuleError)?;
        let port = |text: &str| text.parse::<u16>().map_err(|_| ForwardRuleError);
        let ports = match ports.split_once('-') {
            _ if ports == "*" => (0, u16::MAX),
            Some((from, to)) => (port(from)?, port(to)?),
            None => (port(ports)?, port(ports)?),
        };
        let (address, bits) = host.split_once('/').map_or((host, None), |(address, bits)| (address, Some(bits)));
        let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
        let host = match (bare.parse::<IpAddr>(), bits) {
            _ if ports.0 > ports.1 => return Err(ForwardRuleError),
            (Ok(address), bits) => {
                let max = if address.is_ipv4() { 32 } else { 128 };
                let bits = bits.map_or(Ok(max), str::parse::<u8>).map_err(|_| ForwardRuleError)?;
                if bits > max {
                    return Err(ForwardRuleError);
                }
                HostRule::Network(address, bits)
            }
            (Err(_), Some(_)) => return Err(ForwardRuleError),
            (Err(_), None) if host == "*" => HostRule::Any,
            (Err(_), None) => match host.strip_prefix('*') {
                Some(suffix) if suffix.starts_with('.') && is_name(&suffix[1..]) => {
                    HostRule::Suffix(suffix.to_ascii_lowercase())
                }
                None if is_name(host) => HostRule::Name(host.to_ascii_lowercase()),
                _ => return Err(ForwardRuleError),
            },
        };
        Ok(Self { host, ports })
    }
}

impl ForwardRule {
    /// Returns whether the rule allows a server.
    fn allows(&self, destination: &Destination) -> bool {
        let Destination { host, port } = destination;
        let is_host = match &self.host {
            HostRule::Any => true,
            HostRule::Name(name) => host.eq_ignore_ascii_case(name),
            HostRule::Suffix(suffix) => {
                host.len() > suffix.len() && host.to_ascii_lowercase().ends_with(suffix.as_str())
            }
            HostRule::Network(network, bits) => {
                host.parse::<IpAddr>().is_ok_and(|address| is_in(address.to_canonical(), *network, *bits))
            }
        };
        is_host && (self.ports.0..=self.ports.1).contains(port)
    }
}

fn is_in(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let of = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, true),
        IpAddr::V6(address) => (address.to_bits(), false),
    };
    let ((one, is_v4), (other, other_is_v4)) = (of(address), of(network));
    let differing = 128 - u32::from(bits);
    is_v4 == other_is_v4 && (one ^ other).checked_shr(differing).unwrap_or(0) == 0
}

/// Returns whether a text may be the name of a host. Anything else might mean something to the
/// resolver that no rule is about.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

/// A server that a client has named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Destination {
    pub(crate) fn is_allowed(&self, rules: &[ForwardRule]) -> bool {
        rules.iter().any(|rule| rule.allows(self))
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// The way in which a client names its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ForwardProtocol {
    Socks5,
    Http,
}

/// The answer to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Connected,
    NotAllowed,
    NotConnected,
    TimedOut,
}

impl ForwardProtocol {
    /// Returns the bytes of an answer.
    pub(crate) fn answer(self, answer: Answer) -> Vec<u8> {
        match self {
            Self::Socks5 => {
                let code = match answer {
                    Answer::Connected => 0,
                    Answer::NotAllowed => 2,
                    Answer::NotConnected => 5,
                    Answer::TimedOut => 4,
                };
                // The address of the relay's own end is of no use to the client.
                vec![5, code, 0, 1, 0, 0, 0, 0, 0, 0]
            }
            Self::Http => match answer {
                Answer::Connected => b"HTTP/1.1 200 Connection established\r\n\r\n".to_vec(),
                Answer::NotAllowed => refusal("403 Forbidden"),
                Answer::NotConnected => refusal("502 Bad Gateway"),
                Answer::TimedOut => refusal("504 Gateway Timeout"),
            },
        }
    }
}

fn refusal(status: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into_bytes()
}

/// Receives the request of a client. Bytes behind it are put back.
pub(crate) async fn receive_request(client: &mut Link<'_>) -> io::Result<(ForwardProtocol, Destination)> {
    let mut bytes = Vec::new();
    fill(client, &mut bytes, 1).await?;
    if bytes[0] == 5 {
        let destination = receive_socks(client, bytes).await?;
        Ok((ForwardProtocol::Socks5, destination))
    } else {
        let destination = receive_connect(client, bytes).await?;
        Ok((ForwardProtocol::Http, destination))
    }
}

/// Reads until there are `length` bytes.
async fn fill(client: &mut Link<'_>, bytes: &mut Vec<u8>, length: usize) -> io::Result<()> {
    while bytes.len() < length {
        if client.receive(bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.to_owned())
}

async fn receive_socks(client: &mut Link<'_>, mut bytes: Vec<u8>) -> io::Result<Destination> {
    fill(client, &mut bytes, 2).await?;
    let methods = 2 + usize::from(bytes[1]);
    fill(client, &mut bytes, methods).await?;
    if !bytes[2..methods].contains(&0) {
        let _ = client.send_all(&[5, 0xff]).await;
        return Err(invalid("it offers SOCKS5 only with a password"));
    }
    client.send_all(&[5, 0]).await?;
    bytes.drain(..methods);

    fill(client, &mut bytes, 5).await?;
    let refuse = |code: u8| [5, code, 0, 1, 0, 0, 0, 0, 0, 0];
    if bytes[1] != 1 {
        let _ = client.send_all(&refuse(7)).await;
        return Err(invalid("it asks SOCKS5 for something else than a connection"));
    }
    let length = match bytes[3] {
        1 => 4,
        3 => 1 + usize::from(bytes[4]),
        4 => 16,
        _ => {
            let _ = client.send_all(&refuse(8)).await;
            return Err(invalid("its address in SOCKS5 is of no known type"));
        }
    };
    let end = 4 + length + 2;
    fill(client, &mut bytes, end).await?;
    let address = &bytes[4..4 + length];
    let host = match bytes[3] {
        1 => address.first_chunk().map(|octets: &[u8; 4]| Ipv4Addr::from(*octets).to_string()),
        4 => address.first_chunk().map(|octets: &[u8; 16]| Ipv6Addr::from(*octets).to_string()),
        _ => std::str::from_utf8(&address[1..]).ok().filter(|name| is_host(name)).map(str::to_owned),
    };
    let Some(host) = host else {
        let _ = client.send_all(&refuse(8)).await;
        return Err(invalid("its host in SOCKS5 is no name"));
    };
    let port = u16::from_be_bytes([bytes[end - 2], bytes[end - 1]]);
    client.put_back(&bytes[end..]);
    Ok(Destination { host, port })
}

/// Returns whether a text is a name or an address.
fn is_host(text: &str) -> bool {
    is_name(text) || text.parse::<IpAddr>().is_ok()
}

async fn receive_connect(client: &mut Link<'_>, mut bytes: Vec<u8>) -> io::Result<Destination> {
    const END: &[u8] = b"\r\n\r\n";
    let end = loop {
        // What is no request is refused before its end, which may never come.
        if !b"CONNECT ".iter().zip(&bytes).all(|(expected, byte)| expected == byte) {
            let is_http = bytes.first().is_some_and(u8::is_ascii_uppercase);
            if is_http {
                let _ = client.send_all(&refusal("405 Method Not Allowed")).await;
            }
            let shown = &bytes[..bytes.len().min(12)];
            let text = format!("its first bytes are neither SOCKS5 nor CONNECT: \"{}\"", shown.escape_ascii());
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        if let Some(at) = bytes.windows(END.len()).position(|window| window == END) {
            break at + END.len();
        }
        if bytes.len() > HEAD_MAX {
            let _ = client.send_all(&refusal("431 Request Header Fields Too Large")).await;
            return Err(invalid("the head of its CONNECT has more than 16 KiB"));
        }
        if client.receive(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let target = match (words.next(), words.next(), words.next(), words.next()) {
        (Some(b"CONNECT"), Some(target), Some(b"HTTP/1.0" | b"HTTP/1.1"), None) => std::str::from_utf8(target).ok(),
        _ => None,
    };
    let destination = target.and_then(|target| {
        let (host, port) = target.rsplit_once(':')?;
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        is_host(bare).then_some(())?;
        Some(Destination { host: bare.to_owned(), port: port.parse().ok()? })
    });
    let Some(destination) = destination else {
        let _ = client.send_all(&refusal("400 Bad Request")).await;
        return Err(invalid("its CONNECT names no HOST:PORT"));
    };
    client.put_back(&bytes[end..]);
    Ok(destination)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_allow_what_they_name() {
        for (rule, destination, expected) in [
            ("api.test:443", "api.test:443", true),
            ("api.test:443", "API.test:443", true),
            ("api.test:443", "api.test:80", false),
            ("api.test:443", "evil.api.test:443", false),
            ("*.test:443", "api.test:443", true),
            ("*.test:443", "test:443", false),
            ("*.test:443", "apitest:443", false),
            ("*.test:*", "a.b.test:1", true),
            ("*:80-90", "whatever:85", true),
            ("*:80-90", "whatever:91", false),
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("127.0.0.0/8:*", "127.9.9.9:80", true),
            ("127.0.0.0/8:*", "128.0.0.1:80", false),
            ("0.0.0.0/0:*", "1.2.3.4:80", true),
            ("0.0.0.0/0:*", "::1:80", false),
            ("[::1]:80", "::1:80", true),
            ("[fe80::]/10:*", "fe80::9:80", true),
            ("127.0.0.0/8:*", "::ffff:127.0.0.1:80", true),
            ("127.0.0.1:80", "localhost:80", false),
        ] {
            let (host, port) = destination.rsplit_once(':').unwrap();
            let destination = Destination { host: host.to_owned(), port: port.parse().unwrap() };
            let rules = [rule.parse::<ForwardRule>().unwrap()];
            assert_eq!(destination.is_allowed(&rules), expected, "{rule} and {destination}");
        }
        for text in ["", "host", "host:", ":80", "host:99999", "a b:80", "x/8:80", "1.2.3.4/33:80", "*host:80", "h:9-8"]
        {
            assert_eq!(text.parse::<ForwardRule>(), Err(ForwardRuleError), "{text}");
        }
    }
}
