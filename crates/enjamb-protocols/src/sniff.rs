//! The result of inspecting the first bytes of a stream.

/// The result of comparing the first bytes of a side with a protocol.
///
/// A sniff is *monotone*: more bytes change only [`More`](Self::More). So the detected protocol
/// does not depend on the cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sniff {
    /// The bytes follow the protocol.
    Yes,
    /// The bytes may follow the protocol, and may be another one: `220 hello` begins SMTP and FTP.
    /// It is chosen if no protocol is sure, and the bytes of the other side fit, too.
    Maybe,
    /// The bytes do not follow the protocol.
    No,
    /// There are too few bytes to decide.
    More,
}

impl Sniff {
    /// Returns `Maybe` for bytes that are not sure by this result, but likely by another one.
    pub(crate) fn or_maybe(self, likely: Self) -> Self {
        match (self, likely) {
            (Self::No, Self::Yes | Self::Maybe) => Self::Maybe,
            (Self::No, likely) => likely,
            (sure, _) => sure,
        }
    }
}
