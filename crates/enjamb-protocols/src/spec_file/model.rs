//! A spec file as data, checked and ready to use.
//!
//! Fields that something refers to have a *slot*: a place among the values of a message. Others
//! have none and are only measured.

/// The maximum number of fields of one message to which something refers.
pub(super) const SLOTS_MAX: usize = 24;

/// The slot of the length in front of a string.
pub(super) const PREFIX_SLOT: u8 = SLOTS_MAX as u8 - 1;

/// The longest run of fields of fixed size that is read as one part, in bytes.
pub(super) const RUN_MAX: u64 = 1 << 10;

/// A protocol.
#[derive(Debug, Default)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) about: String,
    pub(super) ports: Vec<u16>,
    pub(super) layouts: Vec<Layout>,
    /// The first one is that in which a connection begins.
    pub(super) states: Vec<State>,
    /// The state of a connection that the capture joined in the middle.
    pub(super) joined: Option<u8>,
}

/// A state of a connection.
#[derive(Debug)]
pub(super) struct State {
    pub(super) name: &'static str,
    /// The messages of each side.
    pub(super) sides: [Sequence; 2],
    pub(super) transitions: Vec<Transition>,
}

/// The messages of one side, by their layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sequence {
    pub(super) first: u8,
    pub(super) then: u8,
}

/// A change of state behind a message.
#[derive(Debug)]
pub(super) struct Transition {
    pub(super) from: Option<enjamb::Side>,
    /// The kinds that cause it. `None` means all.
    pub(super) kinds: Option<Vec<&'static str>>,
    /// For each layout, the condition on its fields.
    pub(super) when: Vec<Option<Condition>>,
    pub(super) target: Target,
}

/// The effect of a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    State(u8),
    Opaque,
    Protocol(&'static str),
}

/// A layout of messages.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) name: &'static str,
    pub(super) fields: Vec<Field>,
    /// For each field, the run of fields of fixed size that begins with it.
    pub(super) runs: Vec<Run>,
    /// The longest message, with all of its frames.
    pub(super) max: u64,
    /// When another frame continues the message, and its layout.
    pub(super) continues: Option<(Condition, u8)>,
    pub(super) kind: Option<Named>,
    pub(super) id: Option<u8>,
    pub(super) request: Condition,
    pub(super) answer: Condition,
    pub(super) more: Condition,
    pub(super) failed: Condition,
    pub(super) code: Option<Named>,
    /// The field of the subject: its index, and that of its bits if it is one of them.
    pub(super) subject: Option<(usize, Option<usize>)>,
}

/// A value of a message, and the names of its values.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) slot: u8,
    pub(super) names: Names,
    pub(super) signed: bool,
}

/// Names of values, in the order of the values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names(pub(super) Vec<(u64, &'static str)>);

impl Names {
    pub(super) fn get(&self, value: u64) -> Option<&'static str> {
        self.0.binary_search_by_key(&value, |known| known.0).ok().map(|at| self.0[at].1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Consecutive fields of fixed size.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Run {
    pub(super) fields: u16,
    pub(super) size: u64,
    /// Whether somebody needs a value of it.
    pub(super) needed: bool,
}

/// A field.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name. Padding has none.
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) form: Form,
    /// When it is there.
    pub(super) when: Condition,
    /// Whether it is left out if the message ends before it.
    pub(super) optional: bool,
    pub(super) secret: bool,
    pub(super) slot: Option<u8>,
    pub(super) bits: Vec<Bits>,
    pub(super) names: Names,
    /// The names of the values of a string. The value is the index.
    pub(super) words: Vec<&'static str>,
    pub(super) equals: Option<Equals>,
    /// The end of the message, if the field is its length.
    pub(super) end: Option<MessageEnd>,
}

/// A part of an integer.
#[derive(Debug)]
pub(super) struct Bits {
    pub(super) name: &'static str,
    pub(super) shift: u32,
    pub(super) width: u32,
    pub(super) slot: Option<u8>,
    pub(super) names: Names,
}

impl Bits {
    pub(super) fn of(&self, value: u64) -> u64 {
        (value >> self.shift) & (u64::MAX >> (64 - self.width))
    }
}

/// A value that never differs.
#[derive(Debug)]
pub(super) struct Equals {
    pub(super) value: Constant,
    /// The reason why a message with another value is malformed.
    pub(super) fault: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Constant {
    Integer(u64),
    Bytes(Vec<u8>),
}

/// The form of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Integer {
        /// From 1 to 8 bytes.
        width: u8,
        little: bool,
        signed: bool,
    },
    Varint {
        zigzag: bool,
    },
    Bytes {
        length: Length,
        max: u64,
        text: bool,
    },
    /// The bytes up to the next multiple, from the beginning of the frame.
    Align(u64),
}

impl Form {
    /// Returns the size in bytes, if it is the same in all messages.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Self::Integer { width, .. } => Some(u64::from(*width)),
            Self::Bytes { length: Length::Fixed(size), .. } => Some(*size),
            _ => None,
        }
    }

    pub(super) fn is_signed(&self) -> bool {
        matches!(self, Self::Integer { signed: true, .. } | Self::Varint { zigzag: true })
    }
}

/// The length of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Fixed(u64),
    /// `value * times + add`.
    Value {
        slot: u8,
        times: u64,
        add: i64,
    },
    /// Up to this delimiter, which belongs to the field.
    Until(Vec<u8>),
    /// Up to the end of the message, without the fields of this size behind it.
    Rest {
        behind: u64,
    },
}

/// The end of a message: `value * times + add` bytes behind a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MessageEnd {
    pub(super) times: u64,
    pub(super) add: i64,
    /// Whether the beginning of the frame is the place. Otherwise it is the end of the field.
    pub(super) whole: bool,
    /// The bits of the field that are the length, if it is not the whole field.
    pub(super) bits: Option<u8>,
}

/// A condition on a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Always,
    Never,
    Kinds(Vec<&'static str>),
    /// All of these.
    Values(Vec<Test>),
}

/// A condition on one value. A value that is not there fails it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Test {
    pub(super) slot: u8,
    pub(super) values: Vec<u64>,
    pub(super) negated: bool,
}

impl Condition {
    pub(super) fn holds(&self, kind: &str, value: impl Fn(u8) -> Option<u64>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Kinds(kinds) => kinds.contains(&kind),
            Self::Values(tests) => tests
                .iter()
                .all(|test| value(test.slot).is_some_and(|value| test.values.contains(&value) != test.negated)),
        }
    }
}
