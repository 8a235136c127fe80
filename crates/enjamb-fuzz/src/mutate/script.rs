//! Conversations: messages, sides, gaps, ends, and cuts.

use std::sync::{Arc, LazyLock};

use enjamb::{Ending, Side};
use enjamb_law::{Cutting, Event, Grammar, Item, Script};
use enjamb_protocols::{Protocol, Registry};
use fastrand::Rng;

use super::message::{edit, pick};
use super::pieces::rearrange;
use crate::interleaving::interleaved_protocol;
use crate::sessions::{Family, messages_end};
use crate::target::{Choice, Form, Target};

/// The maximum number of copies that one edit makes of a message.
const COPIES_MAX: usize = 24;

/// A part of a conversation.
#[derive(Clone, Debug)]
struct Unit {
    side: Side,
    body: Body,
    /// The places of cuts in the message. 0 is the cut before it.
    cuts: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Body {
    Message(Vec<u8>),
    Gap(u32),
    Close(Ending),
}

impl Unit {
    fn message(side: Side, bytes: Vec<u8>) -> Self {
        Self { side, body: Body::Message(bytes), cuts: Vec::new() }
    }

    fn len(&self) -> usize {
        if let Body::Message(bytes) = &self.body { bytes.len() } else { 0 }
    }
}

/// A conversation in messages, and the bytes before its script.
struct Conversation {
    head: Vec<u8>,
    units: Vec<Unit>,
}

/// Returns the number of bytes before the script.
fn head_len(target: &Target, data: &[u8]) -> usize {
    let length = match target.form {
        Form::Script(Choice::Family) => Family::named(target.name).choice_len(),
        Form::Script(Choice::Any | Choice::Registry) => 1,
        Form::Script(Choice::Bytes(length)) => length,
        Form::Script(Choice::Counted) => 1 + data.first().map_or(0, |count| usize::from(count % 16)),
        Form::Script(Choice::Spec) => {
            1 + if data.first().is_some_and(|choice| (0x80..0xf0).contains(choice)) { 64 } else { 0 }
        }
        _ => 0,
    };
    length.min(data.len())
}

/// Returns the protocol of the conversation, if the target has protocols.
fn protocol(target: &Target, data: &[u8]) -> Option<Arc<Protocol>> {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::builtin);
    match target.form {
        Form::Script(Choice::Family) => Some(Family::named(target.name).split_input(data).0),
        Form::Script(Choice::Any) => interleaved_protocol(data).and_then(|name| REGISTRY.get(name)).cloned(),
        Form::Script(Choice::Registry) => {
            let count = REGISTRY.iter().count();
            data.first().and_then(|choice| REGISTRY.iter().nth(usize::from(*choice) % count)).cloned()
        }
        _ => None,
    }
}

impl Conversation {
    fn read(target: &Target, data: &[u8]) -> Self {
        let (head, script) = data.split_at(head_len(target, data));
        let case = Script::read(script).case(&Grammar::default());
        let ends = match protocol(target, data) {
            Some(protocol) => messages_end(protocol.session(None).as_mut(), &case.input),
            None => [lines_end(&case.input, Side::Client), lines_end(&case.input, Side::Server)],
        };
        Self { head: head.to_vec(), units: units(&case.input, &case.cuts, &ends) }
    }

    /// Writes the conversation in at most `max_size` bytes: what does not fit is left out at its
    /// end.
    fn write(&self, max_size: usize) -> Vec<u8> {
        let mut count = self.units.len();
        loop {
            let data = [&self.head[..], &script(&self.units[..count]).encode()].concat();
            if data.len() <= max_size || count == 0 {
                return data;
            }
            count -= (count / 8).max(1);
        }
    }
}

/// Returns the offsets at which lines of a side end.
fn lines_end(input: &Cutting, side: Side) -> Vec<u64> {
    let mut at = 0;
    let mut ends = Vec::new();
    for (of, event) in input.cut(&[]) {
        match event {
            _ if of != side => {}
            Event::Chunk(bytes) => {
                let lines = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
                ends.extend(lines.map(|(end, _)| at + end as u64 + 1));
                at += bytes.len() as u64;
            }
            Event::Gap(missing) => at += missing,
            _ => {}
        }
    }
    ends
}

