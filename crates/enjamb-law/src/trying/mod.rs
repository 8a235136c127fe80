//! The inputs with which each law of a definition is tried, and their number.

mod conversations;
mod costs;
mod cuts;
mod derived;
mod messages;
mod robustness;

use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

use crate::cutting::stream;
use crate::definition::Laws;
use crate::law::Law;
use crate::laws::{alone, awake, bounded, coalesce, end, end_between, fused, prompt, quiet, round_trip, split, total};
use crate::literal::literal;
use crate::output::{Breach, Output};
use crate::pulse;
use crate::regressions::{self, Regression};
use crate::run::{AfterError, Listener};
use crate::script::{Case, Script};
use crate::subject::{Comparable, Subject};
use crate::trace::drive;
use crate::verdict::Tally;
use crate::violation::Violation;

/// The reason why a law was not found to hold.
pub(crate) enum Failure {
    Broken(Box<Violation>),
    NotTried(String),
    Unfit(String),
}

impl From<Box<Violation>> for Failure {
    fn from(violation: Box<Violation>) -> Self {
        Self::Broken(violation)
    }
}

impl<S> Laws<S>
where
    S: Subject<Event: Comparable, Error: Comparable> + Send + Sync + 'static,
{
    /// Tries a law that applies; with `extremes`, also with inputs that may end the process.
    pub(crate) fn tried(&self, law: Law, extremes: bool) -> Result<Tally, Failure> {
        self.well_formed(law)?;
        let mut tried = Tally::default();
        for regression in self.regressions()? {
            if regression.law == law {
                tried += self.regression(&regression)?;
            }
        }
        tried += match law {
            Law::Total => self.total(extremes)?,
            Law::Split => self.split()?,
            Law::Coalesce => self.coalesce()?,
            Law::Prompt => self.prompt()?,
            Law::Quiet => self.quiet()?,
            Law::End => self.end()?,
            Law::Alone => self.alone()?,
            Law::Fused => self.over_cases(fused)?,
            Law::Bounded => self.bounded()?,
            Law::Linear => self.linear()?,
            Law::Awake => self.over_streams(awake)?,
            Law::RoundTrip => self.round_trip()?,
            Law::Interleaved => self.interleaved()?,
        };
        Ok(tried)
    }

    /// Refuses a definition whose subject refuses one of its messages, or gives no event for any of
    /// them: no law over messages would be meaningful. The laws themselves check the output at the
    /// end of the stream.
    fn well_formed(&self, law: Law) -> Result<(), Failure> {
        let alone = if self.dependent { 1 } else { usize::MAX };
        let mut says_something = self.grammar.messages.is_empty();
        for (number, message) in self.grammar.messages.iter().enumerate().take(alone) {
            let input = stream(message);
            pulse::input(&input);
            pulse::cuts(&[]);
            let mut listener = RefusalListener::default();
            drive(&self.subject, &mut input.cut(&[]), &mut listener, AfterError::Stop);
            says_something |= listener.says_something || law == Law::Total && listener.panic.is_some();
            if let Some(refusal) = listener.refusal {
                let message = literal(message);
                return Err(Failure::Unfit(format!(
                    "message {} of the definition, {message}, is not read: {refusal}",
                    number + 1
                )));
            }
            // The total law reports a panic with the smallest input that shows it.
            if let Some(breach) = listener.panic.filter(|_| law != Law::Total) {
                let message = literal(message);
                return Err(Failure::Unfit(format!("message {} of the definition, {message}: {breach}", number + 1)));
            }
        }
        if !says_something && self.dependent {
            let input = stream(&self.grammar.messages.concat());
            let mut listener = RefusalListener::default();
            drive(&self.subject, &mut input.cut(&[]), &mut listener, AfterError::Stop);
            says_something = listener.says_something;
        }
        if !says_something {
            return Err(Failure::Unfit(
                "none of its messages gives an event: every law would hold over nothing".to_owned(),
            ));
        }
        Ok(())
    }

    fn regressions(&self) -> Result<Vec<Regression>, Failure> {
        let folder = regressions::folder(self.file, &self.name);
        folder.map_or(Ok(Vec::new()), |folder| regressions::load(&folder)).map_err(Failure::Unfit)
    }

    fn regression(&self, Regression { law, input, chunks, cuts, .. }: &Regression) -> Result<Tally, Failure> {
        let subject = &self.subject;
        let messages: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
        match law {
            Law::Split => split(subject, input, cuts)?,
            Law::Total => total(subject, input, cuts)?,
            Law::Quiet => quiet(subject, input, cuts)?,
            Law::Fused => fused(subject, input, cuts)?,
            Law::Awake => awake(subject, input, cuts)?,
            Law::Coalesce => coalesce(subject, &messages)?,
            Law::Prompt => prompt(subject, &messages, cuts)?,
            Law::End if self.drops_unfinished.is_some() => end_between(subject, &messages)?,
            Law::End => end(subject, &messages)?,
            Law::Alone => alone(subject, &messages)?,
            Law::Bounded => {
                if let Some(bound) = self.bound {
                    bounded(subject, input, cuts, bound)?;
                }
            }
            Law::RoundTrip => {
                if let Some(encode) = &self.encode {
                    round_trip(subject, &input.bytes(), self.canonical, encode)?;
                }
            }
            // The evidence consists of figures, or of the order of the input as it was given: a
            // file contains neither.
            Law::Linear | Law::Interleaved => {}
        }
        Ok(Tally::one(2))
    }

    /// Returns the recorded inputs in the corpora.
    fn recorded(&self) -> Result<Vec<Case>, Failure> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
        let grammar = self.grammar();
        let mut cases = Vec::new();
        for folder in &self.corpora {
            let folder = package.join(folder);
            let unreadable =
                |error: std::io::Error| Failure::Unfit(format!("the corpus {}: {error}", folder.display()));
            let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
                .map_err(unreadable)?
                .map(|entry| Ok(entry?.path()))
                .collect::<Result<_, _>>()
                .map_err(unreadable)?;
            paths.retain(|path| path.is_file());
            paths.sort();
            if paths.is_empty() {
                return Err(Failure::Unfit(format!("the corpus {} is empty", folder.display())));
            }
            for path in paths {
                cases.push(Script::read(&fs::read(&path).map_err(unreadable)?).case(&grammar));
            }
        }
        Ok(cases)
    }
}

/// Notes the error with which a message is refused before the stream has ended, and whether there
/// was an event.
#[derive(Default)]
struct RefusalListener {
    asked: usize,
    refusal: Option<String>,
    panic: Option<String>,
    says_something: bool,
}

impl<E: Debug, F: Debug> Listener<E, F> for RefusalListener {
    fn receive(&mut self, output: Output<E, F>) {
        match &output {
            Output::Event(_) => self.says_something = true,
            Output::Error(error) if self.asked < 2 && self.refusal.is_none() => {
                // The text of an error with its values, on one line.
                let text = format!("{error:#?}");
                self.refusal = Some(text.split_whitespace().collect::<Vec<_>>().join(" "));
            }
            Output::Breach(breach @ Breach::Panicked(_)) => self.panic = Some(breach.to_string()),
            _ => {}
        }
    }
    fn asked(&mut self) {
        self.asked += 1;
    }
}
