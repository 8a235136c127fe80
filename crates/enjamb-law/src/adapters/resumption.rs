//! Readers after an error: which errors are reported, and whether the reader is called again.

use std::fmt::Debug;

use crate::kind::Kind;
use crate::output::Output;
use crate::run::Run;

/// The number of times that an error may come again without a read, besides once for each read: a
/// chunk may hold many bad messages.
const AGAIN_MAX: u64 = 64;

/// The state of a reader that returns errors: the last one, and the number of times that it came
/// without a read in between.
#[derive(Debug)]
pub(super) struct Resumption {
    /// Whether the program calls the reader again after an error.
    resumes: bool,
    kind: Option<Kind>,
    /// The counter of what was read.
    progress: u64,
    times: u64,
}

/// Whether an error came before.
enum Repeated {
    No,
    /// It came before, and nothing was read since.
    Again,
    /// The reader will return nothing else.
    ForEver,
}

impl Resumption {
    pub(super) fn new(resumes: bool) -> Self {
        Self { resumes, kind: None, progress: 0, times: 0 }
    }

    /// Notes an event. The same error behind it is another one.
    pub(super) fn event(&mut self) {
        *self = Self::new(self.resumes);
    }

    /// Reports an error to the run, and returns whether the reader is called again. `progress`
    /// grows with everything that is read. `feed` gives the next chunk to a reader that the law
    /// calls again, and returns whether there was one.
    pub(super) fn fail<T>(
        &mut self,
        run: &mut Run<'_, T, Kind>,
        error: &impl Debug,
        progress: u64,
        end_seen: bool,
        feed: impl FnOnce(&mut Run<'_, T, Kind>) -> bool,
    ) -> bool {
        let kind = Kind::of(error);
        if self.resumes {
            match self.repeated(&kind, progress) {
                Repeated::No => {}
                Repeated::Again => return true,
                Repeated::ForEver => {
                    run.emit(Output::GivenUp);
                    return false;
                }
            }
        }
        let goes_on = run.fail(kind);
        !end_seen && (self.resumes || goes_on && feed(run))
    }

    fn repeated(&mut self, kind: &Kind, progress: u64) -> Repeated {
        if self.kind.as_ref() != Some(kind) || self.progress != progress {
            *self = Self { resumes: self.resumes, kind: Some(kind.clone()), progress, times: 0 };
            return Repeated::No;
        }
        self.times += 1;
        if self.times > AGAIN_MAX + progress { Repeated::ForEver } else { Repeated::Again }
    }
}