/// Cuts the conversation at the ends of messages.
fn units(input: &Cutting, cuts: &[usize], ends: &[Vec<u64>; 2]) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut fed = [0u64; 2];
    let mut offset = 0;
    let mut cuts = cuts.iter().copied().peekable();
    for (side, event) in input.cut(&[]) {
        match event {
            Event::Chunk(bytes) => {
                let from = fed[side.index()];
                fed[side.index()] += bytes.len() as u64;
                let ends = &ends[side.index()];
                let first = ends.partition_point(|end| *end <= from);
                let inside = ends[first..].iter().take_while(|end| **end < fed[side.index()]);
                let mut begin = 0;
                for end in inside.map(|end| (end - from) as usize).chain([bytes.len()]) {
                    let mut unit = Unit::message(side, bytes[begin..end].to_vec());
                    while let Some(cut) = cuts.next_if(|cut| *cut < offset + end) {
                        unit.cuts.push(cut - (offset + begin));
                    }
                    units.push(unit);
                    begin = end;
                }
                offset += bytes.len();
            }
            Event::Gap(missing) => {
                fed[side.index()] = fed[side.index()].saturating_add(missing);
                let missing = u32::try_from(missing).unwrap_or(u32::MAX);
                units.push(Unit { side, body: Body::Gap(missing), cuts: Vec::new() });
            }
            Event::Close(ending) => units.push(Unit { side, body: Body::Close(ending), cuts: Vec::new() }),
            Event::Again => {}
        }
    }
    units
}

fn script(units: &[Unit]) -> Script {
    let mut items = Vec::new();
    let mut side = Side::Client;
    for unit in units {
        if unit.side != side {
            items.push(Item::Switch);
            side = unit.side;
        }
        match &unit.body {
            Body::Message(bytes) => {
                let mut from = 0;
                for &cut in unit.cuts.iter().filter(|cut| **cut < bytes.len().max(1)) {
                    items.push(Item::Bytes(bytes[from..cut.max(from)].to_vec()));
                    items.push(Item::Cut);
                    from = cut.max(from);
                }
                items.push(Item::Bytes(bytes[from..].to_vec()));
            }
            Body::Gap(missing) => items.push(Item::Gap(*missing)),
            Body::Close(ending) => items.push(Item::Close(*ending)),
        }
    }
    Script::new(items)
}

/// Returns the conversation with some edits.
pub(super) fn mutate(
    target: &Target,
    data: &[u8],
    edits: usize,
    max_size: usize,
    tokens: &[Vec<u8>],
    random: &mut Rng,
) -> Vec<u8> {
    let mut conversation = Conversation::read(target, data);
    for _ in 0..edits {
        change(target, &mut conversation, tokens, random);
    }
    conversation.write(max_size)
}

/// Puts the first messages of one conversation before the last ones of the other.
pub(super) fn cross(target: &Target, one: &[u8], other: &[u8], max_size: usize, random: &mut Rng) -> Vec<u8> {
    let (mut one, other) = (Conversation::read(target, one), Conversation::read(target, other));
    let from = random.usize(..=other.units.len());
    if random.bool() {
        one.units.truncate(random.usize(..=one.units.len()));
        one.units.extend(other.units[from..].iter().cloned());
    } else {
        // Some messages of the other conversation in the midst of this one.
        let to = (from + random.usize(1..5)).min(other.units.len());
        let at = random.usize(..=one.units.len());
        one.units.splice(at..at, other.units[from..to].iter().cloned());
    }
    one.write(max_size)
}

