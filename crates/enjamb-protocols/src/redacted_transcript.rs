//! Transcripts without secrets.

use enjamb::transcript::Content;
use enjamb::{Session, Side, Span, Transcript};

use crate::secrets::redact;

/// A range of a side's stream, and the bytes that replace it.
struct Replacement {
    side: Side,
    offset: u64,
    bytes: Vec<u8>,
}

/// The bytes of one side, in runs without a gap.
#[derive(Default)]
struct Stream {
    runs: Vec<(u64, Vec<u8>)>,
    end: u64,
}

impl Stream {
    fn push(&mut self, bytes: &[u8]) {
        match self.runs.last_mut() {
            Some((offset, run)) if *offset + run.len() as u64 == self.end => run.extend_from_slice(bytes),
            _ => self.runs.push((self.end, bytes.to_vec())),
        }
        self.end += bytes.len() as u64;
    }

    fn skip(&mut self, missing: u64) {
        self.end = self.end.saturating_add(missing);
    }

    /// Returns the bytes of a message up to its first gap.
    fn get(&self, span: Span) -> &[u8] {
        let run = self.runs.iter().rfind(|(offset, _)| *offset <= span.offset);
        let bytes = run.and_then(|(offset, run)| run.get(usize::try_from(span.offset - offset).ok()?..));
        let bytes = bytes.unwrap_or_default();
        &bytes[..bytes.len().min(usize::try_from(span.length).unwrap_or(usize::MAX))]
    }
}

/// Overwrites the secrets in a transcript with `*`. Lengths stay, so `session` and any other of its
/// protocol parses it as before.
pub fn redact_transcript(transcript: &mut Transcript, session: &mut dyn Session) {
    let mut streams = [Stream::default(), Stream::default()];
    for entry in &transcript.entries {
        let stream = &mut streams[entry.side.index()];
        match &entry.content {
            Content::Chunk(bytes) => stream.push(bytes),
            Content::Gap(missing) => stream.skip(*missing),
            Content::Close(_) => {}
        }
    }
    let mut replacements = Vec::new();
    transcript.play(session, &mut |message| {
        let bytes = streams[message.side.index()].get(message.span);
        let mut copy = Vec::new();
        if redact(message, bytes, &mut copy) {
            replacements.push(Replacement { side: message.side, offset: message.span.offset, bytes: copy });
        }
    });
    let mut offsets = [0u64; 2];
    for entry in &mut transcript.entries {
        let offset = &mut offsets[entry.side.index()];
        let bytes = match &mut entry.content {
            Content::Chunk(bytes) => bytes,
            Content::Gap(missing) => {
                *offset += *missing;
                continue;
            }
            Content::Close(_) => continue,
        };
        for replacement in replacements.iter().filter(|replacement| replacement.side == entry.side) {
            for (at, byte) in bytes.iter_mut().enumerate() {
                let place = (*offset + at as u64).checked_sub(replacement.offset);
                if let Some(new) = place.and_then(|place| replacement.bytes.get(usize::try_from(place).ok()?)) {
                    *byte = *new;
                }
            }
        }
        *offset += bytes.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;

    #[test]
    fn a_secret_is_overwritten_however_it_was_cut() {
        let text = "enjamb transcript 1\nprotocol redis\n@0 client\n  \"PING\\r\\nAUTH hun\"\n@0 client\n  \"ter2\\r\\nPING\\r\\n\"\n";
        let mut transcript = Transcript::parse(text).unwrap();
        let redis = Registry::builtin().resolve("redis").unwrap();
        redact_transcript(&mut transcript, redis.session(None).as_mut());
        let text = transcript.to_string();
        assert!(!text.contains("hun") && !text.contains("ter2") && text.contains("AUTH ***"), "{text}");
        assert_eq!(text.matches("PING").count(), 2);
    }
}
