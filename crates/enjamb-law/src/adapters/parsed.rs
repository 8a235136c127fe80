//! The result of a parse function, and its conversions from the results of other crates.

/// The result of a parse function, whose bytes begin at the start of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed<T, E> {
    /// The message is not complete.
    Incomplete,
    /// The message, and the number of bytes that it used, at least one.
    Done(T, usize),
    /// The bytes are not a message.
    Failed(E),
}

impl<T, E> Parsed<T, E> {
    /// Changes the message by `change`.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Parsed<U, E> {
        match self {
            Self::Incomplete => Parsed::Incomplete,
            Self::Done(message, used) => Parsed::Done(change(message), used),
            Self::Failed(error) => Parsed::Failed(error),
        }
    }

    /// Changes the error by `change`.
    pub fn map_error<F>(self, change: impl FnOnce(E) -> F) -> Parsed<T, F> {
        match self {
            Self::Incomplete => Parsed::Incomplete,
            Self::Done(message, used) => Parsed::Done(message, used),
            Self::Failed(error) => Parsed::Failed(change(error)),
        }
    }
}

/// Converts the common form: a message and the number of bytes that it used, or `None` if it is not
/// complete.
impl<T, E> From<Result<Option<(T, usize)>, E>> for Parsed<T, E> {
    fn from(result: Result<Option<(T, usize)>, E>) -> Self {
        match result {
            Ok(Some((message, used))) => Self::Done(message, used),
            Ok(None) => Self::Incomplete,
            Err(error) => Self::Failed(error),
        }
    }
}

/// Converts the result of `httparse`. The message is in the request or response that was parsed:
/// [`map`](Parsed::map) adds it.
#[cfg(feature = "httparse")]
impl<E> From<Result<httparse::Status<usize>, E>> for Parsed<(), E> {
    fn from(result: Result<httparse::Status<usize>, E>) -> Self {
        match result {
            Ok(httparse::Status::Complete(used)) => Self::Done((), used),
            Ok(httparse::Status::Partial) => Self::Incomplete,
            Err(error) => Self::Failed(error),
        }
    }
}

macro_rules! nom {
    ($feature:literal, $nom:ident) => {
        #[cfg(feature = $feature)]
        impl<T> Parsed<T, crate::Kind> {
            #[doc = concat!("Converts the result of a streaming parser of `", stringify!($nom), "` for `bytes`. The error borrows them, so only its kind is kept.")]
            pub fn $nom<E: std::fmt::Debug>(bytes: &[u8], result: $nom::IResult<&[u8], T, E>) -> Self {
                match result {
                    // A rest that is longer than `bytes` is not a part of it: `usize::MAX` is never
                    // a valid number of bytes.
                    Ok((rest, message)) => Self::Done(message, bytes.len().checked_sub(rest.len()).unwrap_or(usize::MAX)),
                    Err($nom::Err::Incomplete(_)) => Self::Incomplete,
                    Err($nom::Err::Error(error) | $nom::Err::Failure(error)) => Self::Failed(crate::Kind::of(&error)),
                }
            }
        }
    };
}

nom!("nom7", nom7);
nom!("nom8", nom8);
