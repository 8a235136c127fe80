//! A recorded conversation, made ready to be played: the steps of the side that is played, and what the other side said.
//!
//! What the played side awaits before a step is what the capture shows of its peer before it: so many messages, or, where the peer's bytes are not messages of a known
//! protocol, so many bytes; and the end of its stream. A message in progress is not awaited.

use std::time::Duration;

use enjamb::transcript::{Content, Entry};
use enjamb::{Ending, Side, Time};
use enjamb_net::{Action, PlayObserver, Step};
use enjamb_protocols::Protocol;

use crate::conversations::Conversation;
use crate::listening::{Heard, Listening};
use crate::sources::Spoken;

/// How much of the peer has been seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cue {
    /// Messages that were whole.
    pub(crate) messages: usize,
    /// Bytes behind the last of them, where the session does not read them.
    pub(crate) beyond: u64,
    /// Had it ended its stream?
    pub(crate) ended: bool,
}

/// A conversation that can be played.
pub(crate) struct Recorded {
    pub(crate) conversation: Conversation,
    /// What it speaks, for the live session too.
    pub(crate) protocol: std::sync::Arc<Protocol>,
    pub(crate) heard: Heard,
    /// In order; the numbers are places among all that was recorded, and not dense yet.
    pub(crate) steps: Vec<Step<Cue>>,
}

impl Recorded {
    /// Of `side`'s part in `conversation`. Times count from `began`.
    ///
    /// # Errors
    /// Which conversation cannot be played, and why.
    pub(crate) fn new(conversation: Conversation, spoken: &Spoken, side: Side, began: Time) -> Result<Self, String> {
        if let Some(length) = conversation.dropped {
            return Err(format!("{}: of its {length} bytes and more not all could be kept", conversation.title()));
        }
        if let Some(what) = not_to_be_played(&conversation.transcript.entries, side) {
            return Err(format!("{}: {what}", conversation.title()));
        }
        let port = conversation.connection.server.port();
        let mut listening = Listening::new(conversation.protocol.session(Some(port)));
        conversation.transcript.entries.iter().for_each(|entry| hear(&mut listening, entry));
        let heard = listening.finish();
        let protocol = match &heard.protocol {
            Some(name) => spoken.settled(&conversation.protocol, name),
            None => conversation.protocol.clone(),
        };
        let steps = steps(&conversation, &protocol, &heard, side, began);
        Ok(Self { conversation, protocol, heard, steps })
    }
}

fn not_to_be_played(entries: &[Entry], side: Side) -> Option<String> {
    let mut offset = 0;
    for entry in entries.iter().filter(|entry| entry.side == side) {
        match &entry.content {
            Content::Chunk(bytes) => offset += bytes.len(),
            Content::Gap(missing) => {
                return Some(format!(
                    "{missing} bytes of the {side} are missing in the recording, behind byte {offset}"
                ));
            }
            Content::Close(_) => {}
        }
    }
    let speaks = |entry: &Entry| matches!(entry.content, Content::Chunk(_));
    (!entries.iter().any(speaks)).then(|| "it carries no data".to_owned())
}

fn hear(listening: &mut Listening, entry: &Entry) {
    match &entry.content {
        Content::Chunk(bytes) => listening.chunk(entry.side, bytes),
        Content::Gap(missing) => listening.gap(entry.side, *missing),
        Content::Close(ending) => listening.close(entry.side, *ending),
    }
}

