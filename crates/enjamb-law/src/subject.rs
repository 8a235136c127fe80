//! What is put under a law.

use std::fmt::Debug;

use enjamb::{End, Ending, Machine, Message, OwnedMessage, Session, Side};

use crate::cutting::Event;

/// Something that is fed events and says things. A law makes a fresh one for every run.
pub trait Subject {
    /// What it says. Two runs agree when they say the same things in the same order.
    type Said: PartialEq + Debug;

    /// Feeds a fresh subject with `events`, and gives all it says to `out`.
    fn run<'a>(&self, events: &mut dyn Iterator<Item = (Side, Event<'a>)>, out: &mut dyn FnMut(Self::Said));

    /// Does a fresh subject say all of `expected` and nothing else? Compared as it comes; a subject overrides this where it can do so without
    /// making what it compares.
    fn says<'a>(&self, events: &mut dyn Iterator<Item = (Side, Event<'a>)>, expected: &[Self::Said]) -> bool {
        let mut expected = expected.iter();
        let mut same = true;
        self.run(events, &mut |said| same &= expected.next() == Some(&said));
        same && expected.next().is_none()
    }
}

/// A constructor of machines. A machine reads one side: chunks of both are fed to it alike, and a gap is not told.
#[derive(Clone, Copy, Debug)]
pub struct Machines<F>(pub F);

/// What a machine says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said<E, F> {
    /// An event, and how far into the stream the events then reach.
    Event(E, u64),
    /// It failed. Nothing is fed after that.
    Failed(F),
    /// How the end of the stream found it.
    End(End),
}

impl<F, M> Subject for Machines<F>
where
    F: Fn() -> M,
    M: Machine,
    M::Event: PartialEq + Debug,
    M::Error: PartialEq + Debug,
{
    type Said = Said<M::Event, M::Error>;

    fn run<'a>(&self, events: &mut dyn Iterator<Item = (Side, Event<'a>)>, out: &mut dyn FnMut(Self::Said)) {
        let mut machine = (self.0)();
        for (_, event) in events {
            let Event::Chunk(mut chunk) = event else {
                continue;
            };
            loop {
                match machine.next(&mut chunk) {
                    Ok(Some(event)) => out(Said::Event(event, machine.offset())),
                    Ok(None) => break,
                    Err(error) => {
                        out(Said::Failed(error));
                        return;
                    }
                }
            }
        }
        let end = machine.close(&mut |event| out(Said::Event(event, 0)));
        out(end.map_or_else(Said::Failed, Said::End));
    }
}

/// A constructor of sessions. Sides that the input does not close are closed at its end.
#[derive(Clone, Copy, Debug)]
pub struct Sessions<F>(pub F);

impl<F: Fn() -> Box<dyn Session>> Sessions<F> {
    fn play<'a>(&self, events: &mut dyn Iterator<Item = (Side, Event<'a>)>, out: &mut dyn FnMut(&Message<'_>)) {
        let mut session = (self.0)();
        let mut open = [true; 2];
        for (side, event) in events {
            match event {
                _ if !open[side.index()] => {}
                Event::Chunk(bytes) => session.feed(side, bytes, out),
                Event::Gap(missing) => session.gap(side, missing, out),
                Event::Close(ending) => {
                    open[side.index()] = false;
                    session.close(side, ending, out);
                }
            }
        }
        for side in Side::BOTH {
            if open[side.index()] {
                session.close(side, Ending::Lost, out);
            }
        }
    }
}

impl<F: Fn() -> Box<dyn Session>> Subject for Sessions<F> {
    type Said = OwnedMessage;

    fn run<'a>(&self, events: &mut dyn Iterator<Item = (Side, Event<'a>)>, out: &mut dyn FnMut(OwnedMessage)) {
        self.play(events, &mut |message| out(message.to_owned()));
    }

    fn says<'a>(&self, events: &mut dyn Iterator<Item = (Side, Event<'a>)>, expected: &[OwnedMessage]) -> bool {
        let mut expected = expected.iter();
        let mut same = true;
        self.play(events, &mut |message| same &= expected.next().is_some_and(|expected| message == expected));
        same && expected.next().is_none()
    }
}
