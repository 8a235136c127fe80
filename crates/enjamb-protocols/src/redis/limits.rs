//! The limits of messages.

/// The maximum length of a line of a command: the server's `PROTO_INLINE_MAX_SIZE`.
pub const LINE_MAX: u64 = 64 << 10;

/// The maximum number of arguments of a command, including its name, as in servers since version
/// 7.0. Earlier ones accept 1,048,576.
pub const ARGUMENTS_MAX: i64 = i32::MAX as i64;

/// The maximum count or length in a candidate behind a gap, so that noise cannot swallow the
/// stream.
pub(super) const CANDIDATE_MAX: i64 = 1 << 20;

/// The maximum nesting of aggregates. Servers nest the replies of scripts and of modules; no reply
/// that was seen is nested deeper. An open aggregate takes 24 bytes.
pub const DEPTH_MAX: usize = 1024;

/// The maximum number of elements of an aggregate, as in `hiredis`. Keys and values of a map count
/// separately.
pub const ELEMENTS_MAX: u64 = u32::MAX as u64;

/// The maximum length of the code of an error, in bytes.
pub const CODE_MAX: usize = 32;

/// The maximum number of bytes of a bulk: the default of the server's `proto-max-bulk-len`.
pub const BULK_MAX: u64 = 512 << 20;

/// The maximum length of a command name that is a kind of its own, in bytes.
pub const NAME_MAX: usize = 32;

/// The maximum number of arguments of a command that are kept for filters, the name included.
pub const KEPT_ARGUMENTS_MAX: usize = 64;

/// The maximum number of bytes of an argument that are kept for filters.
pub const KEPT_BYTES_MAX: usize = 1 << 10;
