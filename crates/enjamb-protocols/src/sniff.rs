//! The result of inspecting the first bytes of a stream.

/// The result of comparing the first bytes of a side with a protocol.
///
/// A sniff is *monotone*: more bytes change only [`More`](Self::More). So the detected protocol does
/// not depend on the cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sniff {
    /// The bytes follow the protocol.
    Yes,
    /// The bytes may follow the protocol, and may be another one: `220 hello` begins SMTP and FTP. It
    /// is chosen if no protocol is sure, and the bytes of the other side fit, too.
    Maybe,
    /// The bytes do not follow the protocol.
    No,
    /// There are too few bytes to decide.
    More,
}
