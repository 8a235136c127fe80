//! A tap that keeps all events, and checks their order.

#![allow(dead_code, reason = "every test file uses another part of it")]

use std::collections::BTreeMap;

use enjamb::{Connection, Ending, Event, Side, Tap, Time};

/// An event of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TapEvent {
    Open,
    Chunk(Side, Vec<u8>),
    Gap(Side, u64),
    Close(Side, Ending),
    Done,
}

/// All connections, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conversations(pub(crate) BTreeMap<u64, Conversation>);

/// The events of one connection, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conversation {
    pub(crate) connection: Connection,
    pub(crate) events: Vec<(Time, TapEvent)>,
}

impl Conversations {
    fn add(&mut self, connection: &Connection, time: Time, event: TapEvent) {
        let conversation = self.0.get_mut(&connection.number).expect("opened first");
        assert_eq!(conversation.connection, *connection);
        let over = conversation.events.iter().any(|(_, event)| *event == TapEvent::Done);
        assert!(!over, "{event:?} after the end");
        if let TapEvent::Chunk(side, _) | TapEvent::Gap(side, _) | TapEvent::Close(side, _) = &event {
            assert_eq!(conversation.ending(*side), None, "{event:?} after the side's end");
        }
        conversation.events.push((time, event));
    }

    /// Returns the only connection.
    pub(crate) fn only(&self) -> &Conversation {
        assert_eq!(self.0.len(), 1, "one connection");
        &self.0[&1]
    }
}

impl Conversation {
    pub(crate) fn ending(&self, side: Side) -> Option<Ending> {
        self.events.iter().find_map(|(_, event)| match event {
            TapEvent::Close(closed, ending) if *closed == side => Some(*ending),
            _ => None,
        })
    }

    /// Returns the chunks of a side.
    pub(crate) fn chunks(&self, side: Side) -> Vec<&[u8]> {
        let chunk = |(_, event): &'_ (Time, TapEvent)| matches!(event, TapEvent::Chunk(sender, _) if *sender == side);
        let chunks = self.events.iter().filter(|event| chunk(event));
        chunks.map(|(_, event)| if let TapEvent::Chunk(_, bytes) = event { &bytes[..] } else { &[] }).collect()
    }

    /// Returns every byte of a side's stream, `None` where it is missing.
    pub(crate) fn stream(&self, side: Side) -> Vec<Option<u8>> {
        let mut stream = Vec::new();
        for (_, event) in &self.events {
            match event {
                TapEvent::Chunk(sender, bytes) if *sender == side => stream.extend(bytes.iter().copied().map(Some)),
                TapEvent::Gap(sender, missing) if *sender == side => {
                    stream.extend((0..*missing).map(|_| None));
                }
                _ => {}
            }
        }
        stream
    }
}

impl Tap for Conversations {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        match event {
            Event::Open => {
                assert_eq!(connection.number, self.0.len() as u64 + 1, "numbered in order");
                self.0.insert(
                    connection.number,
                    Conversation { connection: *connection, events: vec![(time, TapEvent::Open)] },
                );
            }
            Event::Chunk { side, bytes } => {
                assert!(!bytes.is_empty(), "a chunk is never empty");
                self.add(connection, time, TapEvent::Chunk(side, bytes.to_vec()));
            }
            Event::Gap { side, missing } => {
                let begins = !self.0[&connection.number]
                    .events
                    .iter()
                    .any(|(_, event)| matches!(event, TapEvent::Chunk(of, _) | TapEvent::Gap(of, _) if *of == side));
                assert!(missing > 0 || begins, "a gap is empty only where the stream was joined late");
                self.add(connection, time, TapEvent::Gap(side, missing));
            }
            Event::Close { side, ending } => self.add(connection, time, TapEvent::Close(side, ending)),
            Event::Done => self.add(connection, time, TapEvent::Done),
        }
    }
}
