//! Oracles for fuzz targets. A target is one line over one of them, so a plain test can repeat a
//! finding of a fuzzer.
//!
//! An input is a [`Script`], and every byte string is one. Recorded conversations make good seeds,
//! since a fuzzer mutates the bytes of the protocol and not those of an encoding.

use enjamb::{Framer, Machine, Session, Terminator};

use crate::asynchat::{Interpreter, Program, Setting, reference};
use crate::grammar::Grammar;
use crate::laws::{quiet, split, total};
use crate::machines::Sessions;
use crate::script::{Case, Script};
use crate::subject::{Comparable, Subject};

/// Checks the laws that hold for any input (total, split and quiet) over `script` with the pieces
/// of `grammar`.
///
/// # Panics
/// With the smallest violation, when one is broken.
pub fn any_input<S>(subject: &S, grammar: &Grammar, script: &Script)
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let Case { input, cuts } = script.case(grammar);
    let broken = total(subject, &input, &cuts)
        .and_then(|()| split(subject, &input, &cuts))
        .and_then(|()| quiet(subject, &input, &cuts));
    if let Err(violation) = broken {
        panic!("{violation}");
    }
}

/// Checks the split law over sessions.
///
/// # Panics
/// With the smallest violation, when the law is broken.
pub fn split_law(script: &Script, open: impl Fn() -> Box<dyn Session>) {
    let Case { input, cuts } = script.case(&Grammar::default());
    if let Err(violation) = split(&Sessions(open), &input, &cuts) {
        panic!("{violation}");
    }
}

/// A program of terminators, a stream, and its cuts.
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[derive(Clone, Debug)]
pub struct EngineCase {
    /// The terminators, in order. Without bytes the number is a length. With bytes it is a
    /// delimiter. If the number is less than that of the bytes, they are several delimiters of that
    /// length; the last may be shorter.
    pub program: Vec<(Vec<u8>, u8)>,
    /// Whether the program begins again at its end.
    pub cycle: bool,
    /// The chunks that arrive.
    pub chunks: Vec<Vec<u8>>,
}

/// Checks the engine against the naive reader of the whole stream.
///
/// # Panics
/// When they differ.
pub fn engine_law(case: &EngineCase) {
    let setting = |(bytes, length): &(Vec<u8>, u8)| {
        let several = (1..bytes.len()).contains(&usize::from(*length));
        let delimiters = several.then(|| Terminator::any_of(bytes.chunks(usize::from(*length))).ok()).flatten();
        let delimiter = || Terminator::delimiter(bytes).ok().or_else(|| Terminator::length(u64::from(*length)));
        delimiters.or_else(delimiter).map_or(Setting::Keep, Setting::Set)
    };
    let mut settings = case.program.iter().map(setting);
    let Some(Setting::Set(first)) = settings.next() else {
        return;
    };
    let program = Program { first, rest: settings.collect(), cycle: case.cycle };
    let mut events = Vec::new();
    let mut framer = Framer::new(Interpreter::new(&program));
    for chunk in &case.chunks {
        let fed = framer.feed(chunk, &mut |event| events.push(event));
        fed.unwrap_or_else(|error| panic!("an interpreter does not fail: {error}"));
    }
    let end = framer.close(&mut |event| events.push(event));
    end.unwrap_or_else(|error| panic!("an interpreter does not fail: {error}"));
    assert_eq!(events, reference(&program, &case.chunks.concat()), "{program:?} over {:?}", case.chunks);
}
