//! Numbers for pairs of names that occur again and again: a protocol and a kind.
//!
//! Most kinds are constants of a session, and their place in memory is the name. For the others:
//! there are millions of messages and a few kinds, so the counters of a kind must be found without
//! hashing its name each time. Two words and the length represent a name of up to 16 bytes exactly.
//! So a small table finds a known pair by comparing a few numbers. It forgets pairs; somebody else
//! has them all.

use enjamb::ConstantKind;

/// The longest name in the table, in bytes.
const SHORT_MAX: usize = 16;

/// The places of the table: a power of two. Pairs that share a place replace each other.
const PLACES: usize = 128;

/// The numbers of pairs of names that were used lately.
#[derive(Clone, Debug)]
pub(super) struct RecentNames(Box<[Option<(ShortPair, u16)>; PLACES]>);

/// The numbers of constant kinds that were used lately, by their places in memory.
#[derive(Clone, Debug)]
pub(super) struct RecentConstants(Box<[(usize, u16); PLACES]>);

impl Default for RecentConstants {
    fn default() -> Self {
        Self(Box::new([(0, 0); PLACES]))
    }
}

impl RecentConstants {
    /// Returns the number of a kind, if it was kept and not replaced since.
    #[inline(always)]
    pub(super) fn find(&self, constant: &'static ConstantKind) -> Option<u16> {
        let address = address(constant);
        let (kept, number) = self.0[place(address)];
        (kept == address).then_some(number)
    }

    /// Keeps the number of a kind.
    pub(super) fn keep(&mut self, constant: &'static ConstantKind, number: u16) {
        let address = address(constant);
        self.0[place(address)] = (address, number);
    }
}

#[inline(always)]
fn address(constant: &'static ConstantKind) -> usize {
    std::ptr::from_ref(constant).addr()
}

#[inline(always)]
fn place(address: usize) -> usize {
    (address >> 4) % PLACES
}

/// A pair of short names, whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ShortPair {
    one: Short,
    other: Short,
}

/// A short name, whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Short {
    length: usize,
    first: u64,
    last: u64,
}

impl Default for RecentNames {
    fn default() -> Self {
        Self(Box::new([None; PLACES]))
    }
}

impl RecentNames {
    /// Returns the number of a pair, if it was kept and not replaced since.
    #[inline(always)]
    pub(super) fn find(&self, one: &str, other: &str) -> Option<u16> {
        let pair = ShortPair::of(one, other)?;
        self.0[pair.place()].filter(|(kept, _)| *kept == pair).map(|(_, number)| number)
    }

    /// Keeps the number of a pair, unless one of its names is too long.
    pub(super) fn keep(&mut self, one: &str, other: &str, number: u16) {
        if let Some(pair) = ShortPair::of(one, other) {
            self.0[pair.place()] = Some((pair, number));
        }
    }
}

impl ShortPair {
    #[inline(always)]
    fn of(one: &str, other: &str) -> Option<Self> {
        Some(Self { one: Short::of(one.as_bytes())?, other: Short::of(other.as_bytes())? })
    }

    #[inline(always)]
    fn place(self) -> usize {
        let Self { one, other } = self;
        // Multiplication mixes upwards: the upper bits depend on all bits (Fibonacci hashing).
        let mixed = other.first ^ other.last.rotate_left(17) ^ other.length as u64 ^ one.last.rotate_left(40);
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PLACES.trailing_zeros())) as usize
    }
}

impl Short {
    /// Takes the first and the last bytes of a name, which meet or overlap: with the length they
    /// are the whole name. `None`: the name is too long.
    #[inline(always)]
    fn of(name: &[u8]) -> Option<Self> {
        let length = name.len();
        let (first, last) = if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
            (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
        } else if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
            (u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)))
        } else {
            match *name {
                [] => (0, 0),
                [one] => (u64::from(one), 0),
                [one, two] => (u64::from(one), u64::from(two)),
                [one, two, three, ..] => (u64::from(one), u64::from(u16::from_le_bytes([two, three]))),
            }
        };
        (length <= SHORT_MAX).then_some(Self { length, first, last })
    }
}

#[cfg(test)]
mod tests {
    use enjamb::ConstantKind;

    use super::{PLACES, RecentConstants, RecentNames, Short};

    #[test]
    fn short_names_that_differ_in_anything_are_different() {
        let text = "abcdefghijklmnopqrstuvwxyz";
        let mut names: Vec<String> = Vec::new();
        for length in 0..=18 {
            names.push(text[..length].to_owned());
            names.push("a".repeat(length));
            for at in 0..length {
                let mut other = text.as_bytes()[..length].to_vec();
                other[at] = b'!';
                names.push(String::from_utf8(other).expect("ASCII"));
            }
        }
        names.sort();
        names.dedup();
        for (at, one) in names.iter().enumerate() {
            for other in &names[at + 1..] {
                let (one_short, other_short) = (Short::of(one.as_bytes()), Short::of(other.as_bytes()));
                assert!(one_short.is_none() || one_short != other_short, "{one:?} and {other:?}");
            }
        }
        assert!(Short::of(&[b'x'; 16]).is_some() && Short::of(&[b'x'; 17]).is_none());
    }

    #[test]
    fn a_constant_has_its_own_number_or_none() {
        let constants: &'static [ConstantKind] =
            Box::leak((0..2 * PLACES).map(|_| ConstantKind { protocol: "one", kind: "same" }).collect());
        let mut recent = RecentConstants::default();
        assert!(constants.iter().all(|constant| recent.find(constant).is_none()));
        for (number, constant) in constants.iter().enumerate() {
            recent.keep(constant, number as u16);
            assert_eq!(recent.find(constant), Some(number as u16));
        }
        let found: Vec<_> = constants.iter().zip(0..).filter(|(constant, _)| recent.find(constant).is_some()).collect();
        assert!(!found.is_empty() && found.iter().all(|(constant, number)| recent.find(constant) == Some(*number)));
    }

    #[test]
    fn a_pair_has_its_own_number_or_none() {
        let mut recent = RecentNames::default();
        let names: Vec<String> = (0..40).map(|name| format!("{name}{}", "-and-more-of-it".repeat(name % 3))).collect();
        let pairs: Vec<_> = names.iter().flat_map(|one| names.iter().map(move |other| (one, other))).collect();
        let mut found = 0;
        for (number, (one, other)) in pairs.iter().enumerate() {
            assert_eq!(recent.find(one, other), None);
            recent.keep(one, other, number as u16);
            for (number, (one, other)) in pairs[..=number].iter().enumerate() {
                let kept = recent.find(one, other);
                assert!(kept.is_none() || kept == Some(number as u16), "{one} and {other}");
                found += usize::from(kept.is_some());
            }
        }
        assert!(found > pairs.len(), "some are kept");
    }
}
