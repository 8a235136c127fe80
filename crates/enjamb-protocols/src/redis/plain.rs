//! Plain messages, in a loop of their own.
//!
//! Nearly all messages of most conversations are plain: a frequent command that changes nothing,
//! and one reply of a form that it gets, both whole in one chunk. For such a message most questions
//! of the session have one answer, which does not change from one message to the next. So they are
//! asked once for a chunk here, and the framer is passed by.
//!
//! A loop ends at anything else. The session handles that message in the usual way, and then comes
//! back. Both ways emit the same messages, and a stream that arrives byte by byte is never read
//! here: so the split law compares the two.

use enjamb::{Message, Outcome, Side};

use super::Redis;
use super::attributes::CommandAttributes;
use super::excerpt::Form;
use super::glance::{self, NullSink};
use super::kinds::REPLY;
use super::name;
use super::reply::code;
use super::summary::{CommandSummary, ReplySummary};

impl Redis {
    /// Emits the plain commands at the beginning of `chunk`, and removes them from it.
    #[inline]
    pub(super) fn plain_commands(&mut self, chunk: &mut &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        let mut begun = false;
        while let Some(glance::Command { taken, arguments, name }) = glance::command(chunk, &mut NullSink) {
            let Some(known) = name::known_at(chunk, name.start, name.len()) else { break };
            let Some(shape) = known.plain else { break };
            if !begun {
                begun = self.takes_plain_commands();
                if !begun {
                    break;
                }
            }
            let Some((bytes, rest)) = chunk.split_at_checked(taken.get()) else { break };
            *chunk = rest;
            self.pairing.plain_command(shape);
            let span = self.client.skip_message(bytes.len());
            self.client.handler_mut().set(known, arguments);
            let command = self.client.handler();
            let summary = CommandSummary(command, Some(bytes));
            let attributes = &CommandAttributes { command, bytes: Some(bytes) };
            let summary = &summary;
            out(&Message { attributes, summary, ..Message::of_constant(&known.constant, Side::Client, span) });
            if !self.pairing.takes_plain_command() {
                break;
            }
        }
        if begun {
            self.client.handler_mut().clear();
        }
    }

    fn takes_plain_commands(&mut self) -> bool {
        !self.joined[Side::Client.index()]
            && self.client.is_between_messages()
            && self.client.handler().is_between_commands()
            && self.pairing.begin_plain_commands()
    }

    /// Emits the plain replies at the beginning of `chunk`, and removes them from it.
    #[inline]
    pub(super) fn plain_replies(&mut self, chunk: &mut &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        let takes = !self.joined[Side::Server.index()]
            && self.server.is_between_messages()
            && self.server.handler().is_between_replies()
            && self.pairing.takes_plain_replies();
        if !takes {
            return;
        }
        let mut begun = false;
        while let Some(glance::Reply { taken, form, text }) = glance::reply(chunk, &mut NullSink) {
            let Some((bytes, rest)) = chunk.split_at_checked(taken.get()) else { break };
            let Some(answers) = self.pairing.plain_reply(form) else { break };
            *chunk = rest;
            if !begun {
                begun = true;
                self.pairing.begin_plain_replies(self.is_asking());
            }
            let span = self.server.skip_message(bytes.len());
            let (outcome, code) = if form == Form::Error { (Outcome::Failed, code(text)) } else { (Outcome::Ok, None) };
            let summary = ReplySummary(self.server.handler(), Some(bytes));
            let answers = Some(answers);
            let summary = &summary;
            out(&Message { outcome, code, answers, summary, ..Message::of_constant(&REPLY, Side::Server, span) });
        }
    }
}
