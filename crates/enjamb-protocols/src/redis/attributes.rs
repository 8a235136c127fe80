//! The attributes of a command: its name, its arguments, and its first key.
//!
//! Arguments are kept only if somebody wants them, and only their beginnings: the first
//! [`KEPT_ARGUMENTS_MAX`] arguments, and [`KEPT_BYTES_MAX`] bytes of each. Both limits also hold for
//! a command that lies whole in one chunk, so the cuts decide nothing.

use std::borrow::Cow;

use enjamb::{ArgumentType, Attribute, AttributeArgument, AttributeType, AttributeValue, Attributes};

use super::command::CommandHandler;
use super::excerpt::{Form, Size};
use super::glance::{self, ValueSink};
use super::key::first_key;
use super::limits::{KEPT_ARGUMENTS_MAX, KEPT_BYTES_MAX};

/// The attributes of commands.
pub const ATTRIBUTES: &[Attribute] = &[
    Attribute::new("command", AttributeType::Text, "the name of a command, in capitals"),
    Attribute::new("argument", AttributeType::Text, "an argument of a command, by its number; 0 is the name")
        .with(ArgumentType::Number),
    Attribute::new("argument_count", AttributeType::Number, "the number of arguments of a command, without the name"),
    Attribute::new("key", AttributeType::Text, "the first key of a command of Redis 7"),
];

/// The attributes of the command in a handler. `bytes` are those of a command that was read at a
/// glance.
pub(super) struct CommandAttributes<'a> {
    pub(super) command: &'a CommandHandler,
    pub(super) bytes: Option<&'a [u8]>,
}

impl Attributes for CommandAttributes<'_> {
    fn get(&self, name: &str, argument: AttributeArgument<'_>) -> Option<AttributeValue<'_>> {
        match (name, argument) {
            ("command", AttributeArgument::None) => self.name().map(|name| AttributeValue::text(name.as_bytes())),
            ("argument_count", AttributeArgument::None) => {
                self.command.arguments().checked_sub(1).map(AttributeValue::Number)
            }
            ("argument", AttributeArgument::Number(number)) => self.argument(number).map(value),
            ("key", AttributeArgument::None) => {
                let text = |number| self.argument(number).filter(|(_, is_whole)| *is_whole).map(|(text, _)| text);
                self.argument(first_key(self.name()?, text)?).map(value)
            }
            _ => None,
        }
    }
}

impl CommandAttributes<'_> {
    fn name(&self) -> Option<&str> {
        // A name is in capitals, so this is none.
        Some(self.command.kind()).filter(|kind| *kind != "command")
    }

    /// Returns the kept part of an argument, and whether that is all of it.
    fn argument(&self, number: u64) -> Option<(Cow<'_, [u8]>, bool)> {
        let kept = self.command.kept_arguments()?;
        let index = usize::try_from(number).ok().filter(|&index| index < KEPT_ARGUMENTS_MAX)?;
        let Some(bytes) = self.bytes else {
            return kept.text_at(index).map(|(text, is_whole)| (Cow::Borrowed(text), is_whole));
        };
        let mut wanted = Wanted { left: index, found: None };
        glance::command(bytes, &mut wanted)?;
        wanted.found.map(|(text, is_whole)| (Cow::Owned(text), is_whole))
    }
}

fn value((text, is_whole): (Cow<'_, [u8]>, bool)) -> AttributeValue<'_> {
    fn of(text: &[u8], is_whole: bool) -> AttributeValue<'_> {
        if is_whole { AttributeValue::text(text) } else { AttributeValue::beginning(text) }
    }
    match text {
        Cow::Borrowed(text) => of(text, is_whole),
        Cow::Owned(text) => of(&text, is_whole).into_owned(),
    }
}

/// A sink that keeps one value.
struct Wanted {
    /// The number of values before it.
    left: usize,
    found: Option<(Vec<u8>, bool)>,
}

impl ValueSink for Wanted {
    fn begin(&mut self, _: Form, _: Size) {}

    fn whole(&mut self, _: Form, _: usize, text: &[u8]) {
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None if self.found.is_none() => {
                let kept = &text[..text.len().min(KEPT_BYTES_MAX)];
                self.found = Some((kept.to_vec(), kept.len() == text.len()));
            }
            None => {}
        }
    }
}
