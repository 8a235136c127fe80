//! Secrets in the bytes of messages.
//!
//! Summaries leave out what proves who somebody is. Where the bytes themselves are shown or kept,
//! [`redact`] overwrites the same parts with `*`, byte by byte: lengths and framing stay, and a
//! session parses the result to the same kinds and spans.
//!
//! | protocol | overwritten |
//! |---|---|
//! | Redis | the arguments of `AUTH`, those of `HELLO` after `AUTH`, the passwords of `ACL SETUSER` (`>pw`, `<pw`, `#hash`, `!hash`), the values of `CONFIG SET` and `SENTINEL SET` whose parameter has `pass` or `auth` in its name, and what follows `AUTH` and `AUTH2` of `MIGRATE` |
//! | SOCKS 5 | the user and the password |
//! | spec files | the fields with `secret = true`, in the first 4 KiB of a message |
//! | POP3, FTP, IRC | the arguments of `PASS`, `ACCT`, `ADAT`, `SITE`; the digest of `APOP`, the password of `OPER` |
//! | POP3, SMTP, IMAP, IRC | what follows the mechanism of `AUTH` or `AUTHENTICATE`, and the lines behind it |
//! | IMAP | the password of `LOGIN`, also as a literal |
//! | NATS | the object of `CONNECT` |
//! | XMPP | the text of `auth` and `response` |
//! | HTTP/1, SIP, RTSP | the values of `Authorization`, `Proxy-Authorization`, `Cookie` and `Set-Cookie`, and of other fields that are named like a token, such as `X-Api-Key` |
//! | PostgreSQL, MySQL, TDS, LDAP, MongoDB, Cassandra, AMQP, Kafka | passwords, tokens, and what follows the user's name in a login |
//! | URLs in a request line, in `Location` and in `Referer` | the values of parameters that are named like a token, and a password before the host (`user:password@`) |

use std::borrow::Cow;
use std::ops::Range;

use enjamb::{AttributeArgument, AttributeValue, Message, Side};

use crate::{masks, text_secrets};

/// The header fields whose values are secrets (RFC 9110 sections 11.6.2 and 11.7.2, RFC 6265).
const HEADERS: [&[u8]; 4] = [b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"];

/// The header fields with URLs, whose parameters may be secrets.
const URL_HEADERS: [&[u8]; 3] = [b"location", b"content-location", b"referer"];

/// The byte that overwrites a secret.
const MASK: u8 = b'*';

/// Copies the first bytes of a message to `copy`, with its secrets overwritten, if it has any.
/// Otherwise `copy` is not changed. Returns whether there was a secret.
///
/// ```
/// # use enjamb::{Message, Outcome, Side, Session};
/// let redis = enjamb_protocols::Registry::builtin().resolve("redis").unwrap();
/// let mut copy = Vec::new();
/// redis.session(None).feed(Side::Client, b"AUTH hunter2\r\n", &mut |message| {
///     assert!(enjamb_protocols::redact(message, b"AUTH hunter2\r\n", &mut copy));
/// });
/// assert_eq!(copy, b"AUTH *******\r\n");
/// ```
pub fn redact(message: &Message<'_>, bytes: &[u8], copy: &mut Vec<u8>) -> bool {
    match (message.protocol, message.side, message.kind) {
        ("http1" | "sip" | "rtsp", ..) => copied(bytes, copy, redact_headers),
        ("socks", Side::Client, "authentication") => copied(bytes, copy, redact_socks),
        ("redis", Side::Client, kind) if may_have_secrets(kind) => copied(bytes, copy, redact_command),
        (protocol, Side::Client, kind) if text_secrets::mask_of(protocol, kind).is_some() => {
            text_secrets::mask_of(protocol, kind).is_some_and(|mask| copied(bytes, copy, mask))
        }
        _ => match masks::secret(message, bytes) {
            Some(secret) => copied(bytes, copy, |bytes| {
                bytes[secret].fill(MASK);
                true
            }),
            None => redact_places(message, bytes, copy),
        },
    }
}

/// Returns whether a command of Redis with this name may have secrets.
pub(crate) fn may_have_secrets(command: &str) -> bool {
    matches!(Command::named(command.as_bytes()), Some(command) if command != Command::Other)
}

/// Returns a line with a command of Redis, or its beginning, with its secrets overwritten.
pub(crate) fn without_secrets(line: &[u8]) -> Cow<'_, [u8]> {
    let mut copy = line.to_vec();
    if redact_command(&mut copy) { Cow::Owned(copy) } else { Cow::Borrowed(line) }
}

