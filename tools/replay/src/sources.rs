//! Captures and transcripts, one after the other, into one tap; and who speaks what in them.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use enjamb::{Connection, Session, Tap};
use enjamb_capture::Options;
use enjamb_protocols::{Protocol, Registry};

use crate::inputs::{Input, Inputs};
use crate::numbered::Numbered;
use crate::report::CaptureTotals;
use crate::transcripts::{self, Text};

/// The name that leaves it to the bytes, and to what a transcript says of itself.
const AUTO: &str = "auto";

/// Which protocol each connection speaks: the one that was asked for, or, where that is `auto`, the one that its transcript names.
#[derive(Debug)]
pub struct Spoken {
    registry: Registry,
    asked: (String, Arc<Protocol>),
    /// By the connection's number.
    named: Mutex<HashMap<u64, (String, Arc<Protocol>)>>,
}

impl Spoken {
    /// All speak `protocol`, which a person asked for as `name`; under `auto` a transcript may name another of `registry`.
    #[must_use]
    pub fn new(registry: Registry, name: &str, protocol: Arc<Protocol>) -> Self {
        Self { registry, asked: (name.to_owned(), protocol), named: Mutex::default() }
    }

    /// A session for `connection`.
    #[must_use]
    pub fn session(&self, connection: &Connection) -> Box<dyn Session> {
        let named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let protocol = Arc::clone(&named.get(&connection.number).unwrap_or(&self.asked).1);
        drop(named);
        protocol.session(Some(connection.server.port()))
    }

    /// What the connection of this number speaks: the name by which it was asked for, and the protocol.
    #[must_use]
    pub fn protocol(&self, number: u64) -> (String, Arc<Protocol>) {
        let named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        named.get(&number).unwrap_or(&self.asked).clone()
    }

    /// The protocol that `auto` settled on, by the name that its messages gave it; `protocol` itself where it is another, or that is no name.
    pub(crate) fn settled(&self, protocol: &Arc<Protocol>, name: &str) -> Arc<Protocol> {
        if protocol.name() == AUTO { self.registry.get(name).unwrap_or(protocol).clone() } else { protocol.clone() }
    }

    /// A transcript says what the connection of this number speaks.
    fn names(&self, number: u64, name: &str) -> Result<(), String> {
        if self.asked.0 != AUTO {
            return Ok(());
        }
        let protocol = self
            .registry
            .resolve(name)
            .map_err(|error| format!("the protocol that it names is not known; --protocol says another\n{error}"))?;
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        named.insert(number, (name.to_owned(), protocol));
        Ok(())
    }
}

/// Reads all of `inputs` into `tap`, their connections numbered on; `next` is told of each input before it is read. What cannot be read is told on standard
/// error under the name of `program`, and the others go on.
pub fn read_each<T: Tap>(
    program: &str,
    inputs: &Inputs,
    options: &Options,
    spoken: &Spoken,
    tap: &mut T,
    mut next: impl FnMut(&mut T, &Input),
) -> CaptureTotals {
    let mut totals = CaptureTotals::default();
    for (name, error) in &inputs.unreadable {
        eprintln!("{program}: {name}: {error}");
        totals.unreadable += 1;
    }
    if let Some(line) = inputs.passed_over() {
        eprintln!("{program}: {line}");
    }
    let mut base = 0;
    for input in &inputs.captures {
        next(tap, input);
        let mut numbered = Numbered { base, highest: base, only: None, tap };
        let mut say = |line: String| eprintln!("{program}: {line}");
        let read = input
            .open()
            .map_err(anyhow::Error::from)
            .and_then(|source| read(input, source, options, spoken, &mut numbered, &mut totals, &mut say));
        if let Err(error) = read {
            say(format!("{}: {error:#}", input.name()));
            totals.unreadable += 1;
        }
        base = numbered.highest;
    }
    totals
}

/// Reads one of them, which was opened as `source`. What is wrong in it is told to `say`, with its name in front.
pub(crate) fn read(
    input: &Input,
    source: impl Read,
    options: &Options,
    spoken: &Spoken,
    numbered: &mut Numbered<'_, impl Tap>,
    totals: &mut CaptureTotals,
    say: &mut dyn FnMut(String),
) -> anyhow::Result<()> {
    let base = numbered.base;
    let (is_transcript, source) = transcripts::beginning(source)?;
    if !is_transcript {
        let report = enjamb_capture::read(source, numbered, options);
        if let Some(error) = &report.error {
            say(format!("{}: {error}", input.name()));
        }
        totals.add(&report, base);
        return Ok(());
    }
    let text = Text::read(source).map_err(anyhow::Error::msg)?;
    if let Some(name) = &text.transcript.protocol {
        spoken.names(base + 1, name).map_err(anyhow::Error::msg)?;
    }
    if let Some(line) = text.play(1, numbered) {
        say(format!("{}: line {line} is passed over, since that side had ended before it", input.name()));
    }
    totals.transcripts += 1;
    Ok(())
}
