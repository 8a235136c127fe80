//! A transcript, parsed by a session: the messages, and the steps of its signature.

use std::collections::VecDeque;

use enjamb::transcript::Content;
use enjamb::{Ending, Message, OwnedMessage, Session, Side, Transcript};

use crate::signature::{Cut, event, step};

/// The messages of a transcript, and the steps of its signature.
pub(crate) struct ParsedTranscript {
    pub(crate) messages: Vec<OwnedMessage>,
    pub(crate) steps: Vec<String>,
}

/// Feeds a transcript to a session.
///
/// `ends`: whether the conversation ends with the transcript, so that sides which are still open
/// are lost.
pub(crate) fn parse(session: &mut dyn Session, transcript: &Transcript, ends: bool) -> ParsedTranscript {
    let mut messages = Vec::new();
    let mut steps = Vec::new();
    let mut lanes = [Lane::default(), Lane::default()];
    let mut open = [true; 2];
    let end = Side::BOTH.map(|side| (side, Content::Close(Ending::Lost)));
    let entries = transcript.entries.iter().map(|entry| (entry.side, &entry.content, true));
    for (side, content, written) in
        entries.chain(end.iter().filter(|_| ends).map(|(side, content)| (*side, content, false)))
    {
        let index = side.index();
        if !open[index] {
            continue;
        }
        if let Content::Chunk(bytes) = content {
            lanes[index].chunk(bytes.len());
        }
        let mut out = |message: &Message<'_>| {
            steps.push(step(message, lanes[message.side.index()].message(message)));
            messages.push(message.to_owned());
        };
        match content {
            Content::Chunk(bytes) => session.feed(side, bytes, &mut out),
            Content::Gap(missing) => session.gap(side, *missing, &mut out),
            Content::Close(ending) => session.close(side, *ending, &mut out),
        }
        match content {
            Content::Chunk(_) => {}
            Content::Gap(missing) => {
                lanes[index].offset = lanes[index].offset.saturating_add(*missing);
                steps.push(event(side, "gap"));
            }
            Content::Close(ending) => {
                open[index] = false;
                if written {
                    steps.push(event(side, ending.as_str()));
                }
            }
        }
    }
    ParsedTranscript { messages, steps }
}

/// The beginnings of the chunks of one side.
#[derive(Default)]
struct Lane {
    /// The number of bytes so far, the missing ones included.
    offset: u64,
    /// Offsets of chunks that no message has reached yet.
    chunks: VecDeque<u64>,
}

impl Lane {
    fn chunk(&mut self, length: usize) {
        self.chunks.push_back(self.offset);
        self.offset = self.offset.saturating_add(length as u64);
    }

    /// Returns the cuts of a message.
    fn message(&mut self, message: &Message<'_>) -> Cut {
        let (start, end) = (message.span.offset, message.span.end());
        let mut cut = Cut { inside: 0, glued: start > 0 };
        while let Some(&chunk) = self.chunks.front()
            && chunk < end
        {
            cut.inside += usize::from(chunk > start);
            cut.glued &= chunk != start;
            self.chunks.pop_front();
        }
        cut
    }
}
