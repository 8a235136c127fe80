//! Names that live as long as the program.
//!
//! The kit needs the kinds and the names of protocols as `&'static str`, since most protocols have
//! them in their code. A spec has them in a file, so each distinct name is kept once, for ever. The
//! limits of a spec bound the memory.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Returns the same name, with the lifetime of the program.
pub(super) fn intern(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let new: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(new);
    new
}
