//! One subject type for all entries, so that the laws are compiled once.

use std::fmt::{self, Debug};

use enjamb_law::{Grammar, Kind, Run, Subject};

/// A subject of any type.
pub struct AnySubject {
    subject: Box<dyn Subject<Event = TextEvent, Error = Kind> + Send + Sync>,
    pub encodes: bool,
}

/// An event, compared and printed by its `Debug` text.
#[derive(Clone)]
pub struct TextEvent {
    text: String,
    /// The bytes from the crate's encoder, where the entry has one.
    pub encoded: Option<Vec<u8>>,
}

impl PartialEq for TextEvent {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Debug for TextEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Erases the type of a subject.
pub fn any<S>(subject: S) -> AnySubject
where
    S: Subject<Event: Debug, Error = Kind> + Send + Sync + 'static,
{
    let subject = subject.map(|event| TextEvent { text: format!("{event:?}"), encoded: None });
    AnySubject { subject: Box::new(subject), encodes: false }
}

/// Erases the type of a subject whose events `encode` encodes. This turns on the round trip law.
pub fn encoding<S>(subject: S, encode: impl Fn(&S::Event) -> Option<Vec<u8>> + Send + Sync + 'static) -> AnySubject
where
    S: Subject<Event: Debug, Error = Kind> + Send + Sync + 'static,
{
    let subject = subject.map(move |event| TextEvent { text: format!("{event:?}"), encoded: encode(&event) });
    AnySubject { subject: Box::new(subject), encodes: true }
}

impl Subject for AnySubject {
    type Event = TextEvent;
    type Error = Kind;

    fn run(&self, run: &mut Run<'_, TextEvent, Kind>) {
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
    fn ends(&self) -> bool {
        self.subject.ends()
    }
    fn pulls(&self) -> bool {
        self.subject.pulls()
    }
    fn vocabulary(&self, grammar: &mut Grammar) {
        self.subject.vocabulary(grammar);
    }
}
