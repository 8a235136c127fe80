//! The side of a sender whose handshake was not captured, by its first bytes.
//!
//! The lower port is usually the server's, but not always: port 1024 talks to port 8080. Some first
//! bytes come only from one of the sides. They are few on purpose: where they are not certain, the
//! ports decide. A connection is reported when its first packet is read, so only the bytes of that
//! packet can count.

use enjamb::Side;

/// The methods that begin a request line of HTTP/1.
const METHODS: [&[u8]; 9] =
    [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"PATCH ", b"OPTIONS ", b"TRACE ", b"CONNECT "];

/// The beginnings of replies of Redis that are not those of another protocol.
const REPLIES: [&[u8]; 5] = [b"+OK\r\n", b"+PONG\r\n", b"+QUEUED\r\n", b"-NOAUTH ", b"-WRONGTYPE "];

/// Commands of Redis, in capitals. A reply may be an array of strings, too, but hardly ever begins
/// with one of these.
const COMMANDS: [&str; 40] = [
    "APPEND", "AUTH", "BLPOP", "BRPOP", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DECR", "DEL", "ECHO", "EVALSHA",
    "EXEC", "EXISTS", "EXPIRE", "GET", "HELLO", "HGET", "HGETALL", "HMGET", "HSET", "INCR", "INCRBY", "INFO", "LPUSH",
    "LRANGE", "MGET", "MSET", "MULTI", "PING", "PUBLISH", "RPUSH", "SADD", "SELECT", "SET", "SETEX", "SMEMBERS",
    "ZADD", "ZRANGE", "XADD",
];

/// Returns the side that sends these bytes, if they prove it.
pub(super) fn sender(bytes: &[u8]) -> Option<Side> {
    match bytes {
        // A handshake record of TLS that begins with a ClientHello or a ServerHello (RFC 8446,
        // sections 4 and 5.1).
        [0x16, 3, 0..=4, _, _, 1, ..] => Some(Side::Client),
        [0x16, 3, 0..=4, _, _, 2, ..] => Some(Side::Server),
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', ..] => Some(Side::Server),
        [b'*', ..] if is_command(bytes) => Some(Side::Client),
        _ if is_request_line(bytes) => Some(Side::Client),
        _ if REPLIES.iter().any(|reply| bytes.starts_with(reply)) => Some(Side::Server),
        _ => None,
    }
}

/// Returns whether the bytes begin with a method and a target, or with the preface of HTTP/2
/// (RFC 9113, section 3.4).
fn is_request_line(bytes: &[u8]) -> bool {
    let Some(method) = METHODS.iter().find(|method| bytes.starts_with(method)) else {
        return bytes.starts_with(b"PRI * HTTP/2.0\r\n");
    };
    let target = &bytes[method.len()..];
    let line = target.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let whole = line.strip_suffix(b"\r").unwrap_or(line);
    match *method {
        b"OPTIONS " | b"CONNECT " => whole.ends_with(b" HTTP/1.1") || whole.ends_with(b" HTTP/1.0"),
        _ => target.starts_with(b"/") || target.starts_with(b"http"),
    }
}

/// Returns whether the bytes begin with an array of bulk strings whose first is the name of a Redis
/// command.
fn is_command(bytes: &[u8]) -> bool {
    fn number<'b>(bytes: &'b [u8], kind: &[u8]) -> Option<(usize, &'b [u8])> {
        let rest = bytes.strip_prefix(kind)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
        Some((number, rest[digits..].strip_prefix(b"\r\n")?))
    }
    let name = || {
        let (_, rest) = number(bytes, b"*")?;
        let (length, rest) = number(rest, b"$")?;
        let name = rest.get(..length)?;
        rest[length..].starts_with(b"\r\n").then_some(name)
    };
    name().is_some_and(|name| COMMANDS.iter().any(|command| command.as_bytes().eq_ignore_ascii_case(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_prove_a_side_or_nothing() {
        let cases: [(&[u8], Option<Side>); 24] = [
            (b"GET / HTTP/1.1\r\n", Some(Side::Client)),
            (b"POST http://a/ HTTP/1.1\r\n", Some(Side::Client)),
            (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n", Some(Side::Client)),
            (b"OPTIONS * RTSP/1.0\r\n", None),
            (b"CONNECT a:443 HTTP/1.1\r\n\r\n", Some(Side::Client)),
            (b"CONNECT {\"verbose\":true}\r\n", None),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some(Side::Client)),
            (b"GET key\r\n", None),
            (b"HTTP/1.1 200 OK\r\n", Some(Side::Server)),
            (b"HTTP/2", None),
            (b"*1\r\n$4\r\nPING\r\n", Some(Side::Client)),
            (b"*2\r\n$3\r\nget\r\n$1\r\na\r\n", Some(Side::Client)),
            (b"*2\r\n$3\r\nget!\r\n", None),
            (b"*2\r\n$3\r\nred\r\n$5\r\ngreen\r\n", None),
            (b"*2\r\n$99999999999999999999\r\n", None),
            (b"*2\r\n:1\r\n:2\r\n", None),
            (b"*3\r\n$3\r\nSE", None),
            (b"+OK\r\n", Some(Side::Server)),
            (b"+OK POP3 ready\r\n", None),
            (b"-NOAUTH Authentication required.\r\n", Some(Side::Server)),
            (b"\x16\x03\x01\x02\x00\x01\x00", Some(Side::Client)),
            (b"\x16\x03\x03\x00\x7a\x02\x00", Some(Side::Server)),
            (b"\x17\x03\x03\x00\x7a\x01\x00", None),
            (b"", None),
        ];
        for (bytes, side) in cases {
            assert_eq!(sender(bytes), side, "{}", bytes.escape_ascii());
        }
    }
}
