//! Reasons why a packet gave no TCP segment.

/// The reason why a packet gave no TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ignored {
    /// The link type is not supported.
    UnknownLink,
    /// ARP, a spanning tree, a routing protocol: not IP.
    NotIp,
    /// An encrypted 802.11 frame.
    Encrypted,
    /// IP, but UDP, ICMP or another protocol.
    NotTcp,
    /// A fragment of a datagram that is not complete yet.
    Fragment,
    /// The capture truncated the packet inside a header.
    Truncated,
    /// A header contradicts itself or its specification.
    Malformed,
    /// More headers than the limit of 32.
    TooDeep,
}

impl Ignored {
    /// All reasons, so that `Ignored::ALL[reason.index()] == reason`.
    pub const ALL: [Self; 8] = [
        Self::UnknownLink,
        Self::NotIp,
        Self::Encrypted,
        Self::NotTcp,
        Self::Fragment,
        Self::Truncated,
        Self::Malformed,
        Self::TooDeep,
    ];

    /// Returns the place of this reason in [`ALL`](Self::ALL).
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Returns the reason in a few words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownLink => "unknown link type",
            Self::NotIp => "not IP",
            Self::Encrypted => "encrypted 802.11",
            Self::NotTcp => "not TCP",
            Self::Fragment => "fragment",
            Self::Truncated => "header cut off",
            Self::Malformed => "malformed header",
            Self::TooDeep => "too many headers",
        }
    }
}
