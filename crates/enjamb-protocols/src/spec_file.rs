//! Spec files: a binary protocol described in TOML, without code.
//!
//! The file describes the messages, field by field, and their meaning: which field names the kind,
//! which messages are requests and answers, how they are paired, what is an error, what is secret.
//! Such a protocol is used like a built-in one. `docs/specs.md` describes the language.
//!
//! * `source` reads TOML tables with their places, `fields` and `parse` make the `model` of them
//!   and refuse what cannot work.
//! * `reading` reads a message by the model, `rules` gives it its meaning on the [kit](crate::kit),
//!   and `evidence` recognises messages.
//! * `lua` writes a dissector for Wireshark, and `dictionary` the tokens for a fuzzer.

mod dictionary;
mod error;
mod evidence;
mod fields;
mod lua;
mod model;
mod names;
mod parse;
mod reading;
mod rules;
mod source;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use enjamb::{Attribute, AttributeType, Session};

pub use self::error::SpecFileError;
use self::model::{Form, Spec};
use self::names::intern;
use self::rules::SpecRules;
use crate::kit::Conversation;
use crate::protocol::Protocol;
use crate::registry::open_named;

/// A protocol from a spec file.
///
/// ```
/// use enjamb::Side;
/// use enjamb_protocols::{Registry, SpecFile};
///
/// let spec = SpecFile::parse(r#"
///     name = "meter"
///     [messages.frame]
///     length = "length"
///     kind = "type"
///     fields = [
///         { name = "type", type = "u8", names = { 1 = "READ", 2 = "VALUE" } },
///         { name = "length", type = "u16" },
///         { name = "text", type = "string" },
///     ]
///     request = ["READ"]
///     answer = ["VALUE"]
///     subject = "text"
/// "#)?;
/// let registry = Registry::builtin().with(spec.protocol());
/// let mut session = registry.resolve("meter").unwrap().session(None);
/// let mut lines = Vec::new();
/// for (side, chunk) in [(Side::Client, &b"\x01\0"[..]), (Side::Client, b"\0"), (Side::Server, b"\x02\0\x0217")] {
///     session.feed(side, chunk, &mut |message| lines.push(message.to_owned().to_string()));
/// }
/// assert_eq!(lines, ["client READ at 0+3 ok: READ", "server VALUE at 0+5 ok answers #0: VALUE 17"]);
/// # Ok::<(), enjamb_protocols::SpecFileError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SpecFile {
    spec: Arc<Spec>,
}

impl SpecFile {
    /// Parses the text of a spec file, of at most 256 KiB.
    ///
    /// # Errors
    /// [`SpecFileError`], with the place of the error.
    pub fn parse(text: &str) -> Result<Self, SpecFileError> {
        parse::parse(text).map(|spec| Self { spec: Arc::new(spec) })
    }

    /// Returns the name of the protocol.
    #[must_use]
    pub fn name(&self) -> &str {
        self.spec.name
    }

    /// Returns the protocol, for a [`Registry`](crate::Registry). `auto` recognises it by its first
    /// bytes if they hold at least 16 bits that are always the same, and by its ports otherwise.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        let file = self.clone();
        let protocol = Protocol::builtin(self.spec.name, move || file.session())
            .with_kinds(self.kinds())
            .on_ports(&self.spec.ports)
            .about(self.spec.about.clone())
            .with_attributes(&self.attributes());
        if !evidence::is_recognisable(&self.spec) {
            return protocol;
        }
        let spec = Arc::clone(&self.spec);
        protocol.sniffed_by(move |side, first| evidence::sniff(&spec, side, first))
    }

    /// Opens a session at the beginning of a connection.
    #[must_use]
    pub fn session(&self) -> Box<dyn Session> {
        Box::new(Conversation::changing(SpecRules::new(Arc::clone(&self.spec)), Some(open_named)))
    }

    /// Returns a dissector for Wireshark, in Lua.
    #[must_use]
    pub fn wireshark(&self) -> String {
        lua::dissector(&self.spec)
    }

    /// Returns the constants of the protocol as a dictionary for a fuzzer (libFuzzer, AFL).
    #[must_use]
    pub fn dictionary(&self) -> String {
        dictionary::dictionary(&self.spec)
    }

    /// Returns the kinds of the messages of both sides.
    fn kinds(&self) -> String {
        let kinds = self.spec.layouts.iter().flat_map(|layout| {
            let names = layout.kind.iter().flat_map(|kind| kind.names.0.iter().map(|known| known.1));
            names.chain([layout.name])
        });
        let kinds: BTreeSet<&str> = kinds.collect();
        kinds.into_iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", ")
    }

    /// Returns an attribute for each field that has a name and is no secret.
    fn attributes(&self) -> Vec<Attribute> {
        let mut all: BTreeMap<&'static str, Attribute> = BTreeMap::new();
        for layout in &self.spec.layouts {
            for field in layout.fields.iter().filter(|field| !field.name.is_empty() && !field.secret) {
                let is_number = !matches!(field.form, Form::Bytes { .. } | Form::Align(_))
                    && field.names.is_empty()
                    && !field.form.is_signed();
                let bits = field.bits.iter().map(|bits| (bits.name, bits.names.is_empty(), ""));
                for (name, is_number, about) in bits.chain([(field.name, is_number, field.about)]) {
                    let value = if is_number { AttributeType::Number } else { AttributeType::Text };
                    let about =
                        if about.is_empty() { intern(&format!("the field {name} of {}", layout.name)) } else { about };
                    let attribute = Attribute::new(name, value, about);
                    all.entry(name)
                        .and_modify(|known| {
                            if known.value != value {
                                known.value = AttributeType::Text;
                            }
                        })
                        .or_insert(attribute);
                }
            }
        }
        all.into_values().collect()
    }
}
