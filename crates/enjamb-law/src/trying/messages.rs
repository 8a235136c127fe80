//! The laws about whole messages: end, alone and round trip.

use std::cell::Cell;

use crate::definition::Laws;
use crate::inputs;
use crate::laws::{alone, alone_after, end, end_between, round_trip};
use crate::script::Case;
use crate::subject::{Comparable, Subject};
use crate::verdict::Tally;

use super::Failure;

/// The longest derived message that is tried together with others, in bytes.
const SHORT_DERIVED_MAX: usize = 512;

/// The longest stream that is cut off behind each of its bytes, in bytes.
const END_BYTES_MAX: usize = 64 << 10;

impl<S> Laws<S>
where
    S: Subject<Event: Comparable, Error: Comparable> + Send + Sync + 'static,
{
    pub(super) fn end(&self) -> Result<Tally, Failure> {
        let all = inputs::within(&self.grammar.messages, 2 << 10);
        // The law tries the message cut off behind each byte, so the time grows with the square of
        // its length.
        let length: usize = all.iter().map(|message| message.len()).sum();
        if length > END_BYTES_MAX {
            return Err(Failure::NotTried(format!(
                "the first message has {length} bytes, and {END_BYTES_MAX} are the most: give a shorter one first"
            )));
        }
        let streams = if self.one_message { all.chunks(1).collect() } else { vec![&all[..]] };
        for messages in &streams {
            match self.drops_unfinished {
                Some(_) => end_between(&self.subject, messages)?,
                None => end(&self.subject, messages)?,
            }
        }
        Ok(Tally { inputs: streams.len(), runs: length })
    }

    pub(super) fn alone(&self) -> Result<Tally, Failure> {
        const MOST: usize = 16;
        let messages: Vec<&[u8]> = self.grammar.messages.iter().take(MOST).map(Vec::as_slice).collect();
        let mut tried = Tally::default();
        for first in &messages {
            for second in &messages {
                alone(&self.subject, &[first, second])?;
                tried += Tally::one(3);
            }
        }
        alone(&self.subject, &messages)?;
        tried += Tally::one(messages.len() + 1);
        let next = inputs::shortest(&self.grammar.messages);
        for message in self.derived().iter().filter(|message| message.len() <= SHORT_DERIVED_MAX) {
            alone(&self.subject, &[message, next])?;
            tried += Tally::one(3);
        }
        tried += self.alone_after_errors()?;
        Ok(tried)
    }

    /// Tries messages after one that is refused: for a byte in its payload, or for its length. The
    /// framing of such a message is right, so a subject that goes on finds the next one.
    pub(super) fn alone_after_errors(&self) -> Result<Tally, Failure> {
        const BAD_BYTES: [u8; 5] = [0xff, 0x80, 0, 1, 0x7f];
        const OVER_LONG: [usize; 5] = [100, 300, 1_100, 9_000, 20_000];
        let subject = &self.subject;
        let mut tried = Tally::default();
        for stretch in self.stretches() {
            let good = stretch.message(0);
            let mut refused: Vec<Vec<u8>> = BAD_BYTES.iter().map(|byte| stretch.filled(1, *byte)).collect();
            if !stretch.has_length() {
                let declared = self.bound.map(|bound| bound.limit + 1).filter(|len| *len <= 64 << 10);
                let lens = OVER_LONG.into_iter().chain(declared);
                refused.extend(
                    lens.filter_map(|len| Some(stretch.message(stretch.more_for(len)[0].filter(|more| *more > 0)?))),
                );
            }
            for refused in refused {
                alone_after(subject, &refused, &good)?;
                tried += Tally::one(4);
            }
        }
        Ok(tried)
    }

    pub(super) fn round_trip(&self) -> Result<Tally, Failure> {
        let Some(encode) = &self.encode else {
            return Ok(Tally::default());
        };
        let encoded = Cell::new(false);
        let encode = |event: &S::Event| {
            let bytes = encode(event);
            encoded.set(encoded.get() || bytes.is_some());
            bytes
        };
        let mut tried = Tally::default();
        for message in &self.grammar.messages {
            round_trip(&self.subject, message, self.canonical, encode)?;
            tried += Tally::one(2);
        }
        for Case { input, .. } in self.chance().cases(&self.grammar(), self.case_count()) {
            round_trip(&self.subject, &input.bytes(), false, encode)?;
            tried += Tally::one(2);
        }
        if !encoded.get() {
            return Err(Failure::NotTried("the encoder encodes none of the events".to_owned()));
        }
        Ok(tried)
    }
}
