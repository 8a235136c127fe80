//! A tap that remembers, and checks what every tap may rely on.

#![allow(dead_code, reason = "every test file uses another part of it")]

use std::collections::BTreeMap;

use enjamb::{Connection, Ending, Event, Side, Tap, Time};

/// What a tap was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Open,
    Chunk(Side, Vec<u8>),
    Gap(Side, u64),
    Close(Side, Ending),
    Done,
}

/// All connections, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conversations(pub(crate) BTreeMap<u64, Conversation>);

/// What was told of one connection, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conversation {
    pub(crate) connection: Connection,
    pub(crate) told: Vec<(Time, Told)>,
}

impl Conversations {
    fn add(&mut self, connection: &Connection, time: Time, told: Told) {
        let conversation = self.0.get_mut(&connection.number).expect("opened first");
        assert_eq!(conversation.connection, *connection);
        let over = conversation.told.iter().any(|(_, told)| *told == Told::Done);
        assert!(!over, "{told:?} after the end");
        if let Told::Chunk(side, _) | Told::Gap(side, _) | Told::Close(side, _) = &told {
            assert_eq!(conversation.ending(*side), None, "{told:?} after the side's end");
        }
        conversation.told.push((time, told));
    }

    /// The only connection.
    pub(crate) fn only(&self) -> &Conversation {
        assert_eq!(self.0.len(), 1, "one connection");
        &self.0[&1]
    }
}

impl Conversation {
    pub(crate) fn ending(&self, side: Side) -> Option<Ending> {
        self.told.iter().find_map(|(_, told)| match told {
            Told::Close(closed, ending) if *closed == side => Some(*ending),
            _ => None,
        })
    }

    /// The chunks of a side.
    pub(crate) fn chunks(&self, side: Side) -> Vec<&[u8]> {
        let chunk = |(_, told): &'_ (Time, Told)| matches!(told, Told::Chunk(speaker, _) if *speaker == side);
        let chunks = self.told.iter().filter(|told| chunk(told));
        chunks.map(|(_, told)| if let Told::Chunk(_, bytes) = told { &bytes[..] } else { &[] }).collect()
    }

    /// Every byte of a side's stream, `None` where it is missing.
    pub(crate) fn stream(&self, side: Side) -> Vec<Option<u8>> {
        let mut stream = Vec::new();
        for (_, told) in &self.told {
            match told {
                Told::Chunk(speaker, bytes) if *speaker == side => stream.extend(bytes.iter().copied().map(Some)),
                Told::Gap(speaker, missing) if *speaker == side => {
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
                    Conversation { connection: *connection, told: vec![(time, Told::Open)] },
                );
            }
            Event::Chunk { side, bytes } => {
                assert!(!bytes.is_empty(), "a chunk is never empty");
                self.add(connection, time, Told::Chunk(side, bytes.to_vec()));
            }
            Event::Gap { side, missing } => {
                let begins = !self.0[&connection.number]
                    .told
                    .iter()
                    .any(|(_, told)| matches!(told, Told::Chunk(of, _) | Told::Gap(of, _) if *of == side));
                assert!(missing > 0 || begins, "a gap is never empty but where the stream was joined");
                self.add(connection, time, Told::Gap(side, missing));
            }
            Event::Close { side, ending } => self.add(connection, time, Told::Close(side, ending)),
            Event::Done => self.add(connection, time, Told::Done),
        }
    }
}
