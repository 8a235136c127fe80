//! The pieces that may be written: the smallest conversation of each signature.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::pieces::Piece;
use crate::signature::{collapsed, transitions};

/// The maximum number of text bytes of all candidates together. Further signatures are left out,
/// and counted.
const HELD_MAX: usize = 256 << 20;

/// A conversation that may be written.
pub(crate) struct Candidate {
    steps: Vec<String>,
    payload: usize,
    protocol: String,
    pub(crate) kinds: BTreeSet<String>,
    /// The content of the file.
    pub(crate) text: String,
}

/// The smallest conversation of each signature.
#[derive(Default)]
pub(crate) struct Candidates {
    by_signature: HashMap<String, Candidate>,
    held: usize,
    /// The number of pieces that were added.
    pub(crate) pieces: u64,
    /// The number of pieces with the signature of another.
    pub(crate) same: u64,
    /// The number of pieces that were left out because of the limit.
    pub(crate) beyond: u64,
}

impl Candidate {
    /// Returns the name of the file for this candidate.
    pub(crate) fn file_name(&self, signature: &str) -> String {
        file_name(&self.protocol, signature)
    }
}

impl Candidates {
    /// Adds a piece, unless a smaller one has its signature.
    pub(crate) fn add(&mut self, piece: Piece) {
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
            // The choice among pieces of one size must not depend on the order of the captures.
            if (candidate.payload, &candidate.text) < (known.payload, &known.text) {
                self.by_signature.insert(signature, candidate);
            }
        } else if self.held + candidate.text.len() > HELD_MAX {
            self.beyond += 1;
        } else {
            self.held += candidate.text.len();
            self.by_signature.insert(signature, candidate);
        }
    }

    /// Returns the number of signatures.
    pub(crate) fn signatures(&self) -> usize {
        self.by_signature.len()
    }

    /// Returns the signatures and candidates to write, small ones first: all, or those with a pair
    /// of steps that no earlier one has.
    pub(crate) fn chosen(&self, all: bool) -> Vec<(&String, &Candidate)> {
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

/// Returns the text of the transcript, with its signature as a comment.
fn text(piece: &Piece, collapsed: &[String]) -> String {
    let body = piece.transcript.to_string();
    let entries = body.find("\n@").map_or(body.len(), |at| at + 1);
    let mut text = format!("{}# exercises:\n", &body[..entries]);
    for step in collapsed {
        let _ = writeln!(text, "#   {step}");
    }
    text + &body[entries..]
}

/// Returns the name of a file: the protocol, and a digest of the signature.
fn file_name(protocol: &str, signature: &str) -> String {
    let words = protocol.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut slug = words.collect::<Vec<_>>().join("-");
    slug.truncate(40);
    let digest = Sha256::digest(format!("{protocol}\n{signature}"));
    let hexadecimal: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{slug}-{hexadecimal}.txt")
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn a_file_is_named_after_its_protocol_and_signature() {
        let name = file_name("client=lines server=u8", "client line ok <16");
        assert!(name.starts_with("client-lines-server-u8-") && name.ends_with(".txt"), "{name}");
        assert_eq!(name, file_name("client=lines server=u8", "client line ok <16"));
        assert_ne!(name, file_name("client=lines server=u8", "client line ok <64"));
        assert_ne!(name, file_name("client=lines, server=u8", "client line ok <16"));
    }
}
