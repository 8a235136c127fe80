//! Limits of what is counted apart. Peers choose kinds and reasons, so there is a limit to how
//! many are counted each by itself; the others are counted together as [`OTHER`].

/// The kinds of messages on one side that are counted apart.
pub(super) const KINDS_MAX: usize = 256;

/// The errors that are counted apart.
pub(super) const ERRORS_MAX: usize = 256;

/// The kinds of one side, and the errors, that are counted apart by one of several workers. Which
/// of them are among the first of all workers is not known before the end, so a worker needs room
/// for more.
pub(super) const PART_MAX: usize = 4096;

/// The name of everything that is not counted apart.
pub(super) const OTHER: &str = "other";
