//! Methods: those that change the response, and those that are a kind of their own.

/// The method of a request, as far as its response depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Method {
    Head,
    Connect,
    #[default]
    Other,
}

impl Method {
    pub(super) fn of_kind(kind: &str) -> Self {
        match kind {
            "HEAD" => Self::Head,
            "CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }
}

/// The part of a request on which its response depends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: Method,
    /// Whether it asks for another protocol.
    pub(super) upgrade: bool,
}

/// Returns the kind of a message with this method: the method itself, if it is in use (the common
/// ones of IANA's registry). Other methods have no kind of their own, so peers cannot invent kinds.
pub(super) fn kind(method: &[u8]) -> Option<&'static str> {
    macro_rules! known {
        ($($name:literal)*) => {
            match core::str::from_utf8(method).ok()? {
                $($name => Some($name),)*
                _ => None,
            }
        };
    }
    known!("GET" "HEAD" "POST" "PUT" "DELETE" "CONNECT" "OPTIONS" "TRACE" "PATCH" "QUERY"
        "PROPFIND" "PROPPATCH" "MKCOL" "COPY" "MOVE" "LOCK" "UNLOCK" "REPORT" "SEARCH" "ACL" "BIND" "REBIND" "UNBIND"
        "LINK" "UNLINK" "CHECKIN" "CHECKOUT" "UNCHECKOUT" "LABEL" "MERGE" "UPDATE" "MKACTIVITY" "MKCALENDAR"
        "MKWORKSPACE" "VERSION-CONTROL" "BASELINE-CONTROL" "ORDERPATCH"
        "PURGE" "NOTIFY" "SUBSCRIBE" "UNSUBSCRIBE" "M-SEARCH")
}

/// Returns the kind of a line that begins with a well-known method and a space.
pub(super) fn kind_of_line(line: &[u8]) -> Option<&'static str> {
    kind(&line[..line.iter().position(|&byte| byte == b' ')?])
}
