//! The table of the types of faults and of their attributes.
//!
//! The names, attributes and units of the first seven are those of
//! [Toxiproxy](https://github.com/Shopify/toxiproxy). The others know where messages begin and end.

/// The unit of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Thousands of bytes a second.
    KilobytesPerSecond,
    /// Bytes.
    Bytes,
    /// A count.
    Count,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A filter expression.
    Expression,
}

/// The value of an attribute, in its unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(u64),
    /// A word or an expression.
    Text(String),
}

/// The description of an attribute.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// The value when it is not given. `None`: the attribute has no value then.
    pub default: Option<u64>,
    /// Its meaning, for the documentation.
    pub meaning: &'static str,
}

/// The description of a type of fault.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct EffectType {
    /// Its name.
    pub name: &'static str,
    /// Its meaning, for the documentation.
    pub meaning: &'static str,
    /// Its own attributes.
    pub attributes: &'static [Attribute],
    /// Whether it concerns messages, and also has the attributes that [select](SELECT_ATTRIBUTES)
    /// them.
    pub selects: bool,
}

const fn attribute(name: &'static str, unit: Unit, default: Option<u64>, meaning: &'static str) -> Attribute {
    Attribute { name, unit, default, meaning }
}

/// The attributes that select messages.
pub const SELECT_ATTRIBUTES: &[Attribute] = &[
    attribute("message", Unit::Count, None, "only the message with this number, counted from 1"),
    attribute("every", Unit::Count, None, "only every n-th message"),
    attribute("percent", Unit::Count, Some(100), "only so many of a hundred messages, chosen at random"),
    attribute(
        "match",
        Unit::Expression,
        None,
        "only messages for which this filter expression is true; `message` and `every` count these",
    ),
];

const DELAY: Attribute = attribute("delay", Unit::Milliseconds, Some(0), "the delay");

/// All types of faults.
pub const EFFECT_TYPES: &[EffectType] = &[
    EffectType {
        name: "latency",
        meaning: "delivers everything later, in order",
        attributes: &[
            attribute("latency", Unit::Milliseconds, Some(0), "the delay"),
            attribute("jitter", Unit::Milliseconds, Some(0), "the delay varies by up to this time, both ways"),
        ],
        selects: false,
    },
    EffectType {
        name: "bandwidth",
        meaning: "limits the bandwidth",
        attributes: &[attribute("rate", Unit::KilobytesPerSecond, Some(0), "the rate; 0 is no limit")],
        selects: false,
    },
    EffectType { name: "slow_close", meaning: "delays the end of the stream", attributes: &[DELAY], selects: false },
    EffectType {
        name: "timeout",
        meaning: "drops everything, and closes the connection after a time without a byte",
        attributes: &[attribute("timeout", Unit::Milliseconds, Some(0), "the time; 0 is never")],
        selects: false,
    },
    EffectType {
        name: "reset_peer",
        meaning: "drops everything, and resets the connection after the first bytes",
        attributes: &[attribute("timeout", Unit::Milliseconds, Some(0), "the time between the bytes and the reset")],
        selects: false,
    },
    EffectType {
        name: "slicer",
        meaning: "cuts the stream into small segments",
        attributes: &[
            attribute("average_size", Unit::Bytes, Some(1), "the average size of a segment"),
            attribute("size_variation", Unit::Bytes, Some(0), "the size varies by up to this number"),
            attribute("delay", Unit::Microseconds, Some(0), "the time between segments"),
        ],
        selects: false,
    },
    EffectType {
        name: "limit_data",
        meaning: "closes the connection after a number of bytes",
        attributes: &[attribute("bytes", Unit::Bytes, Some(0), "the number of bytes that are delivered")],
        selects: false,
    },
    EffectType {
        name: "recut",
        meaning: "cuts the stream, without a delay between segments",
        attributes: &[
            attribute(
                "cuts",
                Unit::Word(&["bytes", "edges", "random"]),
                None,
                "`bytes` (the default): behind every byte; `edges`: before the last byte of each message, behind it, \
                 and behind the first byte of the next; `random`: anywhere",
            ),
            attribute("size", Unit::Bytes, Some(16), "the largest segment of random cuts"),
        ],
        selects: false,
    },
    EffectType {
        name: "coalesce",
        meaning: "holds bytes back, and delivers them together",
        attributes: &[
            attribute("time", Unit::Milliseconds, Some(20), "the longest time for which a byte is held back"),
            attribute("bytes", Unit::Bytes, Some(61_440), "so many bytes are delivered at once"),
        ],
        selects: false,
    },
    EffectType {
        name: "corrupt",
        meaning: "changes messages",
        attributes: &[attribute(
            "part",
            Unit::Word(&["byte", "length", "terminator"]),
            None,
            "`byte` (the default): any byte; `length`: a number that gives the length of the message or of the rest \
             of it; `terminator`: the byte that ends it",
        )],
        selects: true,
    },
    EffectType { name: "drop", meaning: "drops messages", attributes: &[], selects: true },
    EffectType { name: "duplicate", meaning: "delivers messages twice", attributes: &[], selects: true },
    EffectType {
        name: "delay",
        meaning: "delivers messages later, and what comes behind them too",
        attributes: &[DELAY],
        selects: true,
    },
    EffectType {
        name: "cut",
        meaning: "ends the connection inside a message",
        attributes: &[
            attribute(
                "at",
                Unit::Bytes,
                None,
                "so many bytes of the message are delivered; without it, a random number",
            ),
            attribute(
                "ending",
                Unit::Word(&["reset", "close"]),
                None,
                "`reset` (the default): the connection is reset; `close`: both streams are ended",
            ),
        ],
        selects: true,
    },
];

impl EffectType {
    /// Returns the type with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        EFFECT_TYPES.iter().find(|effect| effect.name == name)
    }

    /// Returns all attributes, those that select messages included.
    pub fn all_attributes(&self) -> impl Iterator<Item = &'static Attribute> + use<> {
        let select: &[_] = if self.selects { SELECT_ATTRIBUTES } else { &[] };
        self.attributes.iter().chain(select)
    }
}
