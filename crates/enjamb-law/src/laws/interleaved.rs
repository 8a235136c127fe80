//! The interleaved law: the messages of a conversation do not depend on how the chunks of its two
//! sides interleave.
//!
//! Two chunks that cross on their way reach an observer in any order, and reassembly may delay one
//! side. Only cause and effect have an order that every observer sees. So each side has one trace
//! of messages, with one answered request for each answer, under every order of the chunks that
//! keeps causes before effects.
//!
//! The causes are taken from the messages of the input as it is:
//!
//! * An answer comes behind its whole request. If it came earlier in the input, it comes behind as
//!   much of the request as there.
//! * A message of the server that answers nothing keeps its place among the messages of the client:
//!   if a request were before it, it might be the answer. This does not bind messages of the kinds
//!   `opaque`, `unparsed` and `blank`, which are no answers.
//! * A client never waits, so its chunks may all come first.
//!
//! The law needs the whole conversation. Behind a gap, and behind bytes that it cannot frame, a
//! session pairs by the order of events, since it has nothing else. An input with a gap is not
//! tried.

use std::ops::ControlFlow;

use enjamb::{OwnedMessage, Side};

use crate::cutting::{Cutting, Event};
use crate::law::Law;
use crate::laws::Coverage;
use crate::literal::{cuts_code, input_code};
use crate::machines::play;
use crate::pulse;
use crate::segmentations::Chance;
use crate::subject::Subject;
use crate::violation::{Trace, Violation};

/// The orders that [`interleaved`] tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interleavings {
    all_up_to: usize,
    random: (u64, usize),
}

impl Interleavings {
    /// All orders if there are at most `most` of them, otherwise `count` random ones. The same
    /// `seed` gives the same ones.
    #[must_use]
    pub const fn all_up_to(most: usize, seed: u64, count: usize) -> Self {
        Self { all_up_to: most, random: (seed, count) }
    }
}

