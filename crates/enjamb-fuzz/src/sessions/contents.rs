//! The parts of messages that only some readers ask for: attributes, copies, and masked bytes.

use std::cell::RefCell;

use enjamb::{ArgumentType, Attribute, AttributeArgument, AttributeValue, Message, OwnedMessage};
use enjamb_law::{Cutting, Event};
use enjamb_protocols::redact;

use super::Open;
use super::play::{Cuts, play};

/// Texts and numbers with which attributes are asked for.
const TEXTS: [&str; 4] = ["host", "Content-Length", "to", ""];
const NUMBERS: [u64; 4] = [0, 1, 2, 7];

/// A message with everything that can be asked of it.
#[derive(Debug, PartialEq)]
struct Content {
    message: OwnedMessage,
    attributes: Vec<Option<AttributeValue<'static>>>,
    /// The bytes with the secrets overwritten, if it has any.
    masked: Option<Vec<u8>>,
}

/// Checks that the attributes and masked bytes of messages do not depend on how a conversation is
/// cut, that a message equals its copy, and that a mask changes nothing but the bytes that it
/// overwrites.
///
/// # Panics
/// When they do.
pub(crate) fn check_contents(open: Open<'_>, attributes: &[Attribute], input: &Cutting, cuts: &[usize]) {
    let whole = contents(open, attributes, input, Cuts::Whole);
    let cut = contents(open, attributes, input, if cuts.is_empty() { Cuts::Everywhere } else { Cuts::At(cuts) });
    let differing = whole.iter().zip(&cut).find(|(one, other)| one != other);
    assert!(
        differing.is_none() && whole.len() == cut.len(),
        "the contents of messages depend on the cuts\n  {differing:?}\n{}",
        input.transcript(cuts)
    );
}

fn contents(open: Open<'_>, attributes: &[Attribute], input: &Cutting, cuts: Cuts<'_>) -> Vec<Content> {
    let mut session = open();
    session.keep_attributes();
    // The bytes of each side, up to its first gap.
    let streams = RefCell::new([(Vec::new(), true), (Vec::new(), true)]);
    let mut found = Vec::new();
    play(
        session.as_mut(),
        input,
        cuts,
        &mut |side, event, _| {
            let (bytes, is_complete) = &mut streams.borrow_mut()[side.index()];
            match event {
                Event::Chunk(chunk) if *is_complete => bytes.extend_from_slice(chunk),
                Event::Gap(_) => *is_complete = false,
                _ => {}
            }
        },
        &mut |message| {
            let owned = message.to_owned();
            assert!(*message == owned, "a message differs from its copy: {owned}");
            assert_eq!(format!("{message:?}"), owned.to_string(), "a message is shown in two ways");
            let flags = message.flags;
            assert!(flags.names().all(|name| flags.contains(name)), "a flag is not contained: {flags}");
            assert_eq!(flags.is_empty(), flags.names().next().is_none(), "flags without a name: {flags}");
            let stream = &streams.borrow()[message.side.index()].0;
            let masked = usize::try_from(message.span.offset)
                .ok()
                .zip(usize::try_from(message.span.end()).ok())
                .and_then(|(from, to)| stream.get(from..to))
                .and_then(|bytes| masked(message, bytes));
            found.push(Content { message: owned, attributes: values(message, attributes), masked });
        },
    );
    found
}

fn masked(message: &Message<'_>, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut copy = Vec::new();
    if !redact(message, bytes, &mut copy) {
        assert!(copy.is_empty(), "a copy of a message without a secret: {message:?}");
        return None;
    }
    let is_mask = copy.len() == bytes.len() && copy.iter().zip(bytes).all(|(one, other)| *one == b'*' || one == other);
    assert!(is_mask, "a mask changes other bytes\n  {}\n  {}", bytes.escape_ascii(), copy.escape_ascii());
    Some(copy)
}

fn values(message: &Message<'_>, attributes: &[Attribute]) -> Vec<Option<AttributeValue<'static>>> {
    let mut values = Vec::new();
    for attribute in attributes {
        let mut ask = |argument| {
            values.push(message.attributes.get(attribute.name, argument).map(AttributeValue::into_owned));
        };
        match attribute.argument {
            ArgumentType::None => ask(AttributeArgument::None),
            ArgumentType::Text => TEXTS.iter().for_each(|text| ask(AttributeArgument::Text(text))),
            ArgumentType::Number => NUMBERS.iter().for_each(|number| ask(AttributeArgument::Number(*number))),
        }
    }
    values
}
