//! One side of a conversation, played to a live peer.

use enjamb::{Ending, Side};
use enjamb_net::play::PlayObserver;

use crate::live::parsed_conversation::{ConversationParser, ParsedConversation};
use crate::live::recorded_conversation::{Cue, RecordedConversation};

/// Parses the bytes of both sides while one side is played, and decides when the next step may be
/// taken.
pub(crate) struct Player {
    side: Side,
    parser: ConversationParser,
    /// The part of the cues that the player no longer waits for.
    forgiven: Cue,
    /// The number of times that the player gave up waiting while the peer's stream was open.
    pub(crate) silences: usize,
}

impl Player {
    pub(crate) fn new(side: Side, recorded: &RecordedConversation) -> Self {
        let port = recorded.conversation.connection.server.port();
        let parser = ConversationParser::new(recorded.protocol.session(Some(port)));
        Self { side, parser, forgiven: Cue::default(), silences: 0 }
    }

    /// Returns the conversation with the live peer.
    pub(crate) fn finish(self) -> ParsedConversation {
        self.parser.finish()
    }

    /// Returns the progress of the peer.
    fn seen(&self) -> Cue {
        let peer = !self.side;
        let parsed = &self.parser.parsed;
        Cue {
            messages: parsed.messages[peer.index()].len(),
            beyond: parsed.beyond(peer),
            ended: parsed.endings[peer.index()].is_some(),
        }
    }
}

impl PlayObserver for Player {
    type Cue = Cue;

    fn side(&self) -> Side {
        self.side
    }

    fn chunk(&mut self, side: Side, bytes: &[u8]) {
        self.parser.chunk(side, bytes);
    }

    fn close(&mut self, side: Side, ending: Ending) {
        self.parser.close(side, ending);
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
