//! The protocol of each connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use enjamb::{Connection, Session};
use enjamb_protocols::{Protocol, Registry, SpecError};

/// The name that leaves the choice to the first bytes of a connection and to transcripts.
const AUTO: &str = "auto";

/// The protocol of each connection: the one that the user chose for its port or, without one, for
/// all connections. Under `auto`, a transcript may name it.
///
/// Threads may share it: a reader enters protocols while sessions are opened.
#[derive(Debug)]
pub struct ProtocolChoice {
    registry: Registry,
    asked: NamedProtocol,
    /// Protocols of the connections to a port.
    ports: Vec<(u16, NamedProtocol)>,
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
        Ok(Self { registry: registry.clone(), asked, ports: Vec::new(), named: Mutex::default() })
    }

    /// Chooses the protocol of the connections to a server on this port. The choice that was made
    /// first counts.
    ///
    /// # Errors
    /// [`SpecError`] if `name` is no protocol, as in [`new`](Self::new).
    pub fn on_port(mut self, port: u16, name: &str) -> Result<Self, SpecError> {
        let protocol = NamedProtocol { name: name.to_owned(), protocol: self.registry.resolve(name)? };
        self.ports.push((port, protocol));
        Ok(self)
    }

    /// Opens a session for `connection`.
    #[must_use]
    pub fn session(&self, connection: &Connection) -> Box<dyn Session> {
        self.protocol(connection).session(Some(connection.server.port()))
    }

    /// Returns the protocol of the connection.
    #[must_use]
    pub fn protocol(&self, connection: &Connection) -> Arc<Protocol> {
        self.with_choice(connection, |choice| Arc::clone(&choice.protocol))
    }

    /// Returns the name or spec by which the protocol of this connection was chosen.
    #[must_use]
    pub fn name(&self, connection: &Connection) -> String {
        self.with_choice(connection, |choice| choice.name.clone())
    }

    fn with_choice<T>(&self, connection: &Connection, take: impl FnOnce(&NamedProtocol) -> T) -> T {
        let named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let of_port = || self.ports.iter().find(|(port, _)| *port == connection.server.port());
        let chosen = named.get(&connection.number).or_else(|| of_port().map(|(_, chosen)| chosen));
        take(chosen.unwrap_or(&self.asked))
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
