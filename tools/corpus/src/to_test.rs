//! `enjamb corpus to-test`: the Rust test of a transcript.
//!
//! The test asks two things: that the split law holds of the conversation, and that it says the messages which it says today. The conversation is in the
//! test itself, so that whoever reads the test sees it and no file can get lost.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use enjamb::Transcript;
use enjamb_isolate::{Failure, supervise};
use enjamb_law::{Cutting, Sessions, split};
use enjamb_protocols::{Protocol, Registry};
use enjamb_replay::transcripts::Text;

use crate::pieces::says;
use crate::{FOUND_WANTING, NOTHING_READ, ToTestArguments, WRONG_USAGE};

/// The most payload of a test, in bytes: it is to be read.
const MOST_PAYLOAD: usize = 64 << 10;

/// Up to this payload every two cuts are tried, in bytes; about a second's work.
const TWO_CUTS: usize = 1200;

/// Up to this payload every single cut is tried, in bytes.
const ONE_CUT: usize = 8 << 10;

/// How long a session may take over a transcript.
const PATIENCE: Duration = Duration::from_secs(20);

/// Writes the tests of all files to standard output.
pub(crate) fn run(arguments: &ToTestArguments, registry: &Registry) -> anyhow::Result<ExitCode> {
    let mut tests = Vec::new();
    let mut names = HashSet::new();
    for path in &arguments.files {
        match test(path, arguments, registry, &mut names) {
            Ok(test) => tests.push(test),
            Err((code, error)) => {
                eprintln!("enjamb corpus: {}: {error}", path.display());
                return Ok(ExitCode::from(code));
            }
        }
    }
    let mut out = io::stdout().lock();
    let head = match arguments.session {
        Some(_) => "// Needs in [dev-dependencies]: enjamb, enjamb-law.\n",
        None => "// Needs in [dev-dependencies]: enjamb, enjamb-law, enjamb-protocols.\n",
    };
    match write!(out, "{head}\n{}", tests.join("\n")) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn test(
    path: &Path,
    arguments: &ToTestArguments,
    registry: &Registry,
    names: &mut HashSet<String>,
) -> Result<String, (u8, String)> {
    let unreadable = |error: String| (NOTHING_READ, error);
    let text = Text::read(File::open(path).map_err(|error| unreadable(error.to_string()))?).map_err(unreadable)?;
    let transcript = text.transcript;
    let wrong = |error: String| (WRONG_USAGE, error);
    if transcript.payload_len() > MOST_PAYLOAD {
        let payload = transcript.payload_len();
        return Err(wrong(format!(
            "{payload} bytes of payload, and {MOST_PAYLOAD} are the most for a test: `enjamb corpus extract` makes small ones of it"
        )));
    }
    if transcript.payload_len() == 0 {
        return Err(wrong("it has no byte of payload, so there is nothing to test".to_owned()));
    }
    let Some(protocol) = arguments.protocol.as_ref().or(transcript.protocol.as_ref()) else {
        return Err(wrong("it does not say which protocol it is: --protocol does".to_owned()));
    };
    let resolved = registry
        .resolve(protocol)
        .map_err(|error| wrong(format!("its protocol is not known; --protocol says another\n{error}")))?;
    let (opened, session) = match &arguments.session {
        Some(expression) => (String::new(), expression.clone()),
        None if Registry::builtin().resolve(protocol).is_ok() => (
            format!("    let protocol = enjamb_protocols::Registry::builtin().resolve({protocol:?}).unwrap();\n"),
            "protocol.session(None)".to_owned(),
        ),
        None => {
            return Err(wrong(format!(
                "{protocol} is not a protocol of enjamb's own: --session says how your crate opens one, as in --session 'Box::new(my_crate::MySession::default())'"
            )));
        }
    };
    let name = unique(&identifier(path), names);
    let work = move || written(&name, &transcript, &resolved, &opened, &session);
    supervise(&path.display().to_string(), PATIENCE, work).map_err(|lost| {
        let why = match lost {
            Failure::Panicked(panic) => format!("its session panicked: {panic}"),
            Failure::Hung(patience) => format!("its session does not come back within {} s", patience.as_secs()),
            other => other.to_string(),
        };
        (FOUND_WANTING, format!("{why}; `enjamb replay --recut coalesce` shows what of"))
    })
}

fn written(name: &str, transcript: &Transcript, protocol: &Protocol, opened: &str, session: &str) -> String {
    let sessions = Sessions(|| protocol.session(None));
    let input = Cutting::from(transcript);
    let cuts = match input.len() {
        len if len <= TWO_CUTS => "Segmentations::up_to_two_cuts()",
        len if len <= ONE_CUT => "Segmentations::up_to_one_cut().and_random(1, 100)",
        _ => "Segmentations::every_byte().and_random(1, 100)",
    };
    // A transcript may be here because its messages differ from cut to cut; those of the whole are meant.
    let whole = Transcript { protocol: transcript.protocol.clone(), ..input.transcript(&[]) };
    let said = catch_unwind(AssertUnwindSafe(|| says(protocol.session(None).as_mut(), &whole, false).0));
    let mut test = format!(
        "#[test]\nfn {name}() {{\n    use enjamb_law::{{Cutting, Segmentations, Sessions, split_everywhere}};\n\n"
    );
    if split(&sessions, &input, &every_byte(&input)).is_err() {
        test = format!("// The split law does not hold of this today.\n{test}");
    }
    let text = transcript.to_string();
    let hashes = hashes(&text);
    let _ = write!(
        test,
        "    let transcript = enjamb::Transcript::parse(\n        r{hashes}\"{text}\"{hashes},\n    )\n    .unwrap();\n{opened}    \
         let session = || -> Box<dyn enjamb::Session> {{ {session} }};\n    let input = Cutting::from(&transcript);\n    \
         if let Err(violation) = split_everywhere(&Sessions(session), &input, &{cuts}) {{\n        panic!(\"{{violation}}\");\n    }}\n"
    );
    // What panics today says nothing that could be expected of it.
    if let Ok(said) = said {
        let messages: String = said.iter().map(|message| format!("\n        {:?},", message.to_string())).collect();
        let end = if said.is_empty() { "" } else { "\n    " };
        let _ = write!(
            test,
            "\n    let mut said = Vec::new();\n    let whole = input.transcript(&[]);\n    \
             whole.play(session().as_mut(), &mut |message| said.push(message.to_owned().to_string()));\n    \
             let expected: &[&str] = &[{messages}{end}];\n    assert_eq!(said, expected);\n"
        );
    }
    test.push_str("}\n");
    test
}

fn every_byte(input: &Cutting) -> Vec<usize> {
    (1..input.len()).collect()
}

/// As many hashes as a raw string of this text needs.
fn hashes(text: &str) -> String {
    let mut hashes = "#".to_owned();
    while text.contains(&format!("\"{hashes}")) {
        hashes.push('#');
    }
    hashes
}

/// The file's name as the name of a function.
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
    fn files_become_names_of_functions_each_its_own() {
        let mut names = HashSet::new();
        let names = ["redis-3f2a.txt", "a/redis-3F2a.txt", "1.txt", "ß.txt", "fn.txt"]
            .map(|path| unique(&identifier(Path::new(path)), &mut names));
        assert_eq!(
            names,
            ["replays_redis_3f2a", "replays_redis_3f2a_2", "replays_1", "replays_transcript", "replays_fn"]
        );
    }

    #[test]
    fn a_raw_string_is_never_ended_by_its_text() {
        for (text, expected) in [("a", "#"), ("\"#", "##"), ("\"## \"#", "###")] {
            assert_eq!(hashes(text), expected);
        }
    }
}