/// Finds the secrets among the words of a command of Redis.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SecretWords {
    command: Command,
    /// The number of words so far.
    at: usize,
    /// Whether the subcommand is the one that has secrets.
    applies: bool,
    /// The number of words to come that are secrets in any case.
    secrets_left: usize,
}

/// The commands of Redis with secrets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Command {
    #[default]
    Other,
    Auth,
    Hello,
    Acl,
    Config,
    Sentinel,
    Migrate,
}

impl Command {
    fn named(word: &[u8]) -> Option<Self> {
        const NAMES: [(&[u8], Command); 6] = [
            (b"AUTH", Command::Auth),
            (b"HELLO", Command::Hello),
            (b"ACL", Command::Acl),
            (b"CONFIG", Command::Config),
            (b"SENTINEL", Command::Sentinel),
            (b"MIGRATE", Command::Migrate),
        ];
        NAMES.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, command)| *command)
    }
}

impl SecretWords {
    /// Returns whether the next word is a secret.
    pub(crate) fn is_secret(&mut self, word: &[u8]) -> bool {
        let at = self.at;
        self.at += 1;
        // Inline words may be in quotes.
        let word = word.strip_prefix(b"\"").or_else(|| word.strip_prefix(b"'")).unwrap_or(word);
        let bare = word.strip_suffix(b"\"").or_else(|| word.strip_suffix(b"'")).unwrap_or(word);
        let is = |name: &[u8]| bare.eq_ignore_ascii_case(name);
        if at == 0 {
            self.command = Command::named(bare).unwrap_or_default();
            return false;
        }
        if self.secrets_left > 0 {
            self.secrets_left -= 1;
            return true;
        }
        // The words from which a parameter and its value alternate.
        let mut parameters_from = 2;
        match self.command {
            Command::Other => return false,
            Command::Auth => return true,
            Command::Hello => {
                if is(b"AUTH") {
                    self.secrets_left = usize::MAX;
                }
                return false;
            }
            Command::Acl if at == 1 => self.applies = is(b"SETUSER"),
            Command::Acl => return self.applies && at > 2 && matches!(word.first(), Some(b'>' | b'<' | b'#' | b'!')),
            // Behind host, port, key, database and time.
            Command::Migrate if at > 5 => {
                if is(b"KEYS") {
                    self.command = Command::Other;
                } else if is(b"AUTH") {
                    self.secrets_left = 1;
                } else if is(b"AUTH2") {
                    self.secrets_left = 2;
                }
                return false;
            }
            Command::Migrate => return false,
            Command::Config if at == 1 => self.applies = is(b"SET"),
            Command::Sentinel if at == 1 => self.applies = is(b"SET") || is(b"CONFIG"),
            Command::Config => {}
            // A name, or the subcommand of `SENTINEL CONFIG`.
            Command::Sentinel => parameters_from = 3,
        }
        let is_parameter = self.applies && at >= parameters_from && (at - parameters_from).is_multiple_of(2);
        if is_parameter && is_named_like_a_password(bare) {
            self.secrets_left = 1;
        }
        false
    }
}

fn is_named_like_a_password(parameter: &[u8]) -> bool {
    let lower = parameter.to_ascii_lowercase();
    let contains = |text: &[u8]| lower.windows(text.len()).any(|part| part == text);
    contains(b"pass") || contains(b"auth")
}

/// Returns whether a parameter of a URL, or a field of a head, is named like a token or a password.
/// Case, blanks and punctuation do not count.
fn is_named_like_a_token(name: &[u8]) -> bool {
    const PARTS: [&str; 15] = [
        "token",
        "secret",
        "passw",
        "passphrase",
        "apikey",
        "accesskey",
        "privatekey",
        "signature",
        "credential",
        "session",
        "jwt",
        "oauth",
        "authorization",
        "bearer",
        "authkey",
    ];
    const WHOLE: [&str; 9] = ["auth", "key", "pass", "pwd", "sig", "sid", "code", "pin", "otp"];
    let mut plain = String::new();
    let mut bytes = name.iter().copied();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16)).unwrap_or(0);
                (digit() * 16 + digit()) as u8
            }
            byte => byte,
        };
        if byte.is_ascii_alphanumeric() {
            plain.push(char::from(byte.to_ascii_lowercase()));
        }
    }
    WHOLE.contains(&plain.as_str()) || PARTS.iter().any(|part| plain.contains(part))
}

