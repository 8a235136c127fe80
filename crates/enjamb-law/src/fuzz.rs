//! The body of a fuzz target: a target is one line over it, so a plain test can repeat a finding of
//! a fuzzer.
//!
//! An input is a [`Script`], and every byte string is one. Recorded conversations make good seeds,
//! since a fuzzer mutates the bytes of the protocol and not those of an encoding.

use crate::grammar::Grammar;
use crate::laws::{quiet, split, total};
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
