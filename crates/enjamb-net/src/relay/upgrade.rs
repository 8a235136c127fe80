//! Connections that begin in plain text and change to TLS: `STARTTLS` of SMTP, for example.
//!
//! An [`Upgrade`] reads the plain text of both sides and finds the byte of each side behind which
//! TLS begins. The relay passes on the bytes before it, finishes both handshakes, and goes on with
//! the text inside TLS.
//!
//! Bytes that a client sends behind its request, before the server has answered, wait: whether they
//! are TLS depends on the answer. So no plain text can be smuggled behind the change
//! (CVE-2011-0411, CVE-2021-23222).

use enjamb::Side;

/// Finds the place where both sides of a connection change from plain text to TLS.
pub trait Upgrade: Send {
    /// Takes bytes that a side has sent and decides about them. Bytes that were held are given
    /// again when the other side has sent something.
    fn feed(&mut self, side: Side, bytes: &[u8]) -> Decision;
}

/// The decision of an [`Upgrade`] about bytes of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// All of them are plain text.
    Pass,
    /// The first bytes, this many, are plain text. The others wait for the other side.
    Hold(usize),
    /// The first bytes, this many, are plain text. TLS follows on both sides.
    Upgrade(usize),
    /// All bytes of this connection are plain text, these and all later ones.
    Never,
}

/// The search for the change, in one connection.
pub(crate) struct Search {
    /// `None`: the change was found, or never comes.
    upgrade: Option<Box<dyn Upgrade>>,
    /// Bytes that were read and not passed on.
    held: [Vec<u8>; 2],
    is_holding: [bool; 2],
    is_found: bool,
}

impl Search {
    pub(crate) fn new(upgrade: Box<dyn Upgrade>) -> Self {
        Self { upgrade: Some(upgrade), held: Default::default(), is_holding: [false; 2], is_found: false }
    }

    /// Takes bytes of a side. Returns how many of them pass. The others are kept.
    pub(crate) fn feed(&mut self, side: Side, bytes: &[u8]) -> usize {
        let Some(upgrade) = &mut self.upgrade else {
            if self.is_found {
                self.held[side.index()].extend_from_slice(bytes);
                return 0;
            }
            return bytes.len();
        };
        let decision = upgrade.feed(side, bytes);
        self.is_holding[side.index()] = false;
        let passed = match decision {
            Decision::Pass => bytes.len(),
            Decision::Never => {
                self.upgrade = None;
                bytes.len()
            }
            Decision::Hold(length) => {
                self.is_holding[side.index()] = true;
                length.min(bytes.len())
            }
            Decision::Upgrade(length) => {
                self.upgrade = None;
                self.is_found = true;
                length.min(bytes.len())
            }
        };
        self.held[side.index()].extend_from_slice(&bytes[passed..]);
        // The answer decides about the bytes that wait for it.
        self.is_holding[(!side).index()] = false;
        passed
    }

    /// Returns whether a side is not read now: it waits for the other one, or for the handshakes.
    /// So no more than the bytes of one read are kept.
    pub(crate) fn stops(&self, side: Side) -> bool {
        self.is_found || self.is_holding[side.index()]
    }

    /// Takes the bytes of a side that waited and are to be decided about again.
    pub(crate) fn take_released(&mut self, side: Side) -> Option<Vec<u8>> {
        let at = side.index();
        let is_released = !self.is_found && !self.is_holding[at] && !self.held[at].is_empty();
        is_released.then(|| std::mem::take(&mut self.held[at]))
    }

    /// Returns whether both sides have come to the place of the change.
    pub(crate) fn is_found(&self) -> bool {
        self.is_found
    }

    /// Returns the number of bytes of a side that were not passed on.
    pub(crate) fn held(&self, side: Side) -> u64 {
        self.held[side.index()].len() as u64
    }

    /// Takes the bytes of both sides that follow the change.
    pub(crate) fn into_held(self) -> [Vec<u8>; 2] {
        self.held
    }
}