/// Returns the places of the secrets in a text with URLs, or with the target of a request: the
/// values of parameters that are named like a token, and the password before a host.
pub(crate) fn secrets_of_urls(text: &[u8]) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    if !text.iter().any(|byte| matches!(byte, b'=' | b'@')) {
        return secrets;
    }
    let is_end = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'<' | b'>');
    let mut at = 0;
    // The beginning of the name of a parameter, and of the part that may be `user:password`.
    let (mut name, mut authority) = (None, None);
    // A parameter of the path ends where the path does.
    let mut is_in_path = true;
    while at < text.len() {
        match text[at] {
            byte if is_end(byte) => (name, authority, is_in_path) = (None, None, true),
            b'/' if text[at..].starts_with(b"//") => {
                authority = Some(at + 2);
                at += 1;
            }
            b'@' => {
                if let Some(from) = authority.take()
                    && let Some(colon) = text[from..at].iter().position(|byte| *byte == b':')
                {
                    secrets.push(from + colon + 1..at);
                }
            }
            separator @ (b'?' | b'&' | b';' | b'#') => {
                (name, authority) = (Some(at + 1), None);
                is_in_path &= !matches!(separator, b'?' | b'#');
            }
            b'/' => {
                authority = None;
                if is_in_path {
                    name = None;
                }
            }
            b'=' if name.is_some_and(|name| is_named_like_a_token(&text[name..at])) => {
                let value = at + 1;
                let is_over = |byte: &u8| {
                    is_end(*byte) || matches!(byte, b'&' | b';' | b'#') || is_in_path && matches!(byte, b'?' | b'/')
                };
                let end = text[value..].iter().position(is_over).map_or(text.len(), |length| value + length);
                secrets.push(value..end);
                name = None;
                at = end;
                continue;
            }
            b'=' => name = None,
            _ => {}
        }
        at += 1;
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets
}

/// The attribute by which the session of a spec file lends the places of secrets: number `n` is the
/// offset of secret `n` in the message, and its length in the lower 32 bits. No filter can name it.
pub(crate) const SECRET_PLACES: &str = "secret places";

/// Overwrites the secrets whose places the session knows.
fn redact_places(message: &Message<'_>, bytes: &[u8], copy: &mut Vec<u8>) -> bool {
    let mut found = false;
    for number in 0.. {
        let place = message.attributes.get(SECRET_PLACES, AttributeArgument::Number(number));
        let Some(AttributeValue::Number(place)) = place else { break };
        let start = ((place >> 32) as usize).min(bytes.len());
        let end = (start + (place & 0xffff_ffff) as usize).min(bytes.len());
        if !std::mem::replace(&mut found, true) {
            copy.clear();
            copy.extend_from_slice(bytes);
        }
        copy[start..end].fill(MASK);
    }
    found
}

/// Overwrites the user and the password of RFC 1929, and leaves their lengths.
fn redact_socks(bytes: &mut [u8]) -> bool {
    let mut rest = bytes.get_mut(1..).unwrap_or_default();
    let mut found = false;
    while let [length, behind @ ..] = rest {
        let length = usize::from(*length).min(behind.len());
        let (text, next) = behind.split_at_mut(length);
        text.fill(MASK);
        found |= length > 0;
        rest = next;
    }
    found
}

/// Applies `mask` to a copy of `bytes`. The copy is dropped if `mask` found nothing.
fn copied(bytes: &[u8], copy: &mut Vec<u8>, mask: impl FnOnce(&mut [u8]) -> bool) -> bool {
    let before = std::mem::replace(copy, bytes.to_vec());
    let found = mask(copy);
    if !found {
        *copy = before;
    }
    found
}

/// Overwrites the secrets among the words of a command.
fn redact_command(bytes: &mut [u8]) -> bool {
    let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(bytes.len());
    let words = if bytes.get(start) == Some(&b'*') { bulk_strings(bytes, start) } else { inline_words(bytes, start) };
    let mut secret_words = SecretWords::default();
    let secrets = words.into_iter().filter(|word| secret_words.is_secret(&bytes[word.clone()]));
    let secrets: Vec<_> = secrets.collect();
    secrets.iter().for_each(|word| bytes[word.clone()].fill(MASK));
    !secrets.is_empty()
}

