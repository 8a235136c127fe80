//! Protocols by name.
//!
//! Built-in protocols and a user's own register the same way: a name and a function that opens a session. Whoever is given
//! a protocol by a person (`--protocol WHAT`) resolves it here: a name, an alias, `auto`, or a framing spec.

use std::fmt;
use std::sync::Arc;

use enjamb::{Session, Side};

use crate::detect::Detect;
use crate::opaque::Opaque;
use crate::spec::{Framing, SpecError};
use crate::{http1, redis};

/// What the first bytes of a side say about its protocol.
///
/// A sniff is *monotone*: more bytes never change a `Yes` or a `No`. So what is detected does not depend on the cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sniff {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// Too few bytes to tell.
    More,
}

/// A protocol: its name, what it is known by, and how to open a session.
#[derive(Clone)]
pub struct Protocol {
    name: String,
    aliases: Vec<String>,
    ports: Vec<u16>,
    about: String,
    sniff: fn(Side, &[u8]) -> Sniff,
    builtin: bool,
    open: Arc<dyn Fn(Option<u16>) -> Box<dyn Session> + Send + Sync>,
}

impl Protocol {
    /// A protocol that is found by its name only.
    pub fn new(name: impl Into<String>, open: impl Fn() -> Box<dyn Session> + Send + Sync + 'static) -> Self {
        Self::with_port(name, move |_| open())
    }

    fn with_port(
        name: impl Into<String>,
        open: impl Fn(Option<u16>) -> Box<dyn Session> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            aliases: Vec::new(),
            ports: Vec::new(),
            about: String::new(),
            sniff: |_, _| Sniff::No,
            builtin: false,
            open: Arc::new(open),
        }
    }

    /// Returns whether it is one of enjamb's own.
    #[must_use]
    pub fn is_builtin(&self) -> bool {
        self.builtin
    }

    fn builtin(mut self, builtin: bool) -> Self {
        self.builtin = builtin;
        self
    }

    /// Another name for it.
    #[must_use]
    pub fn alias(mut self, alias: impl Into<String>) -> Self {
        self.aliases.push(alias.into());
        self
    }

    /// A port that its servers use. Tells `auto` what to take where the bytes tell nothing.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.ports.push(port);
        self
    }

    /// One line for a list of protocols.
    #[must_use]
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = about.into();
        self
    }

    /// How `auto` recognises it by its first bytes.
    #[must_use]
    pub fn sniffed_by(mut self, sniff: fn(Side, &[u8]) -> Sniff) -> Self {
        self.sniff = sniff;
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its other names.
    #[must_use]
    pub fn aliases(&self) -> &[String] {
        &self.aliases
    }

    /// The line about it.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.about
    }

    /// The ports its servers use.
    #[must_use]
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    pub(crate) fn sniff(&self, side: Side, first: &[u8]) -> Sniff {
        (self.sniff)(side, first)
    }

    /// Opens a session, for a server on `server_port` where that is known.
    #[must_use]
    pub fn session(&self, server_port: Option<u16>) -> Box<dyn Session> {
        (self.open)(server_port)
    }
}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protocol").field("name", &self.name).field("ports", &self.ports).finish_non_exhaustive()
    }
}

/// The protocols that are known by name.
///
/// ```
/// use enjamb_protocols::{Framing, Pair, Protocol, Registry};
///
/// let framing = Framing::parse("u16be max=4k").unwrap();
/// let registry = Registry::builtin()
///     .with(Protocol::new("mymq", move || Box::new(Pair::new("mymq", &framing, &framing))));
/// assert!(registry.resolve("mymq").is_ok());
/// assert!(registry.resolve("redis").is_ok());
/// assert!(registry.resolve("client=lines server=u16be").is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct Registry {
    protocols: Vec<Protocol>,
}

impl Registry {
    /// No protocols.
    #[must_use]
    pub fn empty() -> Self {
        Self { protocols: Vec::new() }
    }

    /// The built-in protocols.
    #[must_use]
    pub fn builtin() -> Self {
        Self::empty()
            .with(
                Protocol::new("http1", http1::session)
                    .alias("http")
                    .port(80)
                    .port(8080)
                    .about("HTTP/1.0 and HTTP/1.1 (RFC 9112)")
                    .sniffed_by(http1::sniff)
                    .builtin(true),
            )
            .with(
                Protocol::new("redis", redis::session)
                    .alias("resp")
                    .port(6379)
                    .about("Redis: RESP2, RESP3 and inline commands")
                    .sniffed_by(redis::sniff)
                    .builtin(true),
            )
            .with(
                Protocol::new("opaque", || Box::new(Opaque::default())).about("Bytes that are counted and not parsed").builtin(true),
            )
    }

    /// These protocols and one more. A name that is already there is taken by the new one.
    #[must_use]
    pub fn with(mut self, protocol: Protocol) -> Self {
        self.protocols.retain(|known| known.name != protocol.name);
        self.protocols.push(protocol);
        self
    }

    /// All of them, in the order `auto` asks them.
    pub fn iter(&self) -> impl Iterator<Item = &Protocol> {
        self.protocols.iter()
    }

    /// The protocol of this name or alias.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Protocol> {
        self.iter().find(|known| known.name == name || known.aliases.iter().any(|alias| alias == name))
    }

    /// Whichever of these protocols the first bytes of a conversation turn out to be; see [`Detect`].
    #[must_use]
    pub fn auto(&self) -> Protocol {
        let candidates: Arc<[Protocol]> = self.protocols.clone().into();
        let builtin = self.iter().all(Protocol::is_builtin);
        Protocol::with_port("auto", move |port| Box::new(Detect::new(Arc::clone(&candidates), port)))
            .builtin(builtin)
            .about("Whichever protocol the first bytes of a connection turn out to be")
    }

    /// The protocol that a person asks for: a name or alias, `auto`, or a framing spec.
    ///
    /// # Errors
    /// [`SpecError`], which shows the place at fault and lists what there is.
    pub fn resolve(&self, what: &str) -> Result<Protocol, SpecError> {
        if let Some(known) = self.get(what) {
            return Ok(known.clone());
        }
        if what == "auto" {
            return Ok(self.auto());
        }
        let sides = Framing::parse_sides(what).map_err(|error| {
            error.also_known(self.iter().map(Protocol::name).chain(["auto"]).collect::<Vec<_>>().join(", "))
        })?;
        let name = what.to_owned();
        Ok(Protocol::new(what, move || Box::new(sides.session(&name))).builtin(true))
    }
}
