//! Planted bugs: mistakes that people make, each with the target that must find it.
//!
//! None of them is in the code of enjamb. A bug is in a wrapper or in a small implementation of its
//! own, and the target's own function compares that with what is right. So a bug shows that the
//! target, its seeds and its mutator find mistakes of this kind.

mod conversations;
mod engine;
mod net;
mod peers;
mod reassembly;
mod relay;
mod texts;

/// A planted bug.
#[derive(Clone, Copy)]
pub struct PlantedBug {
    /// Its name.
    pub name: &'static str,
    /// The name of the target that must find it.
    pub target: &'static str,
    /// The mistake, in a sentence.
    pub mistake: &'static str,
    /// The target's function, over the code with the mistake.
    pub check: fn(&[u8]),
}

/// All planted bugs.
#[must_use]
pub fn bugs() -> Vec<PlantedBug> {
    [engine::BUGS, texts::BUGS, conversations::BUGS, peers::BUGS, reassembly::BUGS, net::BUGS, relay::BUGS].concat()
}

/// Makes a row of a table of bugs.
macro_rules! bug {
    ($name:literal, $target:literal, $mistake:literal, $check:expr) => {
        $crate::bugs::PlantedBug { name: $name, target: $target, mistake: $mistake, check: $check }
    };
}
use bug;
