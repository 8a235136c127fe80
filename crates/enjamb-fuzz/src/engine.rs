//! The engine against a naive reader of the whole stream.

pub(crate) mod case;
mod defaults;
pub(crate) mod output;
pub(crate) mod reference;
pub(crate) mod subject;
mod text;

use enjamb::{InvalidUtf8, Limit};

pub use case::EngineCase;
use output::Output;

/// Checks an implementation of the engine against the naive reader.
///
/// # Panics
/// When they differ.
pub(crate) fn check_engine(data: &[u8], subject: impl Fn(&EngineCase) -> Vec<Output<Vec<u8>>>) {
    let case = EngineCase::decode(data);
    let (found, expected) = (subject(&case), reference::reference(&case));
    assert!(
        found == expected,
        "the engine differs from the naive reader\n  engine: {found:?}\n  reader: {expected:?}\n  {case:?}"
    );
}

/// Checks an implementation of the text adapter against the naive reader.
///
/// # Panics
/// When they differ.
pub(crate) fn check_text(data: &[u8], subject: impl Fn(&EngineCase, InvalidUtf8) -> Vec<Output<String>>) {
    let (case, invalid) = text_case(data);
    let (found, expected) = (subject(&case, invalid), text::reference_text(&case, invalid));
    assert!(
        found == expected,
        "the text adapter differs from the naive reader\n  adapter: {found:?}\n  reader: {expected:?}\n  {invalid:?}: {case:?}"
    );
}

/// Decodes a case of text.
fn text_case(data: &[u8]) -> (EngineCase, InvalidUtf8) {
    // The highest bit of the first byte is free in a case.
    let refuses = data.first().is_some_and(|flags| flags & 0x80 != 0);
    (EngineCase::decode(data), if refuses { InvalidUtf8::Refuse } else { InvalidUtf8::Replace })
}

/// The target `engine`.
///
/// # Panics
/// When the property does not hold.
pub(crate) fn engine(data: &[u8]) {
    check_engine(data, subject::run);
    let case = EngineCase::decode(data);
    // The defaults have a limit of their own, so cases with one are left to the other checks.
    if case.limits[0] == Limit::NONE {
        let frames = defaults::frames(&case);
        assert!(frames.iter().all(|one| *one == frames[0]), "handlers with defaults differ\n  {frames:?}\n  {case:?}");
    }
    let (found, expected) = (subject::run_whole(&case), output::without_skipped(reference::reference(&case)));
    assert!(found == expected, "whole frames differ\n  engine: {found:?}\n  reader: {expected:?}\n  {case:?}");
}

/// The target `text`.
///
/// # Panics
/// When the property does not hold.
pub(crate) fn text(data: &[u8]) {
    check_text(data, subject::run_text);
    let (case, invalid) = text_case(data);
    let expected = output::without_skipped(text::reference_text(&case, invalid));
    let found = subject::run_whole_text(&case, invalid);
    assert!(found == expected, "whole frames differ\n  adapter: {found:?}\n  reader: {expected:?}\n  {case:?}");
}