/// Holds when `input`, cut at `cuts`, gives the same messages of each side under every causally
/// possible order of its chunks that is one of `interleavings`. Its segmentations are the orders
/// that were tried: none for an input with a gap, or for a subject that
/// [opens](Subject::open_session) no session.
///
/// # Errors
/// A [`Violation`] with the order that is nearest to that of the input.
pub fn interleaved<S: Subject>(
    sessions: &S,
    input: &Cutting,
    cuts: &[usize],
    interleavings: &Interleavings,
) -> Result<Coverage, Box<Violation>> {
    let pieces: Vec<(Side, Event<'_>)> = input.cut(cuts).collect();
    let mut checked = Coverage { segmentations: 0, outputs: 0 };
    if pieces.iter().any(|(_, event)| matches!(event, Event::Gap(_))) {
        return Ok(checked);
    }
    pulse::input(input);
    pulse::cuts(cuts);
    let given = order_of(&pieces);
    let whole = sides(sessions, pieces.iter().copied());
    checked.outputs = whole.iter().map(Vec::len).sum();
    let orders = Orders::new(&pieces, &whole);
    let broken = orders.try_each(interleavings, &mut |order| {
        checked.segmentations += 1;
        if sides(sessions, arranged(&pieces, order)) == whole {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(order.to_vec())
        }
    });
    let ControlFlow::Break(mut order) = broken else { return Ok(checked) };
    // Chunks go back to their places as far as the law stays broken.
    while let Some(nearer) =
        orders.nearer(&order, &given).into_iter().find(|nearer| sides(sessions, arranged(&pieces, nearer)) != whole)
    {
        order = nearer;
    }
    let other = sides(sessions, arranged(&pieces, &order));
    let trace = |label: &str, sides: &[Vec<OwnedMessage>; 2]| Trace {
        label: label.to_owned(),
        outputs: sides.iter().flatten().map(ToString::to_string).collect(),
    };
    Err(Box::new(Violation {
        law: Law::Interleaved,
        verdict: "the output of a side depends on how the chunks of the two sides interleave".to_owned(),
        call: format!("interleaved(&subject, &{}, &{}, &{interleavings:?})", input_code(input), cuts_code(cuts)),
        traces: Some([trace("as given", &whole), trace("interleaved", &other)]),
        input: Cutting::of(arranged(&pieces, &order).filter_map(|(side, event)| Some((side, event.what()?)))),
        cuts: Vec::new(),
        messages: None,
        subject: None,
    }))
}

/// Returns the messages of each side.
pub(crate) fn sides<'i, S: Subject>(
    sessions: &S,
    input: impl IntoIterator<Item = (Side, Event<'i>)>,
) -> [Vec<OwnedMessage>; 2] {
    let mut messages = [Vec::new(), Vec::new()];
    let Some(mut session) = sessions.open_session() else { return messages };
    let mut input = input.into_iter();
    pulse::beat();
    let next = |_| {
        pulse::given();
        input.next()
    };
    play(session.as_mut(), next, &mut |message| messages[message.side.index()].push(message.to_owned()));
    messages
}

fn order_of(pieces: &[(Side, Event<'_>)]) -> Vec<Side> {
    pieces.iter().map(|(side, _)| *side).collect()
}

/// Returns the pieces of both sides, in this order of sides.
fn arranged<'p, 'i>(
    pieces: &'p [(Side, Event<'i>)],
    order: &'p [Side],
) -> impl Iterator<Item = (Side, Event<'i>)> + 'p {
    let of = |wanted| pieces.iter().copied().filter(move |(side, _)| *side == wanted);
    let (mut client, mut server) = (of(Side::Client), of(Side::Server));
    order.iter().filter_map(move |side| if *side == Side::Client { client.next() } else { server.next() })
}

/// The causally possible orders of an input's pieces.
struct Orders {
    /// The number of bytes of the client that were fed after each of its pieces.
    fed: Vec<u64>,
    /// The least and the greatest number of bytes of the client that must be fed before each piece
    /// of the server.
    bounds: Vec<(u64, u64)>,
}

impl Orders {
    fn new(pieces: &[(Side, Event<'_>)], [asked, answered]: &[Vec<OwnedMessage>; 2]) -> Self {
        let mut orders = Self { fed: Vec::new(), bounds: Vec::new() };
        let (mut client, mut server) = (0, 0);
        for (side, event) in pieces {
            let length = if let Event::Chunk(bytes) = event { bytes.len() as u64 } else { 0 };
            if *side == Side::Client {
                client += length;
                orders.fed.push(client);
                continue;
            }
            let begun = answered.iter().filter(|message| (server..server + length).contains(&message.span.offset));
            let bounds = begun.map(|message| bounds_of(message, client, asked));
            orders.bounds.push(bounds.fold((0, u64::MAX), |all, one| (all.0.max(one.0), all.1.min(one.1))));
            server += length;
        }
        // A later piece must not be kept behind something that an earlier piece keeps back.
        for at in (1..orders.bounds.len()).rev() {
            orders.bounds[at - 1].1 = orders.bounds[at - 1].1.min(orders.bounds[at].1);
        }
        orders
    }

    /// Returns whether a piece of the side may come next, behind these numbers of pieces.
    fn may_come(&self, side: Side, client: usize, server: usize) -> bool {
        let fed = client.checked_sub(1).map_or(0, |last| self.fed[last]);
        match side {
            Side::Client => {
                let most = self.bounds.get(server).map_or(u64::MAX, |bounds| bounds.1);
                self.fed.get(client).is_some_and(|&fed| fed <= most)
            }
            Side::Server => self.bounds.get(server).is_some_and(|&(least, most)| (least..=most).contains(&fed)),
        }
    }

    /// Passes orders to `check` until it breaks.
    fn try_each<B>(
        &self,
        interleavings: &Interleavings,
        check: &mut impl FnMut(&[Side]) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let length = self.fed.len() + self.bounds.len();
        if self.count(interleavings.all_up_to) <= interleavings.all_up_to {
            return self.try_all(length, check);
        }
        let mut chance = Chance::new(interleavings.random.0);
        for _ in 0..interleavings.random.1 {
            let order = self.random(&mut chance);
            if order.len() == length {
                check(&order)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Returns the number of orders, or a number above `most`.
    fn count(&self, most: usize) -> usize {
        let mut row = vec![0usize; self.bounds.len() + 1];
        for client in 0..=self.fed.len() {
            for server in 0..=self.bounds.len() {
                let by_client =
                    if client > 0 && self.may_come(Side::Client, client - 1, server) { row[server] } else { 0 };
                let by_server =
                    if server > 0 && self.may_come(Side::Server, client, server - 1) { row[server - 1] } else { 0 };
                let first = usize::from(client == 0 && server == 0);
                row[server] = (by_client + by_server + first).min(most.saturating_add(1));
            }
        }
        row.last().copied().unwrap_or_default()
    }

    /// Passes all orders to `check` until it breaks. It goes back step by step and does not call
    /// itself, since an order may have thousands of pieces.
    fn try_all<B>(&self, length: usize, check: &mut impl FnMut(&[Side]) -> ControlFlow<B>) -> ControlFlow<B> {
        let mut order = Vec::with_capacity(length);
        let (mut client, mut server) = (0, 0);
        // For each place of the order, and the next one, the number of sides that were tried there.
        let mut tried = vec![0];
        while let Some(sides) = tried.last_mut() {
            let untried = Side::BOTH.into_iter().enumerate().skip(*sides);
            let next = untried.into_iter().find(|(_, side)| self.may_come(*side, client, server));
            match next {
                Some((number, side)) => {
                    *sides = number + 1;
                    client += usize::from(side == Side::Client);
                    server += usize::from(side == Side::Server);
                    order.push(side);
                    tried.push(0);
                }
                None => {
                    if order.len() == length {
                        check(&order)?;
                    }
                    tried.pop();
                    if let Some(side) = order.pop() {
                        client -= usize::from(side == Side::Client);
                        server -= usize::from(side == Side::Server);
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Returns a random order. One probability for the whole order decides which side goes first,
    /// so that one side is often far ahead.
    fn random(&self, chance: &mut Chance) -> Vec<Side> {
        let of_eight = chance.below(9);
        let (mut order, mut client, mut server) = (Vec::new(), 0, 0);
        loop {
            let may = Side::BOTH.map(|side| self.may_come(side, client, server));
            let side = match may {
                [true, true] if chance.below(8) < of_eight => Side::Client,
                [_, true] => Side::Server,
                [true, false] => Side::Client,
                [false, false] => return order,
            };
            order.push(side);
            client += usize::from(side == Side::Client);
            server += usize::from(side == Side::Server);
        }
    }

    /// Returns the orders that are nearer to the given one by one exchange.
    fn nearer(&self, order: &[Side], given: &[Side]) -> Vec<Vec<Side>> {
        // The number of pieces of the client before each piece of the server.
        let before = |order: &[Side]| {
            let mut client = 0;
            let mut counts = Vec::new();
            for side in order {
                match side {
                    Side::Client => client += 1,
                    Side::Server => counts.push(client),
                }
            }
            counts
        };
        let (now, wanted) = (before(order), before(given));
        let mut nearer = Vec::new();
        for at in 1..order.len() {
            if order[at - 1] == order[at] {
                continue;
            }
            let mut other = order.to_vec();
            other.swap(at - 1, at);
            let distance = |counts: &[i64]| -> i64 {
                counts.iter().zip(&wanted).map(|(one, other): (&i64, &i64)| (one - other).abs()).sum()
            };
            if distance(&before(&other)) < distance(&now) && self.is_possible(&other) {
                nearer.push(other);
            }
        }
        nearer
    }

    fn is_possible(&self, order: &[Side]) -> bool {
        let (mut client, mut server) = (0, 0);
        order.iter().all(|&side| {
            let may = self.may_come(side, client, server);
            client += usize::from(side == Side::Client);
            server += usize::from(side == Side::Server);
            may
        })
    }
}

/// Returns how many bytes of the client must be fed before a message of the server begins, at least
/// and at most. `fed`: the number in the input.
fn bounds_of(message: &OwnedMessage, fed: u64, asked: &[OwnedMessage]) -> (u64, u64) {
    let request = message.answers.and_then(|number| asked.get(usize::try_from(number).ok()?));
    match request {
        Some(request) => (request.span.end().min(fed), u64::MAX),
        None if matches!(message.kind.as_str(), "opaque" | "unparsed" | "blank") => (0, u64::MAX),
        None => {
            let begun = asked.iter().rfind(|request| request.span.offset < fed);
            let next = asked.iter().find(|request| request.span.offset >= fed);
            (
                begun.map_or(0, |request| request.span.end().min(fed)),
                next.map_or(u64::MAX, |request| request.span.offset),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use enjamb::transcript::Content;

    use super::*;
    use crate::machines::Sessions;

    fn chunk(side: Side, bytes: &str) -> (Side, Content) {
        (side, Content::Chunk(bytes.as_bytes().to_vec()))
    }

    #[test]
    fn an_answer_comes_behind_its_request_and_other_orders_are_all_tried() {
        let lines = || enjamb_protocols::Registry::builtin().resolve("http1").unwrap().session(None);
        let input = Cutting::of([
            chunk(Side::Client, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"),
            chunk(Side::Server, "HTTP/1.1 204 No\r\n\r\n"),
            chunk(Side::Client, "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n"),
            chunk(Side::Server, "HTTP/1.1 204 No\r\n\r\n"),
        ]);
        let checked = interleaved(&Sessions(lines), &input, &[], &Interleavings::all_up_to(100, 1, 10)).unwrap();
        // The second request may come before the first answer, or behind it.
        assert_eq!((checked.segmentations, checked.outputs), (2, 4));
        let checked = interleaved(&Sessions(lines), &input, &[], &Interleavings::all_up_to(1, 1, 10)).unwrap();
        assert_eq!(checked.segmentations, 10);
    }

    #[test]
    fn orders_of_many_pieces_need_no_deep_stack() {
        let pieces = 50_000;
        // The server answers when all pieces of the client are there, so there is one order.
        let orders = Orders { fed: (1..=pieces).collect(), bounds: vec![(pieces, u64::MAX)] };
        let mut found = 0;
        let mut check = |order: &[Side]| {
            found += usize::from(order.last() == Some(&Side::Server));
            ControlFlow::<()>::Continue(())
        };
        let interleavings = Interleavings::all_up_to(1, 1, 1);
        assert!(orders.try_each(&interleavings, &mut check).is_continue());
        assert_eq!(found, 1);
    }

    #[test]
    fn an_input_with_a_gap_is_not_tried() {
        let lines = || enjamb_protocols::Registry::builtin().resolve("http1").unwrap().session(None);
        let input =
            Cutting::of([chunk(Side::Client, "GET"), (Side::Client, Content::Gap(3)), chunk(Side::Server, "x")]);
        let checked = interleaved(&Sessions(lines), &input, &[], &Interleavings::all_up_to(100, 1, 10)).unwrap();
        assert_eq!(checked.segmentations, 0);
    }
}
