//! The limits of messages.

/// The longest line of a command: the server's `PROTO_INLINE_MAX_SIZE`.
pub const LINE_MAX: u64 = 64 << 10;

/// The most arguments of a command, including its name.
pub const ARGUMENTS_MAX: i64 = 1 << 20;

/// The largest count or length in a candidate behind a gap: noise must not swallow the stream.
pub(super) const CANDIDATE_MAX: i64 = 1 << 20;

/// The deepest nesting of aggregates.
pub const DEPTH_MAX: usize = 128;

/// The most elements of an aggregate: what `hiredis` accepts. Keys and values of a map count
/// separately.
pub const ELEMENTS_MAX: u64 = u32::MAX as u64;

/// The longest code of an error, in bytes.
pub const CODE_MAX: usize = 32;

/// The most bytes of a bulk: the default of the server's `proto-max-bulk-len`.
pub const BULK_MAX: u64 = 512 << 20;

/// The longest command name that is a kind of its own, in bytes.
pub const NAME_MAX: usize = 32;
