//! `enjamb corpus to-test`: the Rust test of a transcript.
//!
//! The test asserts that the split law holds for the conversation, and that its messages are those
//! of today. The conversation is part of the test, so that a reader of the test sees it and no file
//! can get lost.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use enjamb::Transcript;
use enjamb_isolate::{Failure, supervise};
use enjamb_law::{Cutting, Sessions, split};
use enjamb_protocols::{Protocol, Registry};
use enjamb_sources::{Exit, Notices, TranscriptFile, print};

use crate::arguments::ToTestArguments;
use crate::parse::parse;

/// The maximum number of payload bytes in a test. People read it.
const PAYLOAD_MAX: usize = 64 << 10;

/// The maximum payload, in bytes, for which all pairs of cuts are tried. That takes about a second.
const TWO_CUTS_MAX: usize = 1200;

/// The maximum payload, in bytes, for which all single cuts are tried.
const ONE_CUT_MAX: usize = 8 << 10;

/// The time that a session may take for a transcript.
const PATIENCE: Duration = Duration::from_secs(20);

/// Writes the tests of all files to standard output.
pub(crate) fn run(arguments: &ToTestArguments, registry: &Registry, notices: &Notices) -> anyhow::Result<Exit> {
    let mut tests = Vec::new();
    let mut names = HashSet::new();
    for path in &arguments.files {
        match test(path, arguments, registry, &mut names, notices.program()) {
            Ok(test) => tests.push(test),
            Err(TestError { exit, reason }) => {
                notices.notice(format_args!("{}: {reason}", path.display()));
                return Ok(exit);
            }
        }
    }
    let head = match arguments.session {
        Some(_) => "// Needs in [dev-dependencies]: enjamb, enjamb-law.\n",
        None => "// Needs in [dev-dependencies]: enjamb, enjamb-law, enjamb-protocols.\n",
    };
    print(format!("{head}\n{}", tests.join("\n"))).context("cannot write to standard output")?;
    Ok(Exit::Done)
}

/// The reason why there is no test for a transcript.
struct TestError {
    exit: Exit,
    reason: String,
}

impl TestError {
    fn new(exit: Exit, reason: &dyn ToString) -> Self {
        Self { exit, reason: reason.to_string() }
    }
}

fn test(
    path: &Path,
    arguments: &ToTestArguments,
    registry: &Registry,
    names: &mut HashSet<String>,
    program: &str,
) -> Result<String, TestError> {
    let file = File::open(path).map_err(|error| TestError::new(Exit::Unavailable, &error))?;
    let file = TranscriptFile::read(file).map_err(|error| TestError::new(Exit::Unavailable, &error))?;
    let transcript = file.transcript;
    let usage = |reason: String| TestError::new(Exit::WrongUsage, &reason);
    let payload = transcript.payload_len();
    if payload > PAYLOAD_MAX {
        return Err(usage(format!(
            "it has {payload} bytes of payload, and a test has at most {PAYLOAD_MAX}: `{program} corpus extract` cuts it into small pieces"
        )));
    }
    if payload == 0 {
        return Err(usage("it has no byte of payload, so there is nothing to test".to_owned()));
    }
    let Some(protocol) = arguments.protocol.as_ref().or(transcript.protocol.as_ref()) else {
        return Err(usage("it does not name its protocol: use --protocol".to_owned()));
    };
    let resolved = registry
        .resolve(protocol)
        .map_err(|error| usage(format!("its protocol is not known: use --protocol to name another\n{error}")))?;
    let (setup, session) = match &arguments.session {
        Some(expression) => (String::new(), expression.clone()),
        None if Registry::builtin().resolve(protocol).is_ok() => (
            format!("    let protocol = enjamb_protocols::Registry::builtin().resolve({protocol:?}).unwrap();\n"),
            "protocol.session(None)".to_owned(),
        ),
        None => {
            return Err(usage(format!(
                "{protocol} is not a protocol of enjamb's own: use --session for an expression that opens a session, as in --session 'Box::new(my_crate::MySession::default())'"
            )));
        }
    };
    let name = unique(&identifier(path), names);
    let work = move || write_test(&name, &transcript, &resolved, &setup, &session);
    supervise(&path.display().to_string(), PATIENCE, work).map_err(|failure| {
        let reason = match failure {
            Failure::Panicked(panic) => format!("its session panicked: {panic}"),
            Failure::Hung(patience) => format!("its session did not return within {} s", patience.as_secs()),
            other => other.to_string(),
        };
        TestError::new(Exit::FoundWanting, &format!("{reason}; `{program} replay --recut coalesce` shows the input"))
    })
}

