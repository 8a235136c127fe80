//! A built-in protocol, parsed in place on the relay's thread.

use std::cell::Cell;
use std::sync::Arc;

use enjamb::{Connection, Ending, Event, Tap, Time};

use crate::account::Account;
use crate::handler::{Handler, HandlerError};
use crate::messages::MessageBuffer;
use crate::shared::Shared;

thread_local! {
    static MESSAGES: Cell<Option<Box<MessageBuffer>>> = const { Cell::new(None) };
}

/// Parses one connection.
pub(crate) struct InlineTap {
    shared: Arc<Shared>,
    /// From the opening to the end.
    account: Option<Account>,
    /// `None` where nothing is parsed any more, too.
    handler: Option<Handler>,
}

impl InlineTap {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, account: None, handler: None }
    }

    /// Takes one event through the handler, and counts it.
    fn step(&mut self, time: Time, event: Event<'_>, messages: &mut MessageBuffer) {
        let Self { shared, account: Some(account), handler } = self else { return };
        let result = handler.as_mut().map_or(Ok(()), |handler| handler.call(event, messages));
        if let Err(error) = &result {
            account.fail(error);
        }
        account.record(time, event, handler.as_ref(), messages, &shared.journal);
        if let Err(error) = result {
            self.fail(time, &error);
        }
    }

    fn fail(&mut self, time: Time, error: &HandlerError) {
        if let Some(account) = &mut self.account {
            account.fail(error);
            account.report(time, &error.to_string(), &self.shared.journal);
            self.shared.failed(account.connection(), error);
        }
        if let Some(handler) = self.handler.take() {
            // It has failed already.
            let _ = handler.close();
        }
    }
}

impl Tap for InlineTap {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        if event == Event::Open {
            self.account = Some(Account::open(connection, self.shared.protocol.name(), time, &self.shared.journal));
            match self.shared.open_handler(connection) {
                Ok(handler) => self.handler = Some(handler),
                Err(error) => self.fail(time, &error),
            }
            return;
        }
        // Taken, not borrowed: should one tap ever call another, that one makes a buffer of its own.
        let mut messages = MESSAGES.take().unwrap_or_default();
        if event == Event::Done {
            // The end of the connection ends both sides, and the handler has to know.
            for side in self.account.iter().flat_map(Account::open_sides).collect::<Vec<_>>() {
                self.step(time, Event::Close { side, ending: Ending::Lost }, &mut messages);
            }
        }
        self.step(time, event, &mut messages);
        MESSAGES.set(Some(messages));
    }
}
