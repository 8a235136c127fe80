//! The laws by name.

use std::fmt;
use std::str::FromStr;

/// A law that applies to everything that reads messages from a stream, however the bytes are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Law {
    /// One trace of messages, however the bytes were cut: [`split`](crate::split).
    Split,
    /// Messages glued into one chunk, few or many, are the same messages:
    /// [`coalesce`](crate::coalesce).
    Coalesce,
    /// A message is emitted as soon as its last byte was fed: [`prompt`](crate::prompt).
    Prompt,
    /// A subject that is called again without new input emits nothing: [`quiet`](crate::quiet).
    Quiet,
    /// Any bytes give events or a typed error, and never a panic, endless output or endless
    /// recursion: [`total`](crate::total).
    Total,
    /// The memory held stays within the declared limit: [`bounded`](crate::bounded).
    Bounded,
    /// The work for each byte is constant: [`linear`](crate::linear).
    Linear,
    /// After an error, only that error is returned: [`fused`](crate::fused).
    Fused,
    /// An end of the stream inside a message differs from one between two messages:
    /// [`end`](crate::end).
    End,
    /// A message gives the same events alone and among others: [`alone`](crate::alone).
    Alone,
    /// A reader that waits is woken when bytes arrive, and does not spin when none do:
    /// [`awake`](crate::awake).
    Awake,
    /// An event that is encoded and decoded again is the same event:
    /// [`round_trip`](crate::round_trip).
    RoundTrip,
    /// The messages of a conversation do not depend on how the chunks of its sides interleave:
    /// [`interleaved`](crate::interleaved). It is a law of sessions.
    Interleaved,
}

impl Law {
    /// All laws, in the order in which they are tried.
    pub const ALL: [Self; 13] = [
        Self::Total,
        Self::Split,
        Self::Coalesce,
        Self::Prompt,
        Self::Quiet,
        Self::End,
        Self::Alone,
        Self::Fused,
        Self::Bounded,
        Self::Linear,
        Self::Awake,
        Self::RoundTrip,
        Self::Interleaved,
    ];

    /// Returns the name of the law, which is also the name of its test: `split`, `coalesce`, ...,
    /// `round_trip`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::Coalesce => "coalesce",
            Self::Prompt => "prompt",
            Self::Quiet => "quiet",
            Self::Total => "total",
            Self::Bounded => "bounded",
            Self::Linear => "linear",
            Self::Fused => "fused",
            Self::End => "end",
            Self::Alone => "alone",
            Self::Awake => "awake",
            Self::RoundTrip => "round_trip",
            Self::Interleaved => "interleaved",
        }
    }

    /// Returns the law in one line.
    #[must_use]
    pub const fn statement(self) -> &'static str {
        match self {
            Self::Split => "one trace of messages, however the bytes were cut",
            Self::Coalesce => "messages glued into one chunk are the same messages",
            Self::Prompt => "a message is emitted as soon as its last byte was fed",
            Self::Quiet => "asked again without new input, it emits nothing",
            Self::Total => "any bytes give events or a typed error",
            Self::Bounded => "the memory held stays under the limit",
            Self::Linear => "the work for each byte is constant",
            Self::Fused => "after an error, only that error",
            Self::End => "an end inside a message differs from one between two",
            Self::Alone => "a message gives the same events alone and among others",
            Self::Awake => "a reader that waits is woken when bytes arrive",
            Self::RoundTrip => "an event that is encoded and decoded again is the same",
            Self::Interleaved => "the order of the two sides' chunks does not change the messages",
        }
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The error of a name that is not the name of a law.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownLaw;

impl fmt::Display for UnknownLaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the name of a law; those are")?;
        Law::ALL.iter().try_for_each(|law| write!(f, " {law}"))
    }
}

impl std::error::Error for UnknownLaw {}

impl FromStr for Law {
    type Err = UnknownLaw;

    fn from_str(name: &str) -> Result<Self, UnknownLaw> {
        Self::ALL.into_iter().find(|law| law.name() == name).ok_or(UnknownLaw)
    }
}