fn write_test(name: &str, transcript: &Transcript, protocol: &Protocol, setup: &str, session: &str) -> String {
    let sessions = Sessions(|| protocol.session(None));
    let input = Cutting::from(transcript);
    let cuts = match input.len() {
        len if len <= TWO_CUTS_MAX => "Segmentations::up_to_two_cuts()",
        len if len <= ONE_CUT_MAX => "Segmentations::up_to_one_cut().and_random(1, 100)",
        _ => "Segmentations::every_byte().and_random(1, 100)",
    };
    // The messages may depend on the cuts, and the transcript may be kept for just that reason.
    // Those of the uncut stream are the expected ones.
    let whole = Transcript { protocol: transcript.protocol.clone(), ..input.transcript(&[]) };
    let messages = catch_unwind(AssertUnwindSafe(|| parse(protocol.session(None).as_mut(), &whole, false).messages));
    let mut test = format!(
        "#[test]\nfn {name}() {{\n    use enjamb_law::{{Cutting, Segmentations, Sessions, split_everywhere}};\n\n"
    );
    if split(&sessions, &input, &every_byte(&input)).is_err() {
        test = format!("// Today the split law does not hold for this conversation.\n{test}");
    }
    let text = transcript.to_string();
    let hashes = hashes(&text);
    let _ = write!(
        test,
        "    let transcript = enjamb::Transcript::parse(\n        r{hashes}\"{text}\"{hashes},\n    )\n    .unwrap();\n{setup}    \
         let session = || -> Box<dyn enjamb::Session> {{ {session} }};\n    let input = Cutting::from(&transcript);\n    \
         if let Err(violation) = split_everywhere(&Sessions(session), &input, &{cuts}) {{\n        panic!(\"{{violation}}\");\n    }}\n"
    );
    // If the session panics today there are no messages to expect.
    if let Ok(messages) = messages {
        let expected: String = messages.iter().map(|message| format!("\n        {:?},", message.to_string())).collect();
        let end = if messages.is_empty() { "" } else { "\n    " };
        let _ = write!(
            test,
            "\n    let mut messages = Vec::new();\n    let whole = input.transcript(&[]);\n    \
             whole.play(session().as_mut(), &mut |message| messages.push(message.to_owned().to_string()));\n    \
             let expected: &[&str] = &[{expected}{end}];\n    assert_eq!(messages, expected);\n"
        );
    }
    test.push_str("}\n");
    test
}

fn every_byte(input: &Cutting) -> Vec<usize> {
    (1..input.len()).collect()
}

/// Returns the number of hashes that a raw string of this text needs.
fn hashes(text: &str) -> String {
    let mut hashes = "#".to_owned();
    while text.contains(&format!("\"{hashes}")) {
        hashes.push('#');
    }
    hashes
}

/// Returns a name for a function, made of the name of the file.
fn identifier(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
    let words = stem.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("_");
    format!("replays_{}", if name.is_empty() { "transcript" } else { &name })
}

fn unique(name: &str, names: &mut HashSet<String>) -> String {
    let numbered = std::iter::once(name.to_owned()).chain((2u64..).map(|number| format!("{name}_{number}")));
    let mut free = numbered.filter(|name| !names.contains(name));
    let free = free.next().unwrap_or_default();
    names.insert(free.clone());
    free
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use super::{hashes, identifier, unique};

    #[test]
    fn every_file_gets_a_function_name_of_its_own() {
        let mut names = HashSet::new();
        let names = ["redis-3f2a.txt", "a/redis-3F2a.txt", "1.txt", "ß.txt", "fn.txt"]
            .map(|path| unique(&identifier(Path::new(path)), &mut names));
        assert_eq!(
            names,
            ["replays_redis_3f2a", "replays_redis_3f2a_2", "replays_1", "replays_transcript", "replays_fn"]
        );
    }

    #[test]
    fn the_text_never_ends_its_raw_string() {
        for (text, expected) in [("a", "#"), ("\"#", "##"), ("\"## \"#", "###")] {
            assert_eq!(hashes(text), expected);
        }
    }
}
