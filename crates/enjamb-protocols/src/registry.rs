//! Protocols by name.
//!
//! Built-in protocols and a program's own are registered in the same way. A tool resolves the
//! argument of `--protocol` here: a name, an alias, `auto`, or a framing spec.

use std::sync::{Arc, LazyLock};

use enjamb::{AttributeSet, Session, Side};

use crate::detect::Detector;
use crate::framing::Framing;
use crate::opaque::OpaqueSession;
use crate::protocol::Protocol;
use crate::sniff::Sniff;
use crate::spec::SpecError;
use crate::tunnel::DEPTH_MAX;
use crate::{http1, protocols, redis, socks};

/// The name that leaves the choice to the first bytes of a connection.
const AUTO: &str = "auto";

/// The framing specs that are one word.
const FRAMINGS: [&str; 4] = ["lines", "varint", "netstring", "cobs"];

/// Opens the session inside a tunnel, which `depth` tunnels contain: it detects a built-in
/// protocol.
fn inside_tunnel(depth: u8) -> Box<dyn Session> {
    // A candidate for each depth, since a tunnel inside must know its depth.
    static CANDIDATES: LazyLock<Vec<Arc<[Arc<Protocol>]>>> = LazyLock::new(|| {
        let of_depth = |depth: u8| {
            let protocols = [
                Protocol::builtin("http1", move || http1::tunnelling(inside_tunnel, open_named, depth))
                    .sniffed_by(http1::sniff),
                Protocol::builtin("redis", redis::session).sniffed_by(redis::sniff),
                Protocol::builtin("socks", move || socks::session(inside_tunnel, depth)).sniffed_by(socks::sniff),
            ];
            protocols
                .into_iter()
                .chain(protocols::ALL.iter().map(|protocol| protocol().opening(open_named)))
                .map(Arc::new)
                .collect()
        };
        (0..=DEPTH_MAX).map(of_depth).collect()
    });
    match CANDIDATES.get(usize::from(depth)) {
        Some(candidates) => Box::new(Detector::new(Arc::clone(candidates), None)),
        None => Box::new(OpaqueSession::default()),
    }
}

/// Opens a session of a built-in protocol, to which another one changes.
pub(crate) fn open_named(name: &str, side: Side, first: &[u8]) -> Option<(Box<dyn Session>, Sniff)> {
    static BUILTIN: LazyLock<Registry> = LazyLock::new(Registry::builtin);
    let protocol = BUILTIN.get(name)?;
    Some((protocol.session(None), protocol.sniff(side, first)))
}

/// The protocols that have a name.
///
/// ```
/// use enjamb_protocols::{Framing, Pair, Protocol, Registry};
///
/// let framing = Framing::parse("u16be max=4k").unwrap();
/// let registry = Registry::builtin()
///     .with(Protocol::new("mymq", move || Box::new(Pair::new("mymq", &framing, &framing))));
/// assert!(!registry.resolve("mymq").unwrap().is_builtin());
/// assert!(registry.resolve("redis").unwrap().is_builtin());
/// assert!(registry.resolve("client=lines server=u16be").is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct Registry {
    protocols: Vec<Arc<Protocol>>,
}

impl Registry {
    /// Creates a registry without protocols.
    #[must_use]
    pub fn empty() -> Self {
        Self { protocols: Vec::new() }
    }

