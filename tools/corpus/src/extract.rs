//! `enjamb corpus extract`: one conversation of each kind, as files.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use enjamb_capture::Options;
use enjamb_protocols::Registry;
use enjamb_replay::{Inputs, Spoken, read_each};
use sha2::{Digest as _, Sha256};

use crate::pieces::{LeftOut, Piece};
use crate::signature::{collapsed, transitions};
use crate::talks::{Reading, Talks};
use crate::{ExtractArguments, FOUND_WANTING, NOTHING_READ, WRONG_USAGE};

/// How much text is held of conversations that may be written, in bytes. Those of other signatures beyond it are left out, and counted.
const MOST_HELD: usize = 256 << 20;

/// A conversation that may be written.
struct Candidate {
    steps: Vec<String>,
    payload: usize,
    protocol: String,
    kinds: BTreeSet<String>,
    text: String,
}

/// The smallest conversation of each signature.
#[derive(Default)]
struct Candidates {
    by_signature: HashMap<String, Candidate>,
    held: usize,
    pieces: u64,
    same: u64,
    beyond: u64,
}

impl Candidates {
    fn add(&mut self, piece: Piece) {
        self.pieces += 1;
        let collapsed = collapsed(&piece.steps);
        let payload = piece.transcript.payload_len();
        let signature = collapsed.join("; ");
        let known = self.by_signature.get(&signature);
        self.same += u64::from(known.is_some());
        if known.is_some_and(|known| known.payload < payload) {
            return;
        }
        let candidate = Candidate {
            payload,
            protocol: piece.transcript.protocol.clone().unwrap_or_default(),
            text: text(&piece, &collapsed),
            steps: piece.steps,
            kinds: piece.kinds,
        };
        if let Some(known) = known {
            // Which of equals is kept does not depend on the order of the captures.
            if (candidate.payload, &candidate.text) < (known.payload, &known.text) {
                self.by_signature.insert(signature, candidate);
            }
        } else if self.held + candidate.text.len() > MOST_HELD {
            self.beyond += 1;
        } else {
            self.held += candidate.text.len();
            self.by_signature.insert(signature, candidate);
        }
    }

    /// The ones to write, small ones first: those that take a step which none before them takes, or `all`.
    fn chosen(&self, all: bool) -> Vec<(&String, &Candidate)> {
        let mut sorted: Vec<_> = self.by_signature.iter().collect();
        sorted.sort_by_key(|(signature, candidate)| (candidate.payload, *signature));
        let mut taken = HashSet::new();
        sorted.retain(|(_, candidate)| {
            let new = transitions(&candidate.steps).filter(|transition| taken.insert(transition.clone())).count();
            all || new > 0
        });
        sorted
    }
}

/// The transcript, with what it exercises as comments.
fn text(piece: &Piece, collapsed: &[String]) -> String {
    let body = piece.transcript.to_string();
    let entries = body.find("\n@").map_or(body.len(), |at| at + 1);
    let mut text = format!("{}# exercises:\n", &body[..entries]);
    for step in collapsed {
        let _ = writeln!(text, "#   {step}");
    }
    text + &body[entries..]
}

/// Stable: the protocol, and a digest of the signature.
fn file_name(protocol: &str, signature: &str) -> String {
    let words = protocol.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut slug = words.collect::<Vec<_>>().join("-");
    slug.truncate(40);
    let digest = Sha256::digest(format!("{protocol}\n{signature}"));
    let hexadecimal: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{slug}-{hexadecimal}.txt")
}

/// Writes a new file; `false` where one of this name is there.
fn write(folder: &Path, name: &str, text: &str) -> anyhow::Result<bool> {
    let path = folder.join(name);
    match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
    .with_context(|| format!("--out: {} cannot be written", path.display()))
}

