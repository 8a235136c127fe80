//! The messages of the handshake.

use enjamb::Side;

use crate::sniff::Sniff;

/// The maximum length of a user or a name in a request of SOCKS 4, in bytes.
const NAME_MAX: usize = 512;

/// The message that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The client's first message: a greeting of SOCKS 5, or a request of SOCKS 4.
    Greeting,
    /// The server's choice of a method.
    Method,
    /// The user and the password (RFC 1929).
    Authentication,
    Status,
    Request,
    Reply {
        connect: bool,
    },
    Reply4 {
        connect: bool,
    },
    /// The tunnel stands.
    Tunnel,
}

impl Turn {
    pub(super) fn side(self) -> Side {
        match self {
            Self::Greeting | Self::Authentication | Self::Request | Self::Tunnel => Side::Client,
            Self::Method | Self::Status | Self::Reply { .. } | Self::Reply4 { .. } => Side::Server,
        }
    }

    /// Returns the kind of a message that is not whole.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Method => "method",
            Self::Authentication => "authentication",
            Self::Status => "status",
            Self::Request | Self::Tunnel => "request",
            Self::Reply { .. } | Self::Reply4 { .. } => "reply",
        }
    }
}

/// The result of parsing a message.
pub(super) enum Parsed {
    /// Bytes of it are missing.
    More,
    Malformed {
        /// The number of bytes up to the wrong one, which is included.
        length: usize,
        reason: &'static str,
    },
    Whole {
        length: usize,
        kind: &'static str,
        failed: bool,
        code: Option<String>,
        summary: String,
        /// `None`: the handshake is over without a tunnel that is parsed.
        next: Option<Turn>,
    },
}

