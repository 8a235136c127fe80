//! The flags of a message: bytes that are framed without doubt, and that the RFCs forbid or that
//! another parser may read differently. `docs/protocols.md` explains each name.

/// The number of bytes that the list of all flags takes.
const LIST_MAX: usize = 400;

macro_rules! flags {
    ($($(#[doc = $about:literal])* $flag:ident = $name:literal,)*) => {
        /// A flag.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Flag {
            $($(#[doc = $about])* $flag,)*
        }

        /// The name of each flag, in the order of the enumeration.
        const NAMES: &[&str] = &[$($name,)*];
    };
}

flags! {
    /// More than one value of `Content-Length` (RFC 9112, section 6.3, rule 5).
    TwoLengths = "two-lengths",
    /// `Content-Length` and `Transfer-Encoding` (6.3, rule 3).
    BothFramings = "both-framings",
    /// `chunked` is applied more than once (6.1).
    ChunkedTwice = "chunked-twice",
    /// A transfer coding that no registry has (7).
    OddCoding = "odd-coding",
    /// An empty element in the list of transfer codings (RFC 9110, section 5.6.1.2).
    EmptyElement = "empty-element",
    /// `Transfer-Encoding` in HTTP/1.0 (6.1).
    CodingInHttp10 = "coding-in-http10",
    /// A length or a coding where there is no body: 1xx, 204, `CONNECT` and its 2xx (6.1; RFC 9110,
    /// section 8.6).
    LengthWithoutBody = "length-without-body",
    /// A request of HTTP/1.1 without `Host` (3.2).
    NoHost = "no-host",
    /// A request with several `Host`s (3.2).
    TwoHosts = "two-hosts",
    /// The target's host is not that of the `Host` field (3.2.2).
    HostDiffers = "host-differs",
    /// A message behind `Connection: close` of its side (9.6).
    AfterClose = "after-close",
    /// A line that ends in LF without CR (2.2).
    BareLf = "bare-lf",
    /// A CR that no LF follows (2.2).
    BareCr = "bare-cr",
    /// A folded header or trailer (5.2).
    ObsFold = "obs-fold",
    /// White space between a header's name and its colon (5.1).
    SpaceBeforeColon = "space-before-colon",
    /// White space in the start line that is not one space (3).
    ExtraSpace = "extra-space",
    /// A control character in a value (RFC 9110, section 5.5).
    ControlCharacter = "control-character",
    /// Blanks or control characters in the line before a chunk (7.1).
    OddChunkLine = "odd-chunk-line",
    /// A field in the trailers that is about framing or routing (RFC 9110, section 6.5.1).
    FramingInTrailer = "framing-in-trailer",
    /// A status outside 100 to 599 (RFC 9110, section 15).
    OddStatus = "odd-status",
    /// A 101 whose request did not ask for it, or was of HTTP/1.0 (RFC 9110, section 7.8).
    UnaskedUpgrade = "unasked-upgrade",
    /// A response whose request could not be read, so that its body may be none.
    MethodUnknown = "method-unknown",
    /// More than 256 headers.
    ManyHeaders = "many-headers",
    /// A response whose request was not captured.
    RequestMissing = "request-missing",
}

/// The flags of one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FlagSet(u32);

impl FlagSet {
    #[inline]
    pub(super) fn add(&mut self, flag: Flag) {
        self.0 |= 1 << flag as u32;
    }

    /// Adds `flag` where `holds`.
    #[inline]
    pub(super) fn add_if(&mut self, holds: bool, flag: Flag) {
        self.0 |= u32::from(holds) << flag as u32;
    }

    #[inline]
    pub(super) fn join(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The names of some flags as a list, written without an allocation.
pub(super) struct FlagList {
    bytes: [u8; LIST_MAX],
    length: usize,
}

impl FlagList {
    pub(super) fn new(flags: FlagSet) -> Self {
        let mut list = Self { bytes: [0; LIST_MAX], length: 0 };
        for (_, name) in NAMES.iter().enumerate().filter(|(at, _)| flags.0 & (1 << at) != 0) {
            if list.length > 0 {
                list.push(b",");
            }
            list.push(name.as_bytes());
        }
        list
    }

    fn push(&mut self, text: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.length..self.length + text.len()) {
            room.copy_from_slice(text);
            self.length += text.len();
        }
    }

    pub(super) fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_all_flags_fits_and_its_names_are_plain() {
        assert_eq!(FlagList::new(FlagSet(u32::MAX)).as_str(), NAMES.join(","));
        assert!(NAMES.len() <= 32);
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(NAMES.iter().all(|name| name.bytes().all(plain)));
    }

    #[test]
    fn every_flag_is_explained_in_the_documentation() {
        let page = include_str!("../../../../docs/protocols.md");
        for name in NAMES {
            assert!(page.contains(&format!("| `{name}` |")), "{name} is not in docs/protocols.md");
        }
    }
}
