//! An upper bound on speed: one search over the whole input.
//!
//! It has no reads, keeps no state between them, limits no frame and calls no handler.

use std::rc::Rc;

use memchr::memmem::Finder;

use crate::measure::{Contestant, Input, Tally};

/// Makes the contestant that searches for one delimiter with `memchr::memmem`.
pub(crate) fn memmem(input: &Rc<Input>, delimiter: &[u8]) -> Contestant {
    let finder = Finder::new(delimiter).into_owned();
    Contestant::new("memchr::memmem", "one search over the whole input: an upper bound", input, move |bytes| {
        let mut tally = Tally::default();
        let mut start = 0;
        for at in finder.find_iter(bytes) {
            tally.count((at - start) as u64);
            start = at + finder.needle().len();
        }
        tally
    })
}

/// Makes the contestant that searches for two one-byte delimiters with `memchr::memchr2`.
pub(crate) fn memchr2(input: &Rc<Input>, delimiters: [u8; 2]) -> Contestant {
    let [a, b] = delimiters;
    Contestant::new("memchr::memchr2", "one search over the whole input: an upper bound", input, move |bytes| {
        let mut tally = Tally::default();
        let mut start = 0;
        for at in memchr::memchr2_iter(a, b, bytes) {
            tally.count((at - start) as u64);
            start = at + 1;
        }
        tally
    })
}
