//! Subjects of the two traits of the engine: machines and sessions.

use std::fmt::{self, Debug};

use enjamb::{Ending, Machine, Message, OwnedMessage, Session, Side, Terminator};
use enjamb_isolate::catch_panic;

use crate::cutting::{Cutting, Event};
use crate::grammar::Grammar;
use crate::output::{Breach, Output};
use crate::pulse;
use crate::run::{Run, leave};
use crate::subject::Subject;

/// A constructor of machines, as a subject. A machine reads one stream: it gets the chunks of both
/// sides, and no gaps.
#[derive(Clone, Copy, Debug)]
pub struct Machines<F>(pub F);

/// An event of a machine, and the offset in the stream that the events have reached then.
#[derive(Clone, PartialEq, Eq)]
pub struct EventAt<E> {
    /// The event.
    pub event: E,
    /// [`Machine::offset`] after it.
    pub offset: u64,
}

impl<E: Debug> Debug for EventAt<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} to byte {}", self.event, self.offset)
    }
}

impl<F, M> Subject for Machines<F>
where
    F: Fn() -> M,
    M: Machine,
{
    type Event = EventAt<M::Event>;
    type Error = M::Error;

    fn run(&self, run: &mut Run<'_, EventAt<M::Event>, M::Error>) {
        let mut machine = (self.0)();
        while let Some(mut chunk) = run.next_chunk() {
            loop {
                match machine.next(&mut chunk) {
                    Ok(Some(event)) => run.event(EventAt { event, offset: machine.offset() }),
                    Ok(None) if chunk.is_empty() => break,
                    Ok(None) => {
                        run.breach(Breach::Stuck);
                        return;
                    }
                    Err(error) => {
                        if !run.fail(error) {
                            return;
                        }
                        break;
                    }
                }
            }
            run.holds(machine.held());
        }
        // The events of the end have no offset of their own: the stream has ended.
        let offset = machine.offset();
        match machine.close(&mut |event| run.event(EventAt { event, offset })) {
            Ok(end) => run.emit(Output::End(end)),
            Err(error) => {
                let _ = run.fail(error);
            }
        }
    }

    fn fuses(&self) -> bool {
        true
    }

    /// Feeds the messages byte by byte and notes the terminators that the machine waits for. If a
    /// frame of a few bytes announces the length of the next, the form of that length is noted too.
    fn vocabulary(&self, grammar: &mut Grammar) {
        for message in grammar.messages.clone() {
            let mut machine = (self.0)();
            let mut before = machine.awaits().cloned();
            for (at, byte) in message.iter().enumerate() {
                let mut chunk = std::slice::from_ref(byte);
                while let Ok(Some(_)) = machine.next(&mut chunk) {}
                let now = machine.awaits().cloned();
                if let (Some(Terminator::Length(width)), Some(Terminator::Length(length))) = (&before, &now)
                    && width != length
                    && let Some(start) = (at + 1).checked_sub(usize::try_from(width.get()).unwrap_or(usize::MAX))
                {
                    let written = &message[start..=at];
                    grammar.add_prefixes(|prefix| prefix.write(length.get()) == written);
                }
                before = now;
                match &before {
                    Some(Terminator::Delimiter(delimiter)) => grammar.add_token(delimiter.bytes().to_vec()),
                    Some(Terminator::AnyOf(delimiters)) => {
                        delimiters.delimiters().for_each(|delimiter| grammar.add_token(delimiter.to_vec()));
                    }
                    _ => {}
                }
            }
        }
    }

    fn displaced(&self, event: EventAt<M::Event>, bytes: u64) -> EventAt<M::Event> {
        EventAt { offset: event.offset + bytes, ..event }
    }
}

/// A constructor of sessions, as a subject. Sides that the input does not close are closed at its
/// end.
#[derive(Clone, Copy, Debug)]
pub struct Sessions<F>(pub F);

/// The error of a session, which never fails.
pub type Never = std::convert::Infallible;

/// Feeds a session with the events from `next`. Each call of `next` gets the number of bytes that
/// the session holds.
pub(crate) fn play<'a>(
    session: &mut dyn Session,
    mut next: impl FnMut(usize) -> Option<(Side, Event<'a>)>,
    out: &mut dyn FnMut(&Message<'_>),
) {
    let mut open = [true; 2];
    while let Some((side, event)) = next(session.held()) {
        match event {
            _ if !open[side.index()] => {}
            Event::Chunk(bytes) => session.feed(side, bytes, out),
            Event::Again => session.feed(side, &[], out),
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

impl<F: Fn() -> Box<dyn Session>> Subject for Sessions<F> {
    type Event = OwnedMessage;
    type Error = Never;

    fn run(&self, run: &mut Run<'_, OwnedMessage, Never>) {
        let run = std::cell::RefCell::new(run);
        play(
            (self.0)().as_mut(),
            |held| {
                let mut run = run.borrow_mut();
                run.holds(held);
                run.next()
            },
            &mut |message| run.borrow_mut().event(message.to_owned()),
        );
    }

    fn converses(&self) -> bool {
        true
    }

    fn open_session(&self) -> Option<Box<dyn Session>> {
        Some((self.0)())
    }

    fn displaced(&self, mut event: OwnedMessage, bytes: u64) -> OwnedMessage {
        event.span.offset += bytes;
        event
    }

    fn agrees(&self, input: &Cutting, cuts: &[usize], expected: &[Output<OwnedMessage, Never>]) -> bool {
        pulse::cuts(cuts);
        pulse::beat();
        let mut events = input.cut(cuts);
        let mut expected = expected.iter();
        let mut same = true;
        let played = catch_panic(std::panic::AssertUnwindSafe(|| {
            let next = |_| {
                pulse::given();
                events.next()
            };
            play((self.0)().as_mut(), next, &mut |message| {
                same &= matches!(expected.next(), Some(Output::Event(expected)) if message == expected);
                if !same {
                    // Further messages do not matter, and there may be no end of them.
                    leave();
                }
            });
        }));
        played.is_ok() && same && expected.next().is_none()
    }
}