fn change(target: &Target, conversation: &mut Conversation, tokens: &[Vec<u8>], random: &mut Rng) {
    let Conversation { head, units } = conversation;
    // Another protocol makes noise of the conversation. The other heads are parameters.
    let is_parameter = !matches!(target.form, Form::Script(Choice::Family | Choice::Any | Choice::Registry));
    if !head.is_empty() && random.u8(..if is_parameter { 6 } else { 100 }) == 0 {
        let at = random.usize(..head.len());
        head[at] = if random.bool() { random.u8(..) } else { head[at].wrapping_add(pick(&[1, 0xff], random)) };
        return;
    }
    if units.is_empty() {
        let token = tokens.get(random.usize(..tokens.len().max(1))).cloned();
        units.push(Unit::message(side(random), token.unwrap_or_else(|| vec![random.u8(..)])));
        return;
    }
    let at = random.usize(..units.len());
    match random.u8(..24) {
        0..=8 => {
            if let Body::Message(bytes) = &mut units[at].body {
                edit(bytes, tokens, random);
            }
        }
        9 | 10 => rearrange(units, random),
        11 | 12 => cut_somewhere(&mut units[at], random),
        13 => {
            // At the edges of a message, and one byte around them.
            let length = units[at].len();
            units[at].cuts.extend([0, 1, length.saturating_sub(1)]);
            units[at].cuts.sort_unstable();
        }
        14 => {
            let length = units[at].len();
            units[at].cuts = (0..length).collect();
        }
        15 => units.iter_mut().for_each(|unit| unit.cuts.clear()),
        16 => units[at].cuts.clear(),
        17 => {
            // Many requests in one chunk.
            let unit = units[at].clone();
            let copies = random.usize(1..COPIES_MAX);
            units.splice(at..at, std::iter::repeat_n(unit, copies));
        }
        18 | 19 => interleave(units, at, random),
        20 => {
            let (side, length) = (units[at].side, units[at].len() as u32);
            let missing = pick(&[1, 2, length.max(1), length / 2 + 1, 1000], random);
            let gap = Unit { side, body: Body::Gap(missing), cuts: Vec::new() };
            if random.bool() { units[at] = gap } else { units.insert(at, gap) }
        }
        21 => {
            let ending = pick(&[Ending::Closed, Ending::Reset, Ending::Lost], random);
            let close = Unit { side: units[at].side, body: Body::Close(ending), cuts: Vec::new() };
            units.insert(at, close);
        }
        22 => units[at].side = !units[at].side,
        _ => {
            let token = tokens.get(random.usize(..tokens.len().max(1))).cloned().unwrap_or_default();
            units.insert(at, Unit::message(side(random), token));
        }
    }
}

fn side(random: &mut Rng) -> Side {
    if random.bool() { Side::Client } else { Side::Server }
}

fn cut_somewhere(unit: &mut Unit, random: &mut Rng) {
    let length = unit.len();
    if length == 0 {
        return;
    }
    // Half of the cuts are where parsers look ahead: inside the end of a line.
    let ends: Vec<usize> = match &unit.body {
        Body::Message(bytes) => (1..length).filter(|at| matches!(bytes[at - 1], b'\r' | b'\n' | 0)).collect(),
        _ => Vec::new(),
    };
    let cut = if random.bool() && !ends.is_empty() { pick(&ends, random) } else { random.usize(..length) };
    unit.cuts.push(cut);
    unit.cuts.sort_unstable();
    unit.cuts.dedup();
}

/// Moves a message before or behind one of the other side.
fn interleave(units: &mut [Unit], at: usize, random: &mut Rng) {
    let side = units[at].side;
    let other = if random.bool() {
        (at + 1..units.len()).find(|other| units[*other].side != side)
    } else {
        (0..at).rfind(|other| units[*other].side != side)
    };
    if let Some(other) = other {
        units.swap(at, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::target;

    #[test]
    fn a_conversation_is_cut_at_its_messages_and_written_as_it_was() {
        let target = target("split_redis").unwrap();
        let data = b"PING\r\n*1\r\n$4\r\nPI\xff\x00NG\r\n\xff\x07+PONG\r\n\xff\x00+PONG\r\n\xff\x08\x00";
        let conversation = Conversation::read(target, data);
        let lengths: Vec<_> =
            conversation.units.iter().map(|unit| (unit.side, unit.len(), unit.cuts.clone())).collect();
        let (client, server) = (Side::Client, Side::Server);
        assert_eq!(
            lengths,
            [
                (client, 6, vec![]),
                (client, 14, vec![10]),
                (server, 7, vec![]),
                (server, 7, vec![0]),
                (server, 0, vec![])
            ]
        );
        assert_eq!(conversation.write(1000), data);
    }

    #[test]
    fn a_conversation_that_is_too_long_loses_its_end() {
        let target = target("split_redis").unwrap();
        let conversation = Conversation::read(target, &b"PING\r\n".repeat(100));
        assert!(conversation.write(50).len() <= 50);
        assert!(conversation.write(50).starts_with(b"PING\r\nPING\r\n"));
    }
}
