//! A fuzz target, as data.

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is also that of its program, its seeds and its dictionary.
    pub name: &'static str,
    /// The property that it checks, for people.
    pub property: &'static str,
    /// The form of its inputs. The mutator edits parts of this form.
    pub form: Form,
    /// The function that checks one input. It panics if the property does not hold.
    pub run: fn(&[u8]),
    /// The dictionary of tokens, in the form of libFuzzer.
    pub dictionary: &'static str,
    /// The public parsers that it reaches, as `crate::function`.
    pub parsers: &'static [&'static str],
}

/// The form of a target's inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Bytes that choose a protocol, and a script: a conversation in messages, with cuts.
    Script(Choice),
    /// A program of terminators, and a stream with cuts.
    Program,
    /// Records of the same length behind a head.
    Records {
        /// The length of the head, in bytes.
        head: usize,
        /// The length of a record, in bytes.
        width: usize,
    },
    /// Some bytes, and a stream without cuts.
    Stream {
        /// The number of bytes before the stream.
        head: usize,
    },
    /// A capture file.
    Capture,
    /// Packets, with bytes between them.
    Packets,
    /// Lines of text.
    Text,
}

/// The bytes before a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The protocol of a family.
    Family,
    /// A protocol of any family.
    Any,
    /// A protocol of the registry.
    Registry,
    /// This many bytes, which choose no protocol.
    Bytes(usize),
    /// A number of bytes, and so many bytes.
    Counted,
    /// A framing spec or a spec file.
    Spec,
}
