//! The search for the first byte of any delimiter.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// The bytes that delimiters begin with, without duplicates.
pub(crate) enum FirstBytes {
    One(u8),
    Two(u8, u8),
    Three(u8, u8, u8),
    More(Box<[bool; 256]>),
}

impl FirstBytes {
    pub(crate) fn new(bytes: impl Iterator<Item = u8>) -> Self {
        let mut table = Box::new([false; 256]);
        let bytes: Vec<u8> = bytes.collect();
        for &byte in &bytes {
            table[usize::from(byte)] = true;
        }
        match *bytes {
            [a] => Self::One(a),
            [a, b] => Self::Two(a, b),
            [a, b, c] => Self::Three(a, b, c),
            _ => Self::More(table),
        }
    }

    #[inline]
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::One(a) => memchr::memchr(*a, bytes),
            Self::Two(a, b) => memchr::memchr2(*a, *b, bytes),
            Self::Three(a, b, c) => memchr::memchr3(*a, *b, *c, bytes),
            Self::More(table) => bytes.iter().position(|&byte| table[usize::from(byte)]),
        }
    }
}