/// Reads captures, and writes what they exercise.
pub(crate) fn run(arguments: &ExtractArguments, registry: &Registry) -> anyhow::Result<ExitCode> {
    let protocol = match registry.resolve(&arguments.protocol) {
        Ok(protocol) => protocol,
        Err(error) => {
            eprintln!("enjamb corpus: --protocol: {error}");
            return Ok(ExitCode::from(WRONG_USAGE));
        }
    };
    let folder = &arguments.out;
    std::fs::create_dir_all(folder).with_context(|| format!("--out: {} cannot be made a folder", folder.display()))?;
    let spoken = Arc::new(Spoken::new(registry.clone(), &arguments.protocol, protocol));
    let mut candidates = Candidates::default();
    let reading = Reading {
        registry: Arc::new(registry.clone()),
        spoken: Arc::clone(&spoken),
        most: arguments.max_size,
        patience: Duration::from_secs(arguments.hung_after),
    };
    let mut talks = Talks::new(reading, |piece| candidates.add(piece));
    let inputs = Inputs::find(&arguments.captures);
    let totals = read_each("enjamb corpus", &inputs, &Options::default(), &spoken, &mut talks, |talks, input| {
        talks.source = input.name().into();
    });
    let Talks { conversations, left_out, mut kinds, lost, not_tried, .. } = talks;
    if totals.nothing_read() {
        return Ok(ExitCode::from(NOTHING_READ));
    }
    let chosen = candidates.chosen(arguments.all);
    let (mut written, mut there) = (0u64, 0u64);
    for (signature, candidate) in chosen.iter().take(arguments.max_files) {
        kinds.retain(|kind| !candidate.kinds.contains(kind));
        match write(folder, &file_name(&candidate.protocol, signature), &candidate.text)? {
            true => written += 1,
            false => there += 1,
        }
    }
    let told = Told {
        conversations,
        pieces: candidates.pieces,
        signatures: candidates.by_signature.len() as u64,
        same: candidates.same,
        chosen: chosen.len() as u64,
        beyond: candidates.beyond + (chosen.len() as u64).saturating_sub(arguments.max_files as u64),
        written,
        there,
        left_out,
        missing: kinds,
        lost,
        not_tried,
    };
    let code = if told.lost.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FOUND_WANTING) };
    let mut out = io::stdout().lock();
    match write!(out, "{totals}{}", told.lines(arguments)) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(code),
    }
}

/// How many things of a kind are named.
const MOST_NAMED: usize = 10;

/// What came of it.
struct Told {
    conversations: u64,
    pieces: u64,
    signatures: u64,
    /// Pieces whose signature another one has.
    same: u64,
    chosen: u64,
    beyond: u64,
    written: u64,
    there: u64,
    left_out: LeftOut,
    /// The kinds of messages that were heard and are in none of the files.
    missing: BTreeSet<String>,
    /// Conversations whose sessions were lost, and why.
    lost: Vec<(String, String)>,
    not_tried: u64,
}

impl Told {
    fn lines(&self, arguments: &ExtractArguments) -> String {
        let counted = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let folder = arguments.out.display();
        let mut text = format!(
            "{}, {} that stand by themselves, {}: {} written to {folder}\n",
            counted(self.conversations, "conversation"),
            counted(self.pieces, "piece"),
            counted(self.signatures, "signature"),
            counted(self.written, "file"),
        );
        let LeftOut { silent, large, dependent, unknown } = self.left_out;
        let most = arguments.max_size;
        for (count, what, why) in [
            (self.same, "piece", "with the signature of another, of which the smallest is kept".to_owned()),
            (
                self.signatures - self.chosen,
                "signature",
                "without a step behind another that others do not have: --all writes them too".to_owned(),
            ),
            (self.there, "file", "there already and left alone".to_owned()),
            (self.beyond, "signature", "beyond the limits: --max-files takes more".to_owned()),
            (silent, "conversation", "without a byte".to_owned()),
            (
                large,
                "part",
                format!("of more than {most} bytes from one idle moment to the next: --max-size takes more"),
            ),
            (
                dependent,
                "piece",
                "left out that says something else without what came before: --max-size keeps them together".to_owned(),
            ),
            (unknown, "conversation", "in no protocol that is known: --protocol says one".to_owned()),
            (self.not_tried, "conversation", "not tried, since sessions failed too badly too often".to_owned()),
        ] {
            if count > 0 {
                let _ = writeln!(text, "  {} {why}", counted(count, what));
            }
        }
        let more = |text: &mut String, count: usize| {
            if let Some(more) = count.checked_sub(MOST_NAMED).filter(|more| *more > 0) {
                let _ = writeln!(text, "    and {more} more");
            }
        };
        if !self.missing.is_empty() {
            let kinds = counted(self.missing.len() as u64, "kind");
            let _ = writeln!(text, "  {kinds} of message in none of the files, since what has them was left out:");
            for kind in self.missing.iter().take(MOST_NAMED) {
                let _ = writeln!(text, "    {kind}");
            }
            more(&mut text, self.missing.len());
        }
        if !self.lost.is_empty() {
            let lost = counted(self.lost.len() as u64, "conversation");
            let _ = writeln!(
                text,
                "  {lost} left out where the session failed; `enjamb replay --recut coalesce` shows what it failed on:"
            );
            for (title, why) in self.lost.iter().take(MOST_NAMED) {
                let _ = writeln!(text, "    {title}: {why}");
            }
            more(&mut text, self.lost.len());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn a_file_is_named_after_its_protocol_and_what_it_exercises() {
        let name = file_name("client=lines server=u8", "client line ok <16");
        assert!(name.starts_with("client-lines-server-u8-") && name.ends_with(".txt"), "{name}");
        assert_eq!(name, file_name("client=lines server=u8", "client line ok <16"));
        assert_ne!(name, file_name("client=lines server=u8", "client line ok <64"));
        assert_ne!(name, file_name("client=lines, server=u8", "client line ok <16"));
    }
}
