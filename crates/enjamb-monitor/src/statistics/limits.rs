//! Limits of separate counts. Peers choose kinds and reasons, so only a limited number of them are
//! counted separately; the others are counted together as [`OTHER`].

/// The number of kinds of messages on one side that are counted separately.
pub(super) const KINDS_MAX: usize = 1024;

/// The number of errors that are counted separately.
pub(super) const ERRORS_MAX: usize = 1024;

/// The number of kinds of one side, and of errors, that one of several workers counts separately.
/// The first kinds of all workers are known only at the end, so a worker needs room for more.
pub(super) const PART_MAX: usize = 4096;

/// The name of everything that is not counted separately.
pub(super) const OTHER: &str = "other";