/// Returns the places of the bulk strings of an array, as far as the bytes go.
fn bulk_strings(bytes: &[u8], start: usize) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let line_end = |at: usize| bytes.get(at..)?.iter().position(|byte| *byte == b'\n').map(|length| at + length + 1);
    let mut at = line_end(start);
    while let Some(header) = at
        && bytes.get(header) == Some(&b'$')
        && let Some(from) = line_end(header)
    {
        let digits = bytes[header + 1..from].trim_ascii();
        let length = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<usize>().ok());
        let Some(end) = length.and_then(|length| from.checked_add(length)) else { break };
        words.push(from..end.min(bytes.len()));
        at = end.checked_add(2);
    }
    words
}

/// Returns the places of the words of a line. Quotes belong to their word, with the blanks inside.
fn inline_words(bytes: &[u8], start: usize) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let (mut quote, mut escaped, mut in_word) = (None, false, false);
    for (at, byte) in bytes.iter().enumerate().skip(start).take_while(|(_, byte)| !matches!(byte, b'\r' | b'\n')) {
        if byte.is_ascii_whitespace() && quote.is_none() {
            in_word = false;
            continue;
        }
        match (quote, byte) {
            (Some(_), b'\\') if !escaped => escaped = true,
            (Some(open), byte) if open == *byte && !escaped => quote = None,
            (None, b'"' | b'\'') => quote = Some(*byte),
            _ => escaped = false,
        }
        match words.last_mut() {
            Some(word) if in_word => word.end = at + 1,
            _ => words.push(at..at + 1),
        }
        in_word = true;
    }
    words
}

/// Overwrites the values of the [`HEADERS`] of a head, folded lines included.
fn redact_headers(bytes: &mut [u8]) -> bool {
    let (mut found, mut at, mut is_secret) = (false, 0, false);
    while at < bytes.len() {
        let end = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length + 1);
        let line = &mut bytes[at..end];
        let is_head_end = line.trim_ascii().is_empty() && found_line(at);
        if is_head_end {
            break;
        }
        let is_fold = matches!(line.first(), Some(b' ' | b'\t'));
        let value =
            if is_fold { 0 } else { line.iter().position(|byte| *byte == b':').map_or(line.len(), |at| at + 1) };
        if !is_fold {
            let name = line[..value.saturating_sub(1)].trim_ascii();
            // The first line has no name.
            is_secret =
                at > 0 && (HEADERS.iter().any(|header| name.eq_ignore_ascii_case(header)) || is_token_field(name));
            if at == 0 || URL_HEADERS.iter().any(|header| name.eq_ignore_ascii_case(header)) {
                for secret in secrets_of_urls(line) {
                    line[secret].fill(MASK);
                    found = true;
                }
            }
        }
        if is_secret {
            for byte in line[value..].iter_mut().filter(|byte| !byte.is_ascii_whitespace()) {
                *byte = MASK;
                found = true;
            }
        }
        at = end;
    }
    found
}

/// Returns whether the value of a field is a secret by its name: `X-Api-Key`, `X-Auth-Token`. `Key`
/// alone, as in `Sec-WebSocket-Key`, says nothing.
fn is_token_field(name: &[u8]) -> bool {
    is_named_like_a_token(name) && !name.to_ascii_lowercase().starts_with(b"www-")
}

/// Returns whether a line that begins here can end a head: blank lines may go before the first line
/// (RFC 9112 section 2.2).
fn found_line(at: usize) -> bool {
    at > 2
}

#[cfg(test)]
mod tests {
    use enjamb::Side;

    use super::redact;
    use crate::registry::Registry;

    /// Returns the bytes of one message with its secrets overwritten.
    fn redacted(protocol: &str, side: Side, bytes: &[u8]) -> Option<String> {
        let protocol = Registry::builtin().resolve(protocol).unwrap();
        let mut copy = None;
        protocol.session(None).feed(side, bytes, &mut |message| {
            let mut bytes = bytes.to_vec();
            let at = message.span.offset as usize;
            bytes.drain(..at);
            let mut redacted = Vec::new();
            if redact(message, &bytes, &mut redacted) {
                copy = Some(String::from_utf8(redacted).unwrap());
            }
        });
        copy
    }

