//! Conversations and how they are played.

use enjamb::{Ending, OwnedMessage, Session, Side};
use enjamb_protocols::http1;

/// Something that happens on one side.
#[derive(Clone, Debug)]
pub(crate) enum Turn {
    Client(Vec<u8>),
    Server(Vec<u8>),
    Gap(Side, u64),
    Close(Side, Ending),
}

pub(crate) fn c(bytes: impl AsRef<[u8]>) -> Turn {
    Turn::Client(bytes.as_ref().to_vec())
}

pub(crate) fn s(bytes: impl AsRef<[u8]>) -> Turn {
    Turn::Server(bytes.as_ref().to_vec())
}

pub(crate) fn gap(side: Side, missing: u64) -> Turn {
    Turn::Gap(side, missing)
}

pub(crate) fn fin(side: Side) -> Turn {
    Turn::Close(side, Ending::Closed)
}

/// A conversation with its messages, each as it displays.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) turns: Vec<Turn>,
    pub(crate) messages: Vec<&'static str>,
}

pub(crate) fn case(
    name: &'static str,
    turns: impl IntoIterator<Item = Turn>,
    messages: impl IntoIterator<Item = &'static str>,
) -> Case {
    Case { name, turns: turns.into_iter().collect(), messages: messages.into_iter().collect() }
}

/// Returns the messages of a conversation, each chunk cut by `cut`. Checks that little is held and
/// that the spans of each side tile its stream.
pub(crate) fn play(turns: &[Turn], mut cut: impl FnMut(usize, &[u8], &mut dyn FnMut(&[u8]))) -> Vec<OwnedMessage> {
    let mut session = http1::session();
    let mut messages = Vec::new();
    let mut tiles = [Tiles::default(), Tiles::default()];
    for (index, turn) in turns.iter().enumerate() {
        match turn {
            Turn::Client(bytes) | Turn::Server(bytes) => {
                let side = if matches!(turn, Turn::Client(_)) { Side::Client } else { Side::Server };
                cut(index, bytes, &mut |piece| {
                    session.feed(side, piece, &mut |message| messages.push(message.to_owned()));
                    assert!(session.held() < HELD_MAX, "{} bytes held", session.held());
                });
                tiles[side.index()].fed += bytes.len() as u64;
            }
            Turn::Gap(side, missing) => {
                session.gap(*side, *missing, &mut |message| messages.push(message.to_owned()));
                tiles[side.index()].hole(*missing);
            }
            Turn::Close(side, ending) => close(&mut *session, *side, *ending, &mut tiles, &mut messages),
        }
    }
    for side in Side::BOTH {
        if !tiles[side.index()].closed {
            close(&mut *session, side, Ending::Lost, &mut tiles, &mut messages);
        }
    }
    for side in Side::BOTH {
        tiles[side.index()].check(messages.iter().filter(|message| message.side == side));
    }
    messages
}

/// The maximum number of held bytes: two heads, and a queue of requests.
const HELD_MAX: usize = 2 * 80 * 1024 + 4096 * 32;

fn close(
    session: &mut dyn Session,
    side: Side,
    ending: Ending,
    tiles: &mut [Tiles; 2],
    messages: &mut Vec<OwnedMessage>,
) {
    session.close(side, ending, &mut |message| messages.push(message.to_owned()));
    tiles[side.index()].closed = true;
}

pub(crate) fn whole(turns: &[Turn]) -> Vec<OwnedMessage> {
    play(turns, |_, bytes, feed| feed(bytes))
}

/// The input of one side.
#[derive(Default)]
struct Tiles {
    fed: u64,
    holes: Vec<(u64, u64)>,
    closed: bool,
}

impl Tiles {
    fn hole(&mut self, missing: u64) {
        self.holes.push((self.fed, self.fed + missing));
        self.fed += missing;
    }

    /// Checks that the spans leave out only gaps and do not overlap.
    fn check<'m>(&self, messages: impl Iterator<Item = &'m OwnedMessage>) {
        let mut at = 0;
        for message in messages {
            assert!(message.span.offset >= at, "{message} overlaps what ends at {at}");
            self.check_lost(at, message.span.offset);
            assert!(message.span.length > 0, "{message} is empty");
            at = message.span.end();
        }
        self.check_lost(at, self.fed);
    }

    fn check_lost(&self, mut at: u64, until: u64) {
        while at < until {
            let hole = self.holes.iter().find(|(from, to)| *from <= at && at < *to);
            let (_, to) = hole.unwrap_or_else(|| panic!("byte {at} belongs to no message"));
            at = *to;
        }
        assert!(at <= until || self.holes.iter().any(|(from, to)| *from < until && until < *to) || at == until);
    }
}
