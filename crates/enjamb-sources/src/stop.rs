//! A request to stop reading.

use std::cell::Cell;
use std::rc::Rc;

/// A flag that ends reading early, for instance because nobody reads the output any more.
///
/// Clones share the flag. It belongs to one thread.
#[derive(Clone, Debug, Default)]
pub struct Stop(Rc<Cell<bool>>);

impl Stop {
    /// Asks the reader to stop at its next read.
    pub fn request(&self) {
        self.0.set(true);
    }

    /// Returns whether a stop was requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.get()
    }
}