/// A message that is wrong or not whole.
enum Stop {
    More,
    Malformed(usize, &'static str),
}

/// The bytes of a message, read in their order. So the place of an error does not depend on how many
/// have come.
struct Bytes<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Bytes<'b> {
    fn byte(&mut self) -> Result<u8, Stop> {
        let byte = *self.bytes.get(self.at).ok_or(Stop::More)?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, length: usize) -> Result<&'b [u8], Stop> {
        let taken = self.bytes.get(self.at..self.at + length).ok_or(Stop::More)?;
        self.at += length;
        Ok(taken)
    }

    /// Takes a byte that must be one of `allowed`.
    fn one_of(&mut self, allowed: &[u8], reason: &'static str) -> Result<u8, Stop> {
        let byte = self.byte()?;
        if allowed.contains(&byte) { Ok(byte) } else { Err(Stop::Malformed(self.at, reason)) }
    }

    /// Takes a text and the NUL behind it.
    fn until_nul(&mut self) -> Result<&'b [u8], Stop> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match rest.iter().take(NAME_MAX + 1).position(|&byte| byte == 0) {
            Some(length) => {
                self.at += length + 1;
                Ok(&rest[..length])
            }
            None if rest.len() > NAME_MAX => {
                Err(Stop::Malformed(self.at + NAME_MAX + 1, "name is longer than 512 bytes"))
            }
            None => Err(Stop::More),
        }
    }

    fn port(&mut self) -> Result<u16, Stop> {
        Ok(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    /// Takes an address of SOCKS 5 and its port.
    fn address(&mut self) -> Result<String, Stop> {
        let host = match self.one_of(&[1, 3, 4], "address type is not 1, 3 or 4")? {
            1 => ipv4(self.take(4)?),
            3 => {
                let length = self.byte()?.into();
                String::from_utf8_lossy(self.take(length)?).into_owned()
            }
            _ => {
                let octets: [u8; 16] = self.take(16)?.try_into().unwrap_or_default();
                format!("[{}]", std::net::Ipv6Addr::from(octets))
            }
        };
        Ok(format!("{host}:{}", self.port()?))
    }
}

fn ipv4(octets: &[u8]) -> String {
    octets.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
}

/// Parses the message of this turn at the front of `bytes`.
pub(super) fn parse(turn: Turn, bytes: &[u8]) -> Parsed {
    let mut bytes = Bytes { bytes, at: 0 };
    let read = match turn {
        Turn::Greeting => greeting(&mut bytes),
        Turn::Method => method(&mut bytes),
        Turn::Authentication => authentication(&mut bytes),
        Turn::Status => status(&mut bytes),
        Turn::Request => request(&mut bytes),
        Turn::Reply { connect } => reply(&mut bytes, connect),
        Turn::Reply4 { connect } => reply4(&mut bytes, connect),
        Turn::Tunnel => Err(Stop::More),
    };
    match read {
        Ok(Found { kind, code, failed, summary, next }) => {
            Parsed::Whole { length: bytes.at, kind, failed, code, summary, next }
        }
        Err(Stop::More) => Parsed::More,
        Err(Stop::Malformed(length, reason)) => Parsed::Malformed { length, reason },
    }
}

struct Found {
    kind: &'static str,
    code: Option<String>,
    failed: bool,
    summary: String,
    next: Option<Turn>,
}

impl Found {
    fn new(kind: &'static str, summary: String, next: Option<Turn>) -> Self {
        Self { kind, code: None, failed: false, summary, next }
    }

    /// An answer with a code, which is a failure unless it is `granted`.
    fn answer(kind: &'static str, code: u8, granted: u8, summary: String, next: Option<Turn>) -> Self {
        let failed = code != granted;
        Self { kind, code: Some(code.to_string()), failed, summary, next: next.filter(|_| !failed) }
    }
}

fn greeting(bytes: &mut Bytes<'_>) -> Result<Found, Stop> {
    if bytes.one_of(&[4, 5], "version is not 4 or 5")? == 4 {
        return request4(bytes);
    }
    let count = bytes.byte()?;
    let methods: Vec<String> = bytes.take(count.into())?.iter().map(ToString::to_string).collect();
    Ok(Found::new("greeting", format!("SOCKS 5, methods {}", methods.join(", ")), Some(Turn::Method)))
}

fn request4(bytes: &mut Bytes<'_>) -> Result<Found, Stop> {
    let command = bytes.one_of(&[1, 2], "command is not 1 or 2")?;
    let port = bytes.port()?;
    let address = bytes.take(4)?;
    bytes.until_nul()?;
    let host = match address {
        [0, 0, 0, 1..=255] => String::from_utf8_lossy(bytes.until_nul()?).into_owned(),
        _ => ipv4(address),
    };
    let kind = if command == 1 { "CONNECT" } else { "BIND" };
    Ok(Found::new(kind, format!("SOCKS 4 {kind} {host}:{port}"), Some(Turn::Reply4 { connect: command == 1 })))
}

fn reply4(bytes: &mut Bytes<'_>, connect: bool) -> Result<Found, Stop> {
    bytes.one_of(&[0], "reply does not begin with 0")?;
    let code = bytes.one_of(&[90, 91, 92, 93], "reply is not 90 to 93")?;
    let port = bytes.port()?;
    let host = ipv4(bytes.take(4)?);
    let text = if code == 90 { "granted" } else { "refused" };
    let next = connect.then_some(Turn::Tunnel);
    Ok(Found::answer("reply", code, 90, format!("{code} {text}, {host}:{port}"), next))
}

fn method(bytes: &mut Bytes<'_>) -> Result<Found, Stop> {
    bytes.one_of(&[5], "version is not 5")?;
    let method = bytes.byte()?;
    let (summary, next) = match method {
        0 => ("no authentication".to_owned(), Some(Turn::Request)),
        2 => ("user and password".to_owned(), Some(Turn::Authentication)),
        0xff => ("no method is acceptable".to_owned(), None),
        method => (format!("method {method}"), None),
    };
    Ok(Found { code: Some(method.to_string()), failed: method == 0xff, ..Found::new("method", summary, next) })
}

fn authentication(bytes: &mut Bytes<'_>) -> Result<Found, Stop> {
    bytes.one_of(&[1], "version of the authentication is not 1")?;
    for _ in 0..2 {
        let length = bytes.byte()?.into();
        bytes.take(length)?;
    }
    Ok(Found::new("authentication", "user and password (redacted)".to_owned(), Some(Turn::Status)))
}

fn status(bytes: &mut Bytes<'_>) -> Result<Found, Stop> {
    // RFC 1929 wants 1 here, and some servers send 5.
    bytes.one_of(&[1, 5], "version of the authentication is not 1")?;
    let code = bytes.byte()?;
    let text = if code == 0 { "accepted" } else { "refused" };
    Ok(Found::answer("status", code, 0, format!("{code} {text}"), Some(Turn::Request)))
}

fn request(bytes: &mut Bytes<'_>) -> Result<Found, Stop> {
    bytes.one_of(&[5], "version is not 5")?;
    let kind = match bytes.one_of(&[1, 2, 3], "command is not 1, 2 or 3")? {
        1 => "CONNECT",
        2 => "BIND",
        _ => "ASSOCIATE",
    };
    bytes.byte()?;
    let address = bytes.address()?;
    Ok(Found::new(kind, format!("SOCKS 5 {kind} {address}"), Some(Turn::Reply { connect: kind == "CONNECT" })))
}

/// Reads the reply to a request (RFC 1928, section 6).
fn reply(bytes: &mut Bytes<'_>, connect: bool) -> Result<Found, Stop> {
    bytes.one_of(&[5], "version is not 5")?;
    let code = bytes.byte()?;
    bytes.byte()?;
    let address = bytes.address()?;
    let text = match code {
        0 => "succeeded",
        1 => "general failure",
        2 => "not allowed",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "TTL expired",
        7 => "command not supported",
        8 => "address type not supported",
        _ => "unknown reply",
    };
    Ok(Found::answer("reply", code, 0, format!("{code} {text}, {address}"), connect.then_some(Turn::Tunnel)))
}

/// Recognises the client's first bytes: those of SOCKS 5 by the greeting and the beginning of the
/// message behind it, since a greeting is short; those of SOCKS 4 by the whole request. The server's
/// bytes decide nothing.
pub(crate) fn sniff(side: Side, first: &[u8]) -> Sniff {
    match (side, first) {
        (Side::Server, _) => Sniff::No,
        (Side::Client, []) => Sniff::More,
        (Side::Client, [5, rest @ ..]) => sniff5(rest),
        (Side::Client, [4, rest @ ..]) => sniff4(rest),
        (Side::Client, _) => Sniff::No,
    }
}

fn sniff5(rest: &[u8]) -> Sniff {
    let Some((&count, rest)) = rest.split_first() else { return Sniff::More };
    let methods = &rest[..rest.len().min(count.into())];
    // Methods that IANA assigned, or private ones.
    if count == 0 || !methods.iter().all(|method| matches!(method, 0..=9 | 0x80..=0xfe)) {
        return Sniff::No;
    }
    match rest.get(count.into()..).unwrap_or_default() {
        [] | [5] | [5, 1..=3] | [5, 1..=3, 0] => Sniff::More,
        [5, 1..=3, 0, 1 | 3 | 4, ..] => Sniff::Yes,
        // The user and the password, which need their method.
        [1, ..] if !methods.contains(&2) => Sniff::No,
        [1] => Sniff::More,
        [1, 0, ..] => Sniff::No,
        [1, _] => Sniff::More,
        [1, ..] => Sniff::Yes,
        _ => Sniff::No,
    }
}

fn sniff4(rest: &[u8]) -> Sniff {
    let fixed = &rest[..rest.len().min(7)];
    match fixed {
        [] | [1 | 2] | [1 | 2, _] => return Sniff::More,
        [1 | 2, 0, 0, ..] => return Sniff::No,
        [1 | 2, _, _, 0, 0, 0, 0] => return Sniff::No,
        [1 | 2, ..] if fixed.len() < 7 => return Sniff::More,
        [1 | 2, ..] => {}
        _ => return Sniff::No,
    }
    // A user, and a name if the address stands for one.
    let names = if matches!(fixed, [_, _, _, 0, 0, 0, _]) { 2 } else { 1 };
    let mut ended = 0;
    for &byte in &rest[7..] {
        match byte {
            0 => ended += 1,
            b' '..=b'~' => {}
            _ => return Sniff::No,
        }
        if ended == names {
            return Sniff::Yes;
        }
    }
    Sniff::More
}
