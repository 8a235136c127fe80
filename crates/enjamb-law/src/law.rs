//! The laws by name.

use std::fmt;
use std::str::FromStr;

/// What must hold of everything that reads messages off a stream, however the bytes are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Law {
    /// One trace of messages, however the bytes were cut: [`split`](crate::split).
    Split,
    /// Messages glued into one chunk, few or many, are the same messages: [`coalesce`](crate::coalesce).
    Coalesce,
    /// A message whose last byte was fed has been said: [`prompt`](crate::prompt).
    Prompt,
    /// Asked again without anything new, it says nothing new: [`quiet`](crate::quiet).
    Quiet,
    /// Any bytes whatever are answered with values or a typed error; no panic, no endless answer, no endless recursion: [`total`](crate::total).
    Total,
    /// What is held stays under the declared limit: [`bounded`](crate::bounded).
    Bounded,
    /// Work for each byte is constant: [`linear`](crate::linear).
    Linear,
    /// After an error, only that error: [`fused`](crate::fused).
    Fused,
    /// The end of the stream inside a message is told from one between two messages: [`end`](crate::end).
    End,
    /// Messages say alone what they say together: [`alone`](crate::alone).
    Alone,
    /// An async reader that waits when bytes arrive is woken, and does not spin when none do: [`awake`](crate::awake).
    Awake,
    /// Encoded again it is the same message, decoded again the same value: [`round_trip`](crate::round_trip).
    RoundTrip,
}

impl Law {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 12] = [
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
    ];

    /// `split`, `coalesce`, ..., `round_trip`: also the name of its test.
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
        }
    }

    /// What it says, in one line.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::Split => "one trace of messages, however the bytes were cut",
            Self::Coalesce => "messages glued into one chunk are the same messages",
            Self::Prompt => "a message whose last byte was fed has been said",
            Self::Quiet => "asked again without anything new, it says nothing new",
            Self::Total => "any bytes whatever: values or a typed error",
            Self::Bounded => "what is held stays under the limit",
            Self::Linear => "work for each byte is constant",
            Self::Fused => "after an error, only that error",
            Self::End => "an end inside a message is told from one between two",
            Self::Alone => "messages say alone what they say together",
            Self::Awake => "who waits when bytes arrive is woken",
            Self::RoundTrip => "encoded again it is the same",
        }
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name is not that of a law.
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
