//! A built-in protocol, parsed in place on the relay's thread.

use std::cell::Cell;
use std::sync::Arc;

use enjamb::{Connection, Ending, Event, Tap, Time};
use enjamb_net::Closer;
use enjamb_protocols::Protocol;

use crate::account::Account;
use crate::handler::Handler;
use crate::messages::MessageBuffer;
use crate::shared::Shared;

thread_local! {
    static MESSAGES: Cell<Option<Box<MessageBuffer>>> = const { Cell::new(None) };
}

/// Parses one connection.
pub(crate) struct InlineTap {
    protocol: Arc<Protocol>,
    shared: Arc<Shared>,
    /// The account, from the opening to the end of the connection.
    account: Option<Account>,
    handler: State,
    /// Ends the connection when a message is malformed. `None`: it goes on.
    closer: Option<Closer>,
}

enum State {
    /// The session is opened with the first event after the opening: the relay opens one connection
    /// at a time.
    Unopened,
    Open(Handler),
    /// Parsing has stopped.
    Failed,
}

impl InlineTap {
    pub(crate) fn new(protocol: Arc<Protocol>, shared: Arc<Shared>, closer: Option<Closer>) -> Self {
        Self { protocol, shared, account: None, handler: State::Unopened, closer }
    }

    /// Passes one event to the handler, and counts it.
    fn step(&mut self, time: Time, event: Event<'_>, messages: &mut MessageBuffer) {
        let Self { protocol, shared, account: Some(account), handler, closer } = self else { return };
        let mut result = Ok(());
        if matches!(handler, State::Unopened) {
            match shared.open_handler(protocol, account.connection()) {
                Ok(opened) => *handler = State::Open(opened),
                Err(error) => result = Err(error),
            }
        }
        let mut opened = if let State::Open(handler) = handler { Some(handler) } else { None };
        if let Some(handler) = &mut opened {
            result = handler.call(event, messages);
        }
        if let Some(closer) = closer
            && let Some(reason) = messages.first_malformed()
        {
            closer.close(reason);
        }
        if let Err(error) = &result {
            account.fail(error);
        }
        account.record(time, event, opened.as_deref(), messages, &shared.journal);
        if let Err(error) = result {
            account.report(time, &error.to_string(), &shared.journal);
            shared.failed(account.connection(), &error);
            if let State::Open(handler) = std::mem::replace(handler, State::Failed) {
                // Its failure has been reported already.
                let _ = handler.close();
            }
        }
    }
}

impl Tap for InlineTap {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        if event == Event::Open {
            self.account = Some(Account::open(connection, self.protocol.name(), time, &self.shared.journal));
            return;
        }
        // Taken, not borrowed: if one tap ever calls another, that one makes its own buffer.
        let mut messages = MESSAGES.take().unwrap_or_default();
        if event == Event::Done {
            // The end of the connection ends both sides, and the handler must be called for each.
            for side in self.account.iter().flat_map(Account::open_sides).collect::<Vec<_>>() {
                self.step(time, Event::Close { side, ending: Ending::Lost }, &mut messages);
            }
        }
        self.step(time, event, &mut messages);
        MESSAGES.set(Some(messages));
    }
}
