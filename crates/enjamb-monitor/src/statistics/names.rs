//! Numbers for names that are seen again and again.
//!
//! There are millions of messages and a few kinds, so the counters of a kind must be found without
//! hashing its name each time. Two words and the length hold a name of up to 16 bytes exactly. So a
//! small table finds a name that was seen before by comparing three numbers; the hash map behind it
//! holds all names.

use std::collections::HashMap;

/// The longest name in the small table, in bytes.
const SHORT_MAX: usize = 16;

/// The places of the small table: a power of two. Names that share a place replace each other.
const PLACES: usize = 64;

/// Names, numbered from 0 in the order in which they were added.
#[derive(Clone, Debug)]
pub(super) struct Names {
    all: HashMap<Box<str>, usize, foldhash::fast::RandomState>,
    recent: Box<[Option<(Short, usize)>; PLACES]>,
}

/// A short name, whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Short {
    length: usize,
    first: u64,
    last: u64,
}

impl Default for Names {
    fn default() -> Self {
        Self { all: HashMap::default(), recent: Box::new([None; PLACES]) }
    }
}

impl Names {
    /// Returns the number of a name that was added.
    #[inline]
    pub(super) fn find(&mut self, name: &str) -> Option<usize> {
        let Some(short) = Short::of(name.as_bytes()) else {
            return self.all.get(name).copied();
        };
        let place = short.place();
        match self.recent[place] {
            Some((known, number)) if known == short => Some(number),
            _ => {
                let number = *self.all.get(name)?;
                self.recent[place] = Some((short, number));
                Some(number)
            }
        }
    }

    /// Adds a new name and returns its number.
    pub(super) fn add(&mut self, name: &str) -> usize {
        let number = self.all.len();
        self.all.insert(name.into(), number);
        number
    }
}

impl Short {
    /// Takes the first and the last bytes of a name, which meet or overlap: with the length they
    /// are the whole name. `None`: the name is too long.
    #[inline]
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

    #[inline]
    fn place(self) -> usize {
        // Multiplication mixes upwards: the upper bits depend on all bits (Fibonacci hashing).
        let mixed = (self.first ^ self.last.rotate_left(29) ^ self.length as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> (u64::BITS - PLACES.trailing_zeros())) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::{Names, Short};

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
    fn a_name_keeps_its_number_among_many() {
        let mut names = Names::default();
        let all: Vec<String> =
            (0..500).map(|number| format!("{number}{}", "-and-more-of-it".repeat(number % 3))).collect();
        for (number, name) in all.iter().enumerate() {
            assert_eq!(names.find(name), None);
            assert_eq!(names.add(name), number);
        }
        for _ in 0..2 {
            for (number, name) in all.iter().enumerate() {
                assert_eq!(names.find(name), Some(number), "{name}");
            }
        }
        assert_eq!(names.find("another"), None);
    }
}
