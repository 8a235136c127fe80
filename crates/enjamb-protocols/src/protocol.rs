//! A protocol as data: its names, its ports, its detection, and its sessions.

use std::fmt;

use enjamb::{Attribute, Session, Side};

use crate::kit::{Conversation, Rules};
use crate::sniff::Sniff;
use crate::tunnel::OpenNamed;

/// Opens a session for a server on the port, where that is known. It may change to protocols that
/// the function opens.
type Open = dyn Fn(Option<u16>, Option<OpenNamed>) -> Box<dyn Session> + Send + Sync;

/// Recognises the first bytes of a side.
type SniffFunction = dyn Fn(Side, &[u8]) -> Sniff + Send + Sync;

/// A protocol that has a name. A [`Registry`](crate::Registry) holds it in an
/// [`Arc`](std::sync::Arc), which all sessions share.
pub struct Protocol {
    name: String,
    aliases: Vec<String>,
    ports: Vec<u16>,
    about: String,
    kinds: String,
    attributes: Vec<Attribute>,
    builtin: bool,
    sniff: Option<Box<SniffFunction>>,
    /// Recognises bytes that are too weak evidence without the port.
    likely: Option<Box<SniffFunction>>,
    open: Box<Open>,
    open_named: Option<OpenNamed>,
}

impl Protocol {
    /// Creates a protocol of the caller's own. It is found only by its name, unless
    /// [`port`](Self::port) or [`sniffed_by`](Self::sniffed_by) is called.
    pub fn new(name: impl Into<String>, open: impl Fn() -> Box<dyn Session> + Send + Sync + 'static) -> Self {
        Self::opened_by(name, false, move |_, _| open())
    }

    /// Creates a protocol whose sessions this crate implements.
    pub(crate) fn builtin(
        name: impl Into<String>,
        open: impl Fn() -> Box<dyn Session> + Send + Sync + 'static,
    ) -> Self {
        Self::opened_by(name, true, move |_, _| open())
    }

    /// Creates a protocol of rules, under their name.
    pub(crate) fn of_rules<R: Rules + 'static>(new: fn() -> R) -> Self {
        Self::opened_by(R::NAME, true, move |_, open| Box::new(Conversation::changing(new(), open)))
            .likely_by(move |side, first| new().begins(side, first))
    }

    /// Sets the function that recognises first bytes on one of its ports. For a protocol of rules
    /// it is by default [`Rules::begins`]: a conversation may begin with any message.
    pub(crate) fn likely_by(mut self, likely: impl Fn(Side, &[u8]) -> Sniff + Send + Sync + 'static) -> Self {
        self.likely = Some(Box::new(likely));
        self
    }

    /// Creates a protocol whose sessions depend on the server's port.
    pub(crate) fn with_port(
        name: impl Into<String>,
        builtin: bool,
        open: impl Fn(Option<u16>) -> Box<dyn Session> + Send + Sync + 'static,
    ) -> Self {
        Self::opened_by(name, builtin, move |port, _| open(port))
    }

    fn opened_by(
        name: impl Into<String>,
        builtin: bool,
        open: impl Fn(Option<u16>, Option<OpenNamed>) -> Box<dyn Session> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            aliases: Vec::new(),
            ports: Vec::new(),
            about: String::new(),
            kinds: String::new(),
            attributes: Vec::new(),
            builtin,
            sniff: None,
            likely: None,
            open: Box::new(open),
            open_named: None,
        }
    }

    /// Sets the function that opens the protocols to which its sessions change.
    pub(crate) fn opening(self, open: OpenNamed) -> Self {
        Self { open_named: Some(open), ..self }
    }

    /// Adds another name.
    #[must_use]
    pub fn alias(mut self, alias: impl Into<String>) -> Self {
        self.aliases.push(alias.into());
        self
    }

    /// Adds a port that its servers use. `auto` uses the port if the protocol has no
    /// [function](Self::sniffed_by) that recognises its first bytes, and no other protocol
    /// recognises them.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.ports.push(port);
        self
    }

    /// Adds ports that its servers use. See [`port`](Self::port).
    #[must_use]
    pub fn on_ports(mut self, ports: &[u16]) -> Self {
        self.ports.extend_from_slice(ports);
        self
    }

    /// Sets the line that describes it in a list of protocols.
    #[must_use]
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = about.into();
        self
    }

    /// Sets the phrase that tells the kinds of its messages: those of the client, a semicolon, and
    /// those of the server.
    #[must_use]
    pub fn with_kinds(mut self, kinds: impl Into<String>) -> Self {
        self.kinds = kinds.into();
        self
    }

    /// Adds an attribute that its messages may have, so that filters can name it.
    #[must_use]
    pub fn attribute(mut self, attribute: Attribute) -> Self {
        self.attributes.push(attribute);
        self
    }

    /// Adds attributes that its messages may have. See [`attribute`](Self::attribute).
    #[must_use]
    pub fn with_attributes(mut self, attributes: &[Attribute]) -> Self {
        self.attributes.extend_from_slice(attributes);
        self
    }

    /// Sets the function by which `auto` recognises its first bytes.
    #[must_use]
    pub fn sniffed_by(mut self, sniff: impl Fn(Side, &[u8]) -> Sniff + Send + Sync + 'static) -> Self {
        self.sniff = Some(Box::new(sniff));
        self
    }

    /// Returns its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its other names.
    #[must_use]
    pub fn aliases(&self) -> &[String] {
        &self.aliases
    }

    /// Returns the line that describes it.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.about
    }

    /// Returns the phrase that tells the kinds of its messages.
    #[must_use]
    pub fn kinds(&self) -> &str {
        &self.kinds
    }

    /// Returns the ports that its servers use.
    #[must_use]
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// Returns the attributes that its messages may have.
    #[must_use]
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// Returns whether this crate implements its sessions.
    ///
    /// Those never panic and never hang, so a tool may run them in place. The sessions of a
    /// protocol that a program [registers](crate::Registry::with) may do both. `auto` is built in
    /// if all its candidates are.
    #[must_use]
    pub fn is_builtin(&self) -> bool {
        self.builtin
    }

    pub(crate) fn sniff(&self, side: Side, first: &[u8]) -> Sniff {
        self.sniff.as_ref().map_or(Sniff::No, |sniff| sniff(side, first))
    }

    /// Returns whether the first bytes of a side follow the protocol, if the port is one of its
    /// own.
    pub(crate) fn is_likely(&self, side: Side, first: &[u8]) -> Sniff {
        self.likely.as_ref().map_or(Sniff::No, |likely| likely(side, first))
    }

    /// Returns whether its first bytes can be recognised.
    pub(crate) fn is_sniffed(&self) -> bool {
        self.sniff.is_some()
    }

    /// Opens a session, for a server on `server_port` where that is known.
    #[must_use]
    pub fn session(&self, server_port: Option<u16>) -> Box<dyn Session> {
        (self.open)(server_port, self.open_named)
    }
}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protocol").field("name", &self.name).field("ports", &self.ports).finish_non_exhaustive()
    }
}
