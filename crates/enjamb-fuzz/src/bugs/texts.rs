//! Text, transcripts and recordings that are easily written wrong.

use enjamb::transcript::Content;
use enjamb::{Ending, Side};

use super::engine::{TextMistake, check_text_with};
use super::{PlantedBug, bug};
use crate::captures::{check_recording, record};
use crate::texts::check_transcript;

pub(super) const BUGS: &[PlantedBug] = &[
    bug!("text-each-piece", "text", "each piece is decoded on its own, so a cut destroys a character", |data| {
        check_text_with(data, TextMistake::EachPiece);
    }),
    bug!("text-across-frames", "text", "an incomplete character at the end of a frame continues in the next", |data| {
        check_text_with(data, TextMistake::AcrossFrames);
    }),
    bug!("text-whole-frame", "text", "one wrong byte makes the whole frame one replacement", |data| {
        check_text_with(data, TextMistake::WholeFrame);
    }),
    bug!("text-cut-character", "text", "a character that the limit cuts is replaced, not left out", |data| {
        check_text_with(data, TextMistake::CutCharacter);
    }),
    bug!("transcript-control", "transcripts", "the byte 7F is written as it is read, and others are not", |data| {
        check_transcript(data, |transcript| transcript.to_string().replace("\\x7f", "\\x7F "));
    }),
    bug!("transcript-empty", "transcripts", "the line of an end without bytes before it is left out", |data| {
        check_transcript(data, |transcript| {
            let mut transcript = transcript.clone();
            if matches!(transcript.entries.first(), Some(entry) if entry.content == Content::Close(Ending::Reset)) {
                transcript.entries.remove(0);
            }
            transcript.to_string()
        });
    }),
    bug!("recording-short-gap", "recordings", "a gap of one byte is not recorded", |data| {
        check_recording(data, |transcript| {
            let mut transcript = transcript.clone();
            transcript.entries.retain(|entry| entry.content != Content::Gap(1));
            record(&transcript)
        });
    }),
    bug!("recording-reset", "recordings", "a reset of the server is recorded as one of the client only", |data| {
        check_recording(data, |transcript| {
            let mut transcript = transcript.clone();
            for entry in &mut transcript.entries {
                if entry.side == Side::Server && entry.content == Content::Close(Ending::Reset) {
                    entry.content = Content::Close(Ending::Closed);
                }
            }
            record(&transcript)
        });
    }),
    bug!("recording-end-first", "recordings", "the end of a side overtakes a chunk of one byte", |data| {
        check_recording(data, |transcript| {
            let mut transcript = transcript.clone();
            let is_short = |content: &Content| matches!(content, Content::Chunk(bytes) if bytes.len() == 1);
            for at in 1..transcript.entries.len() {
                let (before, entry) = (&transcript.entries[at - 1], &transcript.entries[at]);
                if is_short(&before.content) && matches!(entry.content, Content::Close(_)) {
                    transcript.entries.swap(at - 1, at);
                }
            }
            record(&transcript)
        });
    }),
];
