//! Functions that the tests of the protocols share.

use enjamb::{Ending, Session, Side};

use crate::kit::{Conversation, Rules};
use crate::registry::Registry;

pub(super) const C: Side = Side::Client;
pub(super) const S: Side = Side::Server;

/// Returns the messages of a conversation, one a line. They are the same if every byte comes alone.
pub(super) fn lines<B: AsRef<[u8]>>(protocol: &str, turns: &[(Side, B)]) -> Vec<String> {
    let whole = played(protocol, turns, usize::MAX);
    assert_eq!(whole, played(protocol, turns, 1), "byte by byte");
    assert_eq!(whole, played(protocol, turns, 7), "in chunks of 7 bytes");
    whole
}

fn played<B: AsRef<[u8]>>(protocol: &str, turns: &[(Side, B)], chunk: usize) -> Vec<String> {
    let mut session = Registry::builtin().resolve(protocol).unwrap().session(None);
    let mut lines = Vec::new();
    for (side, bytes) in turns {
        for chunk in bytes.as_ref().chunks(chunk) {
            session.feed(*side, chunk, &mut |message| lines.push(message.to_owned().to_string()));
        }
    }
    for side in Side::BOTH {
        session.close(side, Ending::Closed, &mut |message| lines.push(message.to_owned().to_string()));
    }
    lines
}

/// Returns the messages of a side that a capture joined in the middle.
pub(super) fn lines_midstream(protocol: &str, side: Side, bytes: &[u8]) -> Vec<String> {
    let mut session = Registry::builtin().resolve(protocol).unwrap().session(None);
    let mut lines = Vec::new();
    session.gap(side, 0, &mut |_| {});
    session.feed(side, bytes, &mut |message| lines.push(message.to_owned().to_string()));
    session.close(side, Ending::Closed, &mut |message| lines.push(message.to_owned().to_string()));
    lines
}

/// Returns the summaries of the messages of a conversation by these rules, each with the number of
/// the request that it answers. The bytes come in chunks of three.
pub(super) fn summaries(rules: impl Rules, turns: &[(Side, &[u8])]) -> Vec<String> {
    let mut session = Conversation::new(rules);
    let mut lines = Vec::new();
    for (side, bytes) in turns {
        for chunk in bytes.chunks(3) {
            session.feed(*side, chunk, &mut |message| {
                let answers = message.answers.map_or(String::new(), |answers| format!(" #{answers}"));
                lines.push(format!("{}{answers}", message.summary));
            });
        }
    }
    lines
}
