//! The verdict of a look at the first bytes of a stream.

/// Whether the first bytes of a side are a protocol's.
///
/// A sniff is *monotone*: more bytes never change a [`Yes`](Self::Yes) or a [`No`](Self::No). So
/// what is detected does not depend on the cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sniff {
    /// They are the protocol's.
    Yes,
    /// They are not.
    No,
    /// There are too few bytes to tell.
    More,
}
