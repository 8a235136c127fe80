//! Errors that a reader returns again and again.

use crate::kind::Kind;

/// The number of times that an error may come again without a read, besides once for each read: a
/// chunk may hold many bad messages.
const AGAIN_MAX: u64 = 64;

/// The last error of a reader, and the number of times that it came without a read in between.
#[derive(Debug, Default)]
pub(super) struct Repetition {
    kind: Option<Kind>,
    /// The counter of what was read.
    progress: u64,
    times: u64,
}

/// Whether an error came before.
pub(super) enum Repeated {
    No,
    /// It came before, and nothing was read since.
    Again,
    /// The reader will return nothing else.
    ForEver,
}

impl Repetition {
    /// Counts an error. `progress` grows with everything that is read.
    pub(super) fn of(&mut self, kind: &Kind, progress: u64) -> Repeated {
        if self.kind.as_ref() != Some(kind) || self.progress != progress {
            *self = Self { kind: Some(kind.clone()), progress, times: 0 };
            return Repeated::No;
        }
        self.times += 1;
        if self.times > AGAIN_MAX + progress { Repeated::ForEver } else { Repeated::Again }
    }
}
