//! One session, called so that its panics end here.
//!
//! A call copies the messages that the session emits. No lock is held meanwhile.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use enjamb::units::format_duration;
use enjamb::{Event, Message, Session};
use enjamb_isolate::catch_panic;
use enjamb_protocols::Protocol;

use crate::messages::{MESSAGES_PER_CALL_MAX, MessageBuffer, TEXT_PER_CALL_MAX};

/// The part of a handler that was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Open,
    Feed,
    Gap,
    Close,
    Drop,
}

impl Call {
    /// The call that takes `event`. `None`: the session takes no part in it.
    pub(crate) fn of(event: &Event<'_>) -> Option<Self> {
        match event {
            Event::Open => Some(Self::Open),
            Event::Chunk { .. } => Some(Self::Feed),
            Event::Gap { .. } => Some(Self::Gap),
            Event::Close { .. } => Some(Self::Close),
            Event::Done => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Open => "the function that opens sessions",
            Self::Feed => "feed",
            Self::Gap => "gap",
            Self::Close => "close",
            Self::Drop => "drop",
        }
    }
}

/// Why a connection is not parsed any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandlerError {
    /// The handler panicked, with this message.
    #[error("the handler panicked in {}: {message}", .call.as_str())]
    Panicked { call: Call, message: String },
    /// A call took too long.
    #[error("the handler did not return from {} within {}", .call.as_str(), format_duration(*.limit))]
    TimedOut { call: Call, limit: Duration },
    /// One call emitted more than is kept.
    #[error("the handler emitted more than {MESSAGES_PER_CALL_MAX} messages or {TEXT_PER_CALL_MAX} bytes in one call")]
    Overflowed,
    /// Too many handlers have not returned, so that no more are run.
    #[error("the handler was not run, since {0} handlers before it have not returned")]
    NotRun(usize),
    /// The proxy ends, and the handler has not parsed all of the connection.
    #[error("the proxy ended before the handler had parsed all of the connection")]
    Unfinished,
}

impl HandlerError {
    /// Returns the reason of the message for the bytes that are not parsed: one of a few phrases, so that it can be
    /// counted.
    pub(crate) fn phrase(&self) -> &'static str {
        match self {
            Self::Panicked { .. } => "the handler panicked",
            Self::TimedOut { .. } => "the handler did not return",
            Self::Overflowed => "the handler emitted too much",
            Self::NotRun(_) => "the handler was not run",
            Self::Unfinished => "the proxy ended before the handler",
        }
    }
}

/// A session that runs.
pub(crate) struct Handler {
    session: Box<dyn Session>,
    protocol: String,
    with_summaries: bool,
}

impl Handler {
    /// Opens a session. The summaries of its messages are written if they are wanted.
    pub(crate) fn open(protocol: &Protocol, server_port: u16, with_summaries: bool) -> Result<Self, HandlerError> {
        guarded(Call::Open, || {
            let session = protocol.session(Some(server_port));
            let protocol = session.protocol().to_owned();
            Self { session, protocol, with_summaries }
        })
    }

    /// The name of the protocol. A session that detects its protocol changes it.
    pub(crate) fn protocol(&self) -> &str {
        &self.protocol
    }

    /// Gives `event` to the session, and copies the messages that it emits: those before a panic too.
    pub(crate) fn call(&mut self, event: Event<'_>, messages: &mut MessageBuffer) -> Result<(), HandlerError> {
        let Some(call) = Call::of(&event) else { return Ok(()) };
        let Self { session, protocol, with_summaries } = self;
        guarded(call, || {
            let out = &mut |message: &Message<'_>| messages.push(message, *with_summaries);
            match event {
                Event::Open | Event::Done => {}
                Event::Chunk { side, bytes } => session.feed(side, bytes, out),
                Event::Gap { side, missing } => session.gap(side, missing, out),
                Event::Close { side, ending } => session.close(side, ending, out),
            }
            if session.protocol() != protocol {
                session.protocol().clone_into(protocol);
            }
        })?;
        if messages.is_overfull() { Err(HandlerError::Overflowed) } else { Ok(()) }
    }

    /// Drops the session.
    pub(crate) fn close(self) -> Result<(), HandlerError> {
        guarded(Call::Drop, || drop(self.session))
    }
}

/// Runs one call. A session that panicked is not called again, so that it does not matter what state it is in.
fn guarded<T>(call: Call, run: impl FnOnce() -> T) -> Result<T, HandlerError> {
    catch_panic(AssertUnwindSafe(run)).map_err(|panic| {
        let message = panic.message().to_owned();
        // The destructor of the payload is foreign code too, and may panic.
        std::mem::forget(panic);
        HandlerError::Panicked { call, message }
    })
}
