//! The naive reader's frames as text.

use enjamb::{End, InvalidUtf8};

use super::case::EngineCase;
use super::output::Output;
use super::reference::reference;

/// Returns the outputs for the whole stream, as text.
pub(crate) fn reference_text(case: &EngineCase, invalid: InvalidUtf8) -> Vec<Output<String>> {
    let mut outputs = Vec::new();
    // Where the frame in progress begins.
    let mut start = 0;
    for output in reference(case) {
        let (next, bad) = match output {
            Output::Frame { info, skipped, payload } => {
                let (text, bad) = decode(&payload, invalid, info.dropped > 0);
                let bad = bad.map(|bad| bad.error(info.start, info.end));
                start = info.end;
                (Output::Frame { info, skipped, payload: text }, bad)
            }
            Output::TooLong { start, end, max } => {
                // The bytes within the limit were delivered before, unless the length was
                // announced.
                let delivered = usize::try_from(end).map_or(&[][..], |end| &case.stream[start as usize..end]);
                let bad = decode(delivered, invalid, true).1.filter(|bad| !bad.is_cut_off);
                (Output::TooLong { start, end, max }, bad.map(|bad| bad.error(start, start)))
            }
            Output::Invalid { start, end, at, length } => (Output::Invalid { start, end, at, length }, None),
            Output::End { end, payload } => {
                // The end of the stream does not refuse a character that it cut off.
                let dropped = matches!(end, End::Truncated { have, .. } if have > payload.len() as u64);
                let (text, bad) = decode(&payload, invalid, dropped);
                let bad = bad.filter(|bad| !bad.is_cut_off).map(|bad| bad.error(start, start));
                (Output::End { end, payload: text }, bad)
            }
        };
        if let Some(bad) = bad {
            outputs.push(bad);
            return outputs;
        }
        outputs.push(next);
    }
    outputs
}

/// The first bytes that are not text.
struct Bad {
    at: usize,
    length: usize,
    /// Whether the frame ended inside a character.
    is_cut_off: bool,
}

impl Bad {
    /// Returns the error. A character that the end of the frame cut off refuses the whole frame.
    fn error(&self, start: u64, end: u64) -> Output<String> {
        let end = if self.is_cut_off { end } else { start };
        Output::Invalid { start, end, at: start + self.at as u64, length: self.length }
    }
}

/// Decodes a payload. `dropped`: a limit cut it off, so a character may be incomplete at its end.
fn decode(payload: &[u8], invalid: InvalidUtf8, dropped: bool) -> (String, Option<Bad>) {
    let mut text = String::new();
    let mut at = 0;
    for chunk in payload.utf8_chunks() {
        text.push_str(chunk.valid());
        at += chunk.valid().len();
        let length = chunk.invalid().len();
        if length == 0 {
            continue;
        }
        let ends = at + length == payload.len();
        let is_cut_off = ends && std::str::from_utf8(chunk.invalid()).is_err_and(|error| error.error_len().is_none());
        if !(is_cut_off && dropped) {
            match invalid {
                InvalidUtf8::Replace => text.push('\u{fffd}'),
                InvalidUtf8::Refuse => return (text, Some(Bad { at, length, is_cut_off })),
            }
        }
        at += length;
    }
    (text, None)
}
