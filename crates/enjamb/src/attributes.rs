//! Attributes: the parts of a message that a filter names, such as the value of a header.
//!
//! A [`Message`](crate::Message) lends its attributes. Nothing is looked up, copied or converted
//! unless somebody asks for one. A session that would have to store more for them does so only
//! after [`Session::keep_attributes`](crate::Session::keep_attributes).

use alloc::borrow::Cow;
use alloc::string::String;

/// The attributes of one message.
///
/// ```
/// use enjamb::{AttributeArgument, AttributeValue, Attributes, Message, Side, Span};
///
/// struct Topic<'a>(&'a [u8]);
///
/// impl Attributes for Topic<'_> {
///     fn get(&self, name: &str, _: AttributeArgument<'_>) -> Option<AttributeValue<'_>> {
///         (name == "topic").then(|| AttributeValue::text(self.0))
///     }
/// }
///
/// let topic = Topic(b"weather");
/// let message = Message { attributes: &topic, ..Message::new("mymq", Side::Client, "PUBLISH", Span::default()) };
/// let value = message.attributes.get("topic", AttributeArgument::None);
/// assert_eq!(value, Some(AttributeValue::text(b"weather")));
/// ```
pub trait Attributes {
    /// Returns the value of the attribute `name`, or `None` if the message does not have it.
    fn get(&self, name: &str, argument: AttributeArgument<'_>) -> Option<AttributeValue<'_>>;
}

/// No attributes.
impl Attributes for () {
    fn get(&self, _: &str, _: AttributeArgument<'_>) -> Option<AttributeValue<'_>> {
        None
    }
}

/// The argument of an attribute: the name of a header, or the number of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeArgument<'a> {
    /// The attribute has no argument.
    None,
    /// A text.
    Text(&'a str),
    /// A number.
    Number(u64),
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttributeValue<'a> {
    /// A text. Bytes that are not UTF-8 are replaced by U+FFFD.
    Text(Cow<'a, str>),
    /// The beginning of a text that was too long to keep. It equals no text.
    Beginning(Cow<'a, str>),
    /// A number.
    Number(u64),
}

impl<'a> AttributeValue<'a> {
    /// Returns a text of these bytes.
    #[must_use]
    pub fn text(bytes: &'a [u8]) -> Self {
        Self::Text(String::from_utf8_lossy(bytes))
    }

    /// Returns the beginning of a text. A character that the end broke is left out.
    #[must_use]
    pub fn beginning(bytes: &'a [u8]) -> Self {
        let whole = match core::str::from_utf8(bytes) {
            Err(error) if error.error_len().is_none() => &bytes[..error.valid_up_to()],
            _ => bytes,
        };
        Self::Beginning(String::from_utf8_lossy(whole))
    }

    /// Returns a copy that outlives the message.
    #[must_use]
    pub fn into_owned(self) -> AttributeValue<'static> {
        match self {
            Self::Text(text) => AttributeValue::Text(Cow::Owned(text.into_owned())),
            Self::Beginning(text) => AttributeValue::Beginning(Cow::Owned(text.into_owned())),
            Self::Number(number) => AttributeValue::Number(number),
        }
    }
}

/// The description of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name, of ASCII letters, digits and `_`.
    pub name: &'static str,
    /// The type of its argument.
    pub argument: ArgumentType,
    /// The type of its values, which decides the operators that a filter may apply.
    pub value: AttributeType,
    /// Its meaning, without a full stop at the end.
    pub about: &'static str,
}

/// The type of the argument of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentType {
    /// There is none.
    None,
    /// A text.
    Text,
    /// A number.
    Number,
}

/// The type of the values of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttributeType {
    /// Text. If it is a number, it can be compared with a number too.
    Text,
    /// A number without a unit.
    Number,
    /// A number of bytes.
    Bytes,
}

/// The attributes that the messages of one protocol may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttributeSet<'a> {
    /// The name of the protocol, which its messages carry.
    pub protocol: &'a str,
    /// Its other names.
    pub aliases: &'a [String],
    /// Its attributes.
    pub attributes: &'a [Attribute],
}

impl Attribute {
    /// Creates the description of an attribute that has no argument.
    #[must_use]
    pub const fn new(name: &'static str, value: AttributeType, about: &'static str) -> Self {
        Self { name, argument: ArgumentType::None, value, about }
    }

    /// Sets the type of its argument.
    #[must_use]
    pub const fn with(self, argument: ArgumentType) -> Self {
        Self { argument, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_leaves_out_the_character_that_its_end_broke() {
        let beginning = |bytes| AttributeValue::beginning(bytes);
        assert_eq!(beginning("a\u{e9}".as_bytes()), AttributeValue::Beginning("a\u{e9}".into()));
        assert_eq!(beginning(b"a\xc3"), AttributeValue::Beginning("a".into()));
        assert_eq!(beginning(b"a\xffb"), AttributeValue::Beginning("a\u{fffd}b".into()));
        assert_eq!(beginning(b""), AttributeValue::Beginning("".into()));
    }
}
