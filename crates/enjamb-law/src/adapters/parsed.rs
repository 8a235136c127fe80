//! What a parse function returns, and how other crates say it.

/// What a parse function makes of the bytes it is given, which begin where a message begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed<T, E> {
    /// The message is not all there.
    Incomplete,
    /// The message, and how many bytes it took: at least one.
    Done(T, usize),
    /// There is no message.
    Failed(E),
}

impl<T, E> Parsed<T, E> {
    /// The message changed by `change`.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Parsed<U, E> {
        match self {
            Self::Incomplete => Parsed::Incomplete,
            Self::Done(message, used) => Parsed::Done(change(message), used),
            Self::Failed(error) => Parsed::Failed(error),
        }
    }

    /// The error changed by `change`.
    pub fn map_error<F>(self, change: impl FnOnce(E) -> F) -> Parsed<T, F> {
        match self {
            Self::Incomplete => Parsed::Incomplete,
            Self::Done(message, used) => Parsed::Done(message, used),
            Self::Failed(error) => Parsed::Failed(change(error)),
        }
    }
}

/// How many parsers say it: the message and how many bytes it took, or `None` when it is not all there.
impl<T, E> From<Result<Option<(T, usize)>, E>> for Parsed<T, E> {
    fn from(result: Result<Option<(T, usize)>, E>) -> Self {
        match result {
            Ok(Some((message, used))) => Self::Done(message, used),
            Ok(None) => Self::Incomplete,
            Err(error) => Self::Failed(error),
        }
    }
}

/// What `httparse` returns. It has left the message in the request or response it was called on: [`map`](Parsed::map) picks it up.
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
            #[doc = concat!("What a streaming parser of `nom`, version ", stringify!($nom), ", returns of `bytes`. Its error borrows them, so its kind is taken here.")]
            pub fn $nom<E: std::fmt::Debug>(bytes: &[u8], result: $nom::IResult<&[u8], T, E>) -> Self {
                match result {
                    // A rest that is longer than the bytes is not one of them: no length fits.
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
