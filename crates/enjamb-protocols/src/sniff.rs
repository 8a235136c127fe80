//! The result of inspecting the first bytes of a stream.

/// The result of comparing the first bytes of a side with a protocol.
///
/// A sniff is *monotone*: more bytes never change a [`Yes`](Self::Yes) or a [`No`](Self::No). So
/// the detected protocol does not depend on the cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sniff {
    /// The bytes follow the protocol.
    Yes,
    /// The bytes do not follow the protocol.
    No,
    /// There are too few bytes to decide.
    More,
}
