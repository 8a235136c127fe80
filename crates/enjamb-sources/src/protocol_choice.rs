//! The protocol of each connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use enjamb::{Connection, Session};
use enjamb_protocols::{Protocol, Registry, SpecError};

/// The name that leaves the choice to the first bytes of a connection and to transcripts.
const AUTO: &str = "auto";

/// The protocol of each connection: the one that the user chose or, under `auto`, the one that the
/// connection's transcript names.
///
/// Threads may share it: a reader enters protocols while sessions are opened.
#[derive(Debug)]
pub struct ProtocolChoice {
    registry: Registry,
    asked: NamedProtocol,
    /// Protocols that transcripts name, by the connection's number.
    named: Mutex<HashMap<u64, NamedProtocol>>,
}

/// A protocol, and the name or spec by which it was chosen.
#[derive(Clone, Debug)]
struct NamedProtocol {
    name: String,
    protocol: Arc<Protocol>,
}

impl ProtocolChoice {
    /// Chooses the protocol that `name` refers to: a name in `registry`, `auto`, or a framing spec.
    ///
    /// # Errors
    /// [`SpecError`] if `name` is none of them.
    pub fn new(registry: &Registry, name: &str) -> Result<Self, SpecError> {
        let asked = NamedProtocol { name: name.to_owned(), protocol: registry.resolve(name)? };
        Ok(Self { registry: registry.clone(), asked, named: Mutex::default() })
    }

    /// Opens a session for `connection`.
    #[must_use]
    pub fn session(&self, connection: &Connection) -> Box<dyn Session> {
        self.protocol(connection.number).session(Some(connection.server.port()))
    }

    /// Returns the protocol of the connection with this number.
    #[must_use]
    pub fn protocol(&self, number: u64) -> Arc<Protocol> {
        self.with_choice(number, |choice| Arc::clone(&choice.protocol))
    }

    /// Returns the name or spec by which the protocol of this connection was chosen.
    #[must_use]
    pub fn name(&self, number: u64) -> String {
        self.with_choice(number, |choice| choice.name.clone())
    }

    fn with_choice<T>(&self, number: u64, take: impl FnOnce(&NamedProtocol) -> T) -> T {
        let named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        take(named.get(&number).unwrap_or(&self.asked))
    }

    /// Returns the protocol that `auto` settled on, given the name that its messages carry.
    ///
    /// Returns `protocol` itself if it is not `auto`, or if the registry does not have that name.
    #[must_use]
    pub fn settled(&self, protocol: &Arc<Protocol>, name: &str) -> Arc<Protocol> {
        if protocol.name() == AUTO { self.registry.get(name).unwrap_or(protocol).clone() } else { protocol.clone() }
    }

    /// Enters the protocol that the transcript of a connection names. It is used only under `auto`.
    pub(crate) fn enter(&self, number: u64, name: &str) -> Result<(), SpecError> {
        if self.asked.name == AUTO {
            let named = NamedProtocol { name: name.to_owned(), protocol: self.registry.resolve(name)? };
            self.named.lock().unwrap_or_else(PoisonError::into_inner).insert(number, named);
        }
        Ok(())
    }
}