    /// Creates a registry of the built-in protocols.
    #[must_use]
    pub fn builtin() -> Self {
        let registry = Self::empty()
            .with(
                Protocol::builtin("http1", || http1::tunnelling(inside_tunnel, open_named, 0))
                    .alias("http")
                    .port(80)
                    .port(8080)
                    .about("HTTP/1.0 and HTTP/1.1 (RFC 9112)")
                    .with_kinds("the method; `response`")
                    .with_attributes(http1::ATTRIBUTES)
                    .sniffed_by(http1::sniff),
            )
            .with(
                Protocol::builtin("redis", redis::session)
                    .alias("resp")
                    .port(6379)
                    .about("Redis: RESP2, RESP3 and inline commands")
                    .with_kinds("the command's name; `reply`, `push`")
                    .with_attributes(redis::ATTRIBUTES)
                    .sniffed_by(redis::sniff),
            )
            .with(
                Protocol::builtin("socks", || socks::session(inside_tunnel, 0))
                    .port(1080)
                    .about("SOCKS 4, 4a and 5 (RFC 1928, RFC 1929), with the protocol inside")
                    .with_kinds("`greeting`, `authentication`, `CONNECT`; `method`, `status`, `reply`")
                    .sniffed_by(socks::sniff),
            );
        let opaque = Protocol::builtin("opaque", || Box::new(OpaqueSession::default()))
            .about("Bytes that are counted and not parsed")
            .with_kinds("`opaque`");
        protocols::ALL
            .iter()
            .fold(registry, |registry, protocol| registry.with(protocol().opening(open_named)))
            .with(opaque)
    }

    /// Adds a protocol. It replaces one of the same name.
    #[must_use]
    pub fn with(mut self, protocol: impl Into<Arc<Protocol>>) -> Self {
        let protocol = protocol.into();
        self.protocols.retain(|known| known.name() != protocol.name());
        self.protocols.push(protocol);
        self
    }

    /// Returns all protocols, in the order in which `auto` tries them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Protocol>> {
        self.protocols.iter()
    }

    /// Returns the attributes of the messages of each protocol that has some.
    #[must_use]
    pub fn attributes(&self) -> Vec<AttributeSet<'_>> {
        let sets = self.iter().map(|known| AttributeSet {
            protocol: known.name(),
            aliases: known.aliases(),
            attributes: known.attributes(),
        });
        sets.filter(|set| !set.attributes.is_empty()).collect()
    }

    /// Returns the protocol of this name or alias.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Protocol>> {
        self.iter().find(|known| known.name() == name || known.aliases().iter().any(|alias| alias == name))
    }

    /// Returns the protocol `auto`, which detects one of these protocols by the first bytes of a
    /// connection. See [`Detector`].
    #[must_use]
    pub fn auto(&self) -> Arc<Protocol> {
        let candidates: Arc<[Arc<Protocol>]> = self.protocols.clone().into();
        let builtin = self.iter().all(|candidate| candidate.is_builtin());
        let auto =
            Protocol::with_port(AUTO, builtin, move |port| Box::new(Detector::new(Arc::clone(&candidates), port)));
        Arc::new(
            auto.about("Whichever protocol the first bytes of a connection are").with_kinds("those of that protocol"),
        )
    }

    /// Returns the name or alias that `text` resembles most, if it looks like a slip: at most a
    /// third of its characters are wrong, missing, added or exchanged with their neighbours.
    fn similar_name(&self, text: &str) -> Option<String> {
        let aliases = self.iter().flat_map(|known| known.aliases().iter().map(String::as_str));
        let names = self.iter().map(|known| known.name()).chain(aliases).chain([AUTO]).chain(FRAMINGS);
        let lower = text.to_lowercase();
        let (slips, name) = names.map(|name| (strsim::damerau_levenshtein(&lower, name), name)).min()?;
        (slips <= text.chars().count().max(3) / 3).then(|| name.to_owned())
    }

    /// Returns the protocol that the user named: by a name or alias, `auto`, or a framing spec.
    ///
    /// # Errors
    /// [`SpecError`], which shows the place of the error and lists the names.
    pub fn resolve(&self, name_or_spec: &str) -> Result<Arc<Protocol>, SpecError> {
        if let Some(known) = self.get(name_or_spec) {
            return Ok(Arc::clone(known));
        }
        if name_or_spec == AUTO {
            return Ok(self.auto());
        }
        let sides = Framing::parse_sides(name_or_spec).map_err(|error| {
            let names = self.iter().map(|known| known.name()).chain([AUTO]);
            let names = names.collect::<Vec<_>>().join(", ");
            error.with_similar(self.similar_name(name_or_spec)).with_names(names)
        })?;
        let name = name_or_spec.to_owned();
        Ok(Arc::new(Protocol::builtin(name_or_spec, move || Box::new(sides.session(&name)))))
    }
}