    #[test]
    fn secrets_of_redis_are_overwritten_in_both_forms() {
        for (bytes, expected) in [
            (&b"*2\r\n$4\r\nAUTH\r\n$3\r\nabc\r\n"[..], Some("*2\r\n$4\r\nAUTH\r\n$3\r\n***\r\n")),
            (b"*3\r\n$4\r\nauth\r\n$1\r\nu\r\n$4\r\na\r\nb\r\n", Some("*3\r\n$4\r\nauth\r\n$1\r\n*\r\n$4\r\n****\r\n")),
            (
                b"*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n",
                Some("*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$1\r\n*\r\n$1\r\n*\r\n"),
            ),
            (b"AUTH \"a b\" c\r\n", Some("AUTH ***** *\r\n")),
            (b"AUTH 'a\\' b'\r\n", Some("AUTH *******\r\n")),
            (b"HELLO 3 AUTH u p\r\n", Some("HELLO 3 AUTH * *\r\n")),
            (b"HELLO 3\r\n", None),
            (b"GET AUTH\r\n", None),
            (
                b"ACL SETUSER me on >pw ~* +@all #0af \"<old pw\"\r\n",
                Some("ACL SETUSER me on *** ~* +@all **** *********\r\n"),
            ),
            (b"ACL GETUSER >pw\r\n", None),
            (b"acl setuser >me nopass\r\n", None),
            (
                b"CONFIG SET requirepass pw maxmemory 5 masterauth x\r\n",
                Some("CONFIG SET requirepass ** maxmemory 5 masterauth *\r\n"),
            ),
            (b"CONFIG GET requirepass\r\n", None),
            (b"CONFIG SET maxmemory requirepass\r\n", None),
            (b"SENTINEL SET m auth-pass pw quorum 2\r\n", Some("SENTINEL SET m auth-pass ** quorum 2\r\n")),
            (b"SENTINEL CONFIG SET sentinel-pass pw\r\n", Some("SENTINEL CONFIG SET sentinel-pass **\r\n")),
            (b"MIGRATE h 1 k 0 9 COPY AUTH pw REPLACE\r\n", Some("MIGRATE h 1 k 0 9 COPY AUTH ** REPLACE\r\n")),
            (
                b"MIGRATE h 1 \"\" 0 9 AUTH2 u pw KEYS AUTH b\r\n",
                Some("MIGRATE h 1 \"\" 0 9 AUTH2 * ** KEYS AUTH b\r\n"),
            ),
        ] {
            assert_eq!(redacted("redis", Side::Client, bytes).as_deref(), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn secrets_of_http_are_overwritten_in_the_head_alone() {
        let request = b"GET / HTTP/1.1\r\nHost: a\r\nauthorization:  Basic eA==\r\nCookie: a=b; c=d\r\nContent-Length: 9\r\n\r\nCookie: x";
        let expected = "GET / HTTP/1.1\r\nHost: a\r\nauthorization:  ***** ****\r\nCookie: **** ***\r\nContent-Length: 9\r\n\r\nCookie: x";
        assert_eq!(redacted("http1", Side::Client, request).as_deref(), Some(expected));
        assert_eq!(redacted("http1", Side::Client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), None);
        let request = b"GET /a?b=c&api_key=xyz HTTP/1.1\r\nHost: a\r\nX-Auth-Token: t\r\nReferer: http://u:pw@h/?sid=1\r\nSec-WebSocket-Key: k\r\n\r\n";
        let expected = "GET /a?b=c&api_key=*** HTTP/1.1\r\nHost: a\r\nX-Auth-Token: *\r\nReferer: http://u:**@h/?sid=*\r\nSec-WebSocket-Key: k\r\n\r\n";
        assert_eq!(redacted("http1", Side::Client, request).as_deref(), Some(expected));
    }

    #[test]
    fn secrets_of_urls_are_found_and_other_values_are_not() {
        for (text, expected) in [
            ("/a?token=x&b=c", "/a?token=*&b=c"),
            ("/a?b=c&access_token=x.y-z#f", "/a?b=c&access_token=*****#f"),
            ("/a?API-Key=x;password=y", "/a?API-Key=*;password=*"),
            ("/a?%74oken=x", "/a?%74oken=*"),
            ("/a;jsessionid=AB?c=d", "/a;jsessionid=**?c=d"),
            ("/cb#id_token=x", "/cb#id_token=*"),
            ("http://u:p@h/", "http://u:*@h/"),
            ("ftp://u:p:q@h:21/x", "ftp://u:***@h:21/x"),
            ("http://h/a@b:c?d=e@f", "http://h/a@b:c?d=e@f"),
            ("/a?keyboard=x&author=y&page=2&monkey=z", "/a?keyboard=x&author=y&page=2&monkey=z"),
            ("/token=x", "/token=x"),
            ("/a?token=&b", "/a?token=&b"),
            ("/a?client_secret=x y=z", "/a?client_secret=* y=z"),
        ] {
            let mut bytes = text.as_bytes().to_vec();
            super::secrets_of_urls(text.as_bytes()).into_iter().for_each(|secret| bytes[secret].fill(b'*'));
            assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        }
    }
}