fn steps(conversation: &Conversation, protocol: &Protocol, heard: &Heard, side: Side, began: Time) -> Vec<Step<Cue>> {
    let Conversation { connection, opened, transcript, order: (opened_at, order), .. } = conversation;
    let unread_from = heard.unread_from(!side);
    let mut listening = Listening::new(protocol.session(Some(connection.server.port())));
    let mut seen = Cue::default();
    let place = |order: u64| usize::try_from(order).unwrap_or(usize::MAX);
    let after = |time: Time| time.since(began);
    let mut steps = vec![Step { number: place(*opened_at), at: after(*opened), action: Action::Open }];
    for (entry, order) in transcript.entries.iter().zip(order) {
        hear(&mut listening, entry);
        let action = if entry.side == side {
            match &entry.content {
                Content::Chunk(bytes) => Action::Send(bytes.clone()),
                Content::Close(Ending::Closed) => Action::Close,
                Content::Close(Ending::Reset) => Action::Reset,
                Content::Close(Ending::Lost) | Content::Gap(_) => continue,
            }
        } else {
            let length = listening.heard.length(!side);
            // What is said when the stream ends may be the end of a message, or what was not read: neither is awaited beside the end itself.
            let ended = matches!(entry.content, Content::Close(Ending::Closed | Ending::Reset));
            let messages = if ended || matches!(entry.content, Content::Close(_)) {
                seen.messages
            } else {
                listening.heard.messages[(!side).index()].len()
            };
            let beyond = unread_from.map_or(0, |from| length.saturating_sub(from));
            let cue = Cue { messages, beyond, ended: seen.ended || ended };
            if cue == seen {
                continue;
            }
            seen = cue.clone();
            Action::Await(cue)
        };
        steps.push(Step { number: place(*order), at: after(entry.time), action });
    }
    steps
}

/// A recorded side, played to a live peer.
pub(crate) struct Player {
    side: Side,
    listening: Listening,
    /// What was awaited in vain.
    forgiven: Cue,
    /// How often something was awaited in vain while the peer was there.
    pub(crate) silences: usize,
}

impl Player {
    pub(crate) fn new(side: Side, recorded: &Recorded) -> Self {
        let port = recorded.conversation.connection.server.port();
        let listening = Listening::new(recorded.protocol.session(Some(port)));
        Self { side, listening, forgiven: Cue::default(), silences: 0 }
    }

    pub(crate) fn finish(self) -> Heard {
        self.listening.finish()
    }

    fn seen(&self) -> Cue {
        let peer = !self.side;
        let heard = &self.listening.heard;
        Cue {
            messages: heard.messages[peer.index()].len(),
            beyond: heard.beyond(peer),
            ended: heard.endings[peer.index()].is_some(),
        }
    }
}

impl PlayObserver for Player {
    type Cue = Cue;

    fn side(&self) -> Side {
        self.side
    }

    fn chunk(&mut self, side: Side, bytes: &[u8]) {
        self.listening.chunk(side, bytes);
    }

    fn close(&mut self, side: Side, ending: Ending) {
        self.listening.close(side, ending);
    }

    fn has_reached(&self, cue: &Cue) -> bool {
        let Cue { messages, beyond, ended } = self.seen();
        let messages = messages + self.forgiven.messages;
        messages >= cue.messages
            && (messages > cue.messages || beyond.saturating_add(self.forgiven.beyond) >= cue.beyond)
            && (!cue.ended || ended || self.forgiven.ended)
    }

    fn give_up(&mut self, cue: &Cue) {
        let Cue { messages, beyond, ended } = self.seen();
        self.silences += usize::from(!ended);
        let forgiven = &mut self.forgiven;
        forgiven.messages = forgiven.messages.max(cue.messages.saturating_sub(messages));
        forgiven.beyond = forgiven.beyond.max(cue.beyond.saturating_sub(beyond));
        forgiven.ended |= cue.ended;
    }
}

/// When the first of them was opened: times of a capture may run backwards.
pub(crate) fn began(conversations: &[Conversation]) -> Time {
    conversations.iter().map(|conversation| conversation.opened).min().unwrap_or_default()
}

/// How long after the beginning of the recording it was opened.
pub(crate) fn opened_after(recorded: &Recorded) -> Duration {
    recorded.steps.first().map_or(Duration::ZERO, |step| step.at)
}
