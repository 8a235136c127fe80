//! One type for all that is in the zoo, so that the laws are compiled once.

use std::fmt::{self, Debug};

use enjamb_law::{Grammar, Kind, Run, Subject};

/// A subject of whatever type.
pub struct Any {
    subject: Box<dyn Subject<Event = EventText, Error = Kind> + Send + Sync>,
    pub encodes: bool,
}

/// An event, compared and shown by its debug text.
#[derive(Clone)]
pub struct EventText {
    text: String,
    /// What the crate's encoder makes of it, where the entry has one.
    pub encoded: Option<Vec<u8>>,
}

impl PartialEq for EventText {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Debug for EventText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Erases the type of a subject.
pub fn any<S>(subject: S) -> Any
where
    S: Subject<Event: Debug, Error = Kind> + Send + Sync + 'static,
{
    let subject = subject.map(|event| EventText { text: format!("{event:?}"), encoded: None });
    Any { subject: Box::new(subject), encodes: false }
}

/// Erases the type of a subject whose events `encode` encodes again: it is then under the round trip law.
pub fn encoding<S>(subject: S, encode: impl Fn(&S::Event) -> Option<Vec<u8>> + Send + Sync + 'static) -> Any
where
    S: Subject<Event: Debug, Error = Kind> + Send + Sync + 'static,
{
    let subject = subject.map(move |event| EventText { text: format!("{event:?}"), encoded: encode(&event) });
    Any { subject: Box::new(subject), encodes: true }
}

impl Subject for Any {
    type Event = EventText;
    type Error = Kind;

    fn run(&self, run: &mut Run<'_, EventText, Kind>) {
        self.subject.run(run);
    }
    fn fuses(&self) -> bool {
        self.subject.fuses()
    }
    fn waits(&self) -> bool {
        self.subject.waits()
    }
    fn rescans(&self) -> bool {
        self.subject.rescans()
    }
    fn vocabulary(&self, grammar: &mut Grammar) {
        self.subject.vocabulary(grammar);
    }
}
