//! Scripts: inputs as values.
//!
//! A script is a list of [`Item`]s: whole messages, damaged ones, parts of tokens, payloads, right
//! and wrong lengths, and cuts between them. A [`Grammar`] gives it exact bytes. It has two written
//! forms, and [`Script::read`] takes either:
//!
//! * the *binary form* for fuzzers. Every byte string is a script in this form, and most bytes
//!   represent themselves. `FF` and one more byte is an item:
//!
//!   ```text
//!   FF 00              cut                       FF 05 BYTE LL LL   LL LL times BYTE
//!   FF 01 N            message N                 FF 06 N LL OFF     a length, OFF wrong, and LL bytes
//!   FF 02 N            token N                   FF 07              the other side sends
//!   FF 03 N KEEP       the first KEEP of it      FF 08 HOW          it ends: closed, reset, lost
//!   FF 04 N AT BYTE    BYTE in place of one      FF 09 LL LL LL LL  so many bytes are missing
//!   FF FF              the byte FF
//!   ```
//!
//!   `N` counts the messages and then the tokens, and wraps. A missing operand is 0. Any other
//!   second byte counts modulo 10.
//! * the *readable form*: the text of a [`Transcript`], in which a chunk ends where the stream is
//!   cut.
//!
//! So one file is a seed for a fuzzer, a regression, a corpus entry, and an input for
//! `enjamb replay`.

use enjamb::transcript::{Content, HEADER};
use enjamb::{Ending, Side, Transcript};

use crate::cutting::{Cutting, Event, ONLY};
use crate::grammar::Grammar;

/// One item of a script.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// Bytes that represent themselves.
    Bytes(Vec<u8>),
    /// A cut.
    Cut,
    /// A whole message, by its number.
    Message(u8),
    /// A token, by its number.
    Token(u8),
    /// The first `keep` bytes of a message or token.
    Partial {
        /// The number of the message or token: messages first, then tokens.
        piece: u8,
        /// The number of bytes.
        keep: u8,
    },
    /// A message or token with one byte changed.
    Damaged {
        /// The number of the message or token: messages first, then tokens.
        piece: u8,
        /// The index of the byte, modulo the length.
        at: u8,
        /// The new byte.
        byte: u8,
    },
    /// A payload of one repeated byte.
    Run {
        /// The byte.
        byte: u8,
        /// The number of repetitions.
        length: u16,
    },
    /// A length, right or wrong, and a payload.
    Prefixed {
        /// The form of the length, by its number in the grammar.
        prefix: u8,
        /// The bytes of payload.
        length: u8,
        /// The error of the written length.
        off: i8,
    },
    /// A change to the other side.
    Switch,
    /// The end of the stream of the current side.
    Close(Ending),
    /// A gap of this many missing bytes.
    Gap(u32),
}

/// An input as a value: the bytes that arrive, and their cuts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Script {
    items: Vec<Item>,
}

/// An input and its cuts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// The input, with its chunks glued.
    pub input: Cutting,
    /// Its cuts, in ascending order.
    pub cuts: Vec<usize>,
}

/// The byte that introduces an item.
const ESCAPE: u8 = 0xff;

/// The number of kinds of items, without plain bytes.
const KINDS: u8 = 10;

impl Script {
    /// Makes a script of these items. Neighbouring bytes are joined, so that equal inputs are equal
    /// values.
    #[must_use]
    pub fn new(items: impl IntoIterator<Item = Item>) -> Self {
        let mut script = Self::default();
        items.into_iter().for_each(|item| script.push(item));
        script
    }

    fn push(&mut self, item: Item) {
        match (self.items.last_mut(), item) {
            (_, Item::Bytes(bytes)) if bytes.is_empty() => {}
            (Some(Item::Bytes(bytes)), Item::Bytes(more)) => bytes.extend(more),
            (_, item) => self.items.push(item),
        }
    }

    /// Returns the items, in order.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Makes a script of exactly this input.
    #[must_use]
    pub fn of(input: &Cutting, cuts: &[usize]) -> Self {
        let mut script = Self::default();
        let mut speaking = ONLY;
        let mut last_was_chunk = false;
        for (side, event) in input.cut(cuts) {
            let same_side = side == speaking;
            if !same_side {
                script.push(Item::Switch);
                speaking = side;
            }
            match event {
                Event::Chunk(bytes) => {
                    if last_was_chunk && same_side {
                        script.push(Item::Cut);
                    }
                    script.push(Item::Bytes(bytes.to_vec()));
                }
                Event::Gap(missing) => script.push(Item::Gap(u32::try_from(missing).unwrap_or(u32::MAX))),
                Event::Close(ending) => script.push(Item::Close(ending)),
                Event::Again => {}
            }
            last_was_chunk = matches!(event, Event::Chunk(_));
        }
        script
    }

