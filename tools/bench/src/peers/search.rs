//! The limit: nothing but a search over all of the input at once. It keeps no state, knows no reads, has no limits and calls nobody.

use std::rc::Rc;

use memchr::memmem::Finder;

use crate::measure::{Contestant, Input, Tally};

/// `memchr::memmem` for one delimiter.
pub(crate) fn memmem(input: &Rc<Input>, delimiter: &[u8]) -> Contestant {
    let finder = Finder::new(delimiter).into_owned();
    Contestant::new("memchr::memmem", "one search over everything: the limit", input, move |bytes| {
        let mut tally = Tally::default();
        let mut begin = 0;
        for at in finder.find_iter(bytes) {
            tally.count((at - begin) as u64);
            begin = at + finder.needle().len();
        }
        tally
    })
}

/// `memchr::memchr2` for two delimiters of a byte.
pub(crate) fn memchr2(input: &Rc<Input>, delimiters: [u8; 2]) -> Contestant {
    let [a, b] = delimiters;
    Contestant::new("memchr::memchr2", "one search over everything: the limit", input, move |bytes| {
        let mut tally = Tally::default();
        let mut begin = 0;
        for at in memchr::memchr2_iter(a, b, bytes) {
            tally.count((at - begin) as u64);
            begin = at + 1;
        }
        tally
    })
}
