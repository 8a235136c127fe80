//! The parsers of texts: transcripts, expressions of the command line, and spec files.

use enjamb::units::{format_duration, format_size, parse_duration, parse_size};
use enjamb::{Side, Transcript};
use enjamb_faults::Fault;
use enjamb_law::Script;
use enjamb_monitor::Filter;
use enjamb_net::relay::ForwardRule;
use enjamb_protocols::{Framing, Registry, SpecFile};
use enjamb_sources::TranscriptFile;

/// The target `transcripts`: a text that is a transcript is one again when it is written, and the
/// same one. So is a script of any bytes.
///
/// # Panics
/// When the property does not hold.
pub(crate) fn transcripts(data: &[u8]) {
    check_transcript(data, ToString::to_string);
}

/// Checks what `write` makes of transcripts.
pub(crate) fn check_transcript(data: &[u8], write: impl Fn(&Transcript) -> String) {
    let _ = TranscriptFile::parse(data);
    if let Ok(text) = std::str::from_utf8(data) {
        match Transcript::parse(text) {
            Ok(transcript) => {
                let written = write(&transcript);
                let again = Transcript::parse(&written);
                assert!(
                    again.as_ref() == Ok(&transcript),
                    "a transcript changes when it is written\n{written}\n{again:?}"
                );
            }
            Err(error) => assert!(!error.to_string().is_empty(), "an error without a text"),
        }
    }
    let script = Script::decode(data);
    assert!(Script::decode(&script.encode()) == script, "a script changes when it is written: {script:?}");
    let transcript = script.case(&enjamb_law::Grammar::default());
    let transcript = transcript.input.transcript(&transcript.cuts);
    let written = write(&transcript);
    let again = Transcript::parse(&written);
    assert!(
        again.as_ref() == Ok(&transcript),
        "a script changes when it is written as a transcript\n{written}\n{again:?}"
    );
}

/// The target `expressions`: the small languages of the command line. The first byte chooses one.
/// An error has a place inside the text, and what was parsed is the same when it is written and
/// parsed again, where it can be written.
///
/// # Panics
/// When the property does not hold.
pub(crate) fn expressions(data: &[u8]) {
    let Some((choice, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let inside = |at: usize, error: &dyn std::fmt::Display| {
        assert!(at <= text.len(), "an error outside of the text: {at}, {error}");
        assert!(!error.to_string().is_empty(), "an error without a text");
    };
    match choice % 6 {
        0 => {
            let registry = Registry::builtin();
            if let Err(error) = Filter::parse_with(text, &registry.attributes()) {
                inside(error.at(), &error);
            }
        }
        1 => match Fault::parse(text) {
            Ok(faults) => faults.iter().for_each(|fault| {
                fault.check().unwrap_or_else(|error| panic!("a fault that was parsed is wrong: {error}"));
            }),
            Err(error) => inside(0, &error),
        },
        2 => match Framing::parse_sides(text) {
            Ok(sides) => drop(sides.session("spec")),
            Err(error) => inside(error.at(), &error),
        },
        3 => match parse_size(text) {
            Ok(size) => assert_eq!(parse_size(&format_size(size)).ok(), Some(size), "a size changes"),
            Err(error) => inside(error.at(), &error),
        },
        4 => match parse_duration(text) {
            Ok(duration) => {
                let again = parse_duration(&format_duration(duration)).ok();
                // Longer ones are written in whole seconds.
                let exact = u64::try_from(duration.as_nanos()).is_ok();
                let same =
                    again == Some(duration) || !exact && again.map(|again| again.as_secs()) == Some(duration.as_secs());
                assert!(same, "a duration changes: {duration:?}, {again:?}");
            }
            Err(error) => inside(0, &error),
        },
        _ => {
            if let Err(error) = text.parse::<ForwardRule>() {
                inside(0, &error);
            }
        }
    }
}

/// The target `spec_files`: a spec file that is accepted has a session, a dissector and a
/// dictionary.
///
/// # Panics
/// When the property does not hold.
pub(crate) fn spec_files(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match SpecFile::parse(text) {
        Ok(spec) => {
            drop(spec.session());
            assert!(!spec.wireshark().is_empty() && !spec.name().is_empty(), "a spec without a dissector");
            // Its own constants are its most likely beginnings.
            let constants = spec.dictionary();
            let registry = Registry::empty().with(spec.protocol());
            let mut session = registry.auto().session(None);
            for side in Side::BOTH {
                session.feed(side, constants.as_bytes(), &mut |_| {});
            }
        }
        Err(error) => assert!(!error.to_string().is_empty(), "an error without a text"),
    }
}