    /// Reads either form: the readable one if `data` is a transcript, and the binary one otherwise.
    #[must_use]
    pub fn read(data: &[u8]) -> Self {
        let text = data.starts_with(HEADER.as_bytes()).then(|| std::str::from_utf8(data).ok()).flatten();
        match text.and_then(|text| Transcript::parse(text).ok()) {
            Some(transcript) => Self::from(&transcript),
            None => Self::decode(data),
        }
    }

    /// Reads the binary form. Every byte string is a script.
    #[must_use]
    pub fn decode(data: &[u8]) -> Self {
        let mut script = Self::default();
        let mut rest = data;
        while let Some(at) = rest.iter().position(|byte| *byte == ESCAPE) {
            script.push(Item::Bytes(rest[..at].to_vec()));
            let mut operands = rest[at + 1..].iter().copied();
            let kind = operands.next().unwrap_or(ESCAPE);
            let item = item(kind, || operands.next().unwrap_or(0));
            let used = rest.len() - at - 1 - operands.len();
            rest = &rest[at + 1 + used..];
            script.push(item);
        }
        script.push(Item::Bytes(rest.to_vec()));
        script
    }

    /// Writes the binary form, which decodes to an equal script.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut data = Vec::new();
        for item in &self.items {
            match *item {
                Item::Bytes(ref bytes) => {
                    for &byte in bytes {
                        if byte == ESCAPE {
                            data.push(ESCAPE);
                        }
                        data.push(byte);
                    }
                }
                Item::Cut => data.extend([ESCAPE, 0]),
                Item::Message(number) => data.extend([ESCAPE, 1, number]),
                Item::Token(number) => data.extend([ESCAPE, 2, number]),
                Item::Partial { piece, keep } => data.extend([ESCAPE, 3, piece, keep]),
                Item::Damaged { piece, at, byte } => data.extend([ESCAPE, 4, piece, at, byte]),
                Item::Run { byte, length } => {
                    let [high, low] = length.to_be_bytes();
                    data.extend([ESCAPE, 5, byte, high, low]);
                }
                Item::Prefixed { prefix, length, off } => {
                    data.extend([ESCAPE, 6, prefix, length, off.to_le_bytes()[0]]);
                }
                Item::Switch => data.extend([ESCAPE, 7]),
                Item::Close(ending) => data.extend([ESCAPE, 8, ending_number(ending)]),
                Item::Gap(missing) => {
                    data.extend([ESCAPE, 9]);
                    data.extend(missing.to_be_bytes());
                }
            }
        }
        data
    }

    /// Returns the exact bytes under `grammar`, and the cuts.
    #[must_use]
    pub fn case(&self, grammar: &Grammar) -> Case {
        let mut turns = Vec::new();
        let mut cuts = Vec::new();
        let mut side = ONLY;
        let mut len = 0;
        for item in &self.items {
            let bytes = match *item {
                Item::Cut => {
                    cuts.push(len);
                    continue;
                }
                Item::Switch => {
                    side = !side;
                    continue;
                }
                Item::Close(ending) => {
                    turns.push((side, Content::Close(ending)));
                    continue;
                }
                Item::Gap(missing) => {
                    turns.push((side, Content::Gap(u64::from(missing.max(1)))));
                    continue;
                }
                Item::Bytes(ref bytes) => bytes.clone(),
                Item::Message(number) => by_number(&grammar.messages, number),
                Item::Token(number) => by_number(&grammar.tokens, number),
                Item::Partial { piece, keep } => {
                    let piece = grammar.piece(piece);
                    piece[..usize::from(keep).min(piece.len())].to_vec()
                }
                Item::Damaged { piece, at, byte } => {
                    let mut piece = grammar.piece(piece).to_vec();
                    if let Some(at) = usize::from(at).checked_rem(piece.len()) {
                        piece[at] = byte;
                    }
                    piece
                }
                Item::Run { byte, length } => vec![byte; usize::from(length)],
                Item::Prefixed { prefix, length, off } => {
                    let written = u64::from(length).wrapping_add_signed(i64::from(off));
                    let prefix = usize::from(prefix).checked_rem(grammar.prefixes.len()).map(|at| grammar.prefixes[at]);
                    let mut bytes = prefix.map_or_else(Vec::new, |prefix| prefix.write(written));
                    bytes.extend((0..length).map(|at| b'a' + at % 26));
                    bytes
                }
            };
            len += bytes.len();
            turns.push((side, Content::Chunk(bytes)));
        }
        cuts.retain(|cut| (1..len).contains(cut));
        cuts.dedup();
        Case { input: Cutting::of(turns), cuts }
    }
}

/// Keeps the cuts and drops the times.
impl From<&Transcript> for Script {
    fn from(transcript: &Transcript) -> Self {
        let mut script = Self::default();
        let mut speaking = ONLY;
        let mut chunk_before: Option<Side> = None;
        for entry in &transcript.entries {
            if entry.side != speaking {
                script.push(Item::Switch);
                speaking = entry.side;
            }
            match &entry.content {
                Content::Chunk(bytes) => {
                    if chunk_before == Some(entry.side) {
                        script.push(Item::Cut);
                    }
                    script.push(Item::Bytes(bytes.clone()));
                }
                Content::Gap(missing) => script.push(Item::Gap(u32::try_from(*missing).unwrap_or(u32::MAX))),
                Content::Close(ending) => script.push(Item::Close(*ending)),
            }
            chunk_before = matches!(entry.content, Content::Chunk(_)).then_some(entry.side);
        }
        script
    }
}

const ENDINGS: [Ending; 3] = [Ending::Closed, Ending::Reset, Ending::Lost];

fn ending_number(ending: Ending) -> u8 {
    ENDINGS.iter().position(|other| *other == ending).map_or(0, |at| at as u8)
}

fn by_number(of: &[Vec<u8>], number: u8) -> Vec<u8> {
    usize::from(number).checked_rem(of.len()).map_or_else(Vec::new, |at| of[at].clone())
}

fn item(kind: u8, mut operand: impl FnMut() -> u8) -> Item {
    if kind == ESCAPE {
        return Item::Bytes(vec![ESCAPE]);
    }
    match kind % KINDS {
        0 => Item::Cut,
        1 => Item::Message(operand()),
        2 => Item::Token(operand()),
        3 => Item::Partial { piece: operand(), keep: operand() },
        4 => Item::Damaged { piece: operand(), at: operand(), byte: operand() },
        5 => Item::Run { byte: operand(), length: u16::from_be_bytes([operand(), operand()]) },
        6 => Item::Prefixed { prefix: operand(), length: operand(), off: operand() as i8 },
        7 => Item::Switch,
        8 => Item::Close(ENDINGS[usize::from(operand() % 3)]),
        _ => Item::Gap(u32::from_be_bytes([operand(), operand(), operand(), operand()])),
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for Script {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        let len = u.len();
        u.bytes(len).map(Self::read)
    }

    fn arbitrary_take_rest(u: arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self::read(u.take_rest()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::strategy;

    fn grammar() -> Grammar {
        let messages = vec![b"one\r\n".to_vec(), b"\x00\x02ab".to_vec()];
        Grammar { messages, tokens: vec![b"\r\n".to_vec()], prefixes: vec![crate::Prefix::U16Be] }
    }

    #[test]
    fn items_have_exact_bytes() {
        use Item::{Bytes, Close, Cut, Damaged, Gap, Message, Partial, Prefixed, Run, Switch, Token};
        let script = Script::new([
            Message(0),
            Cut,
            Partial { piece: 2, keep: 1 },
            Damaged { piece: 1, at: 3, byte: b'X' },
            Switch,
            Run { byte: b'z', length: 3 },
            Prefixed { prefix: 0, length: 2, off: -1 },
            Gap(7),
            Token(0),
            Bytes(vec![0xff]),
            Close(Ending::Reset),
        ]);
        let case = script.case(&grammar());
        let text = Cutting::transcript(&case.input, &case.cuts).to_string();
        let lines: Vec<&str> = text.lines().skip(1).map(str::trim).filter(|line| !line.starts_with('@')).collect();
        assert_eq!(lines, [r#""one\r\n""#, r#""\r\x00\x02aX""#, r#""zzz\x00\x01ab""#, r#""\r\n""#, r#""\xff""#]);
        assert_eq!(Script::decode(&script.encode()), script);
    }

    proptest! {
        #[test]
        fn every_byte_string_is_a_script(data in prop::collection::vec(prop_oneof![3 => any::<u8>(), 1 => Just(0xff)], 0..200)) {
            let script = Script::read(&data);
            prop_assert_eq!(&Script::read(&script.encode()), &script);
            let Case { input, cuts } = script.case(&grammar());
            prop_assert!(cuts.is_sorted() && cuts.iter().all(|cut| (1..input.len()).contains(cut)));
        }

        #[test]
        fn every_script_decodes_to_itself(script in strategy::scripts(&grammar())) {
            prop_assert_eq!(&Script::read(&script.encode()), &script);
        }

        #[test]
        fn an_input_is_the_same_in_both_forms(script in strategy::scripts(&grammar())) {
            let case = script.case(&grammar());
            let binary = Script::of(&case.input, &case.cuts);
            prop_assert_eq!(&Script::read(&binary.encode()).case(&Grammar::default()), &case);
            let text = case.input.transcript(&case.cuts).to_string();
            prop_assert_eq!(&Script::read(text.as_bytes()).case(&Grammar::default()), &case);
        }
    }
}
