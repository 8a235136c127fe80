//! The end of an unframed message: its fields, one after another.
//!
//! Each call asks for the bytes that decide what comes next, so no part is longer than a field.
//! Bytes of a string are skipped by their length.

use crate::kit::{Cursor, Fault, Next, Short};

/// The maximum nesting of structures (`DEFAULT_RECURSION_DEPTH` of the C++ library).
const DEPTH_MAX: usize = 64;

/// The longest varint of 64 bits.
const VARINT_MAX: usize = 10;

/// A walk through a message.
#[derive(Debug)]
pub(super) struct Walk {
    is_compact: bool,
    step: Step,
    /// The structures and containers that are open.
    open: Vec<Open>,
    /// The bytes of a varint so far.
    varint: Vec<u8>,
}

/// The part that was asked for last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The length of the name, of the binary protocol.
    NameLength,
    /// The sequence number of the compact protocol.
    Sequence,
    /// The length of the name, of the compact protocol.
    CompactNameLength,
    /// The name.
    Name,
    /// The type of a field, or the end of a structure.
    Field,
    /// The number of a field of this type; `None`: its type contains its value.
    FieldNumber(Option<u8>),
    /// A value of a fixed length.
    Fixed,
    /// The length of a string.
    StringLength,
    /// A varint that is a value.
    Varint,
    /// The header of a list or a set.
    ListHeader,
    /// The length of a list that is longer than 14, of the compact protocol.
    ListLength(u8),
    /// The header of a map.
    MapHeader,
    /// The types in a map, of the compact protocol.
    MapTypes(u64),
}

/// An open structure or container.
#[derive(Clone, Copy, Debug)]
enum Open {
    Structure,
    /// Elements of two types in turn, or of one type twice, and their number.
    Elements {
        types: [u8; 2],
        rest: u64,
    },
}

/// A type of the binary protocol; those of the compact protocol are translated.
mod kind {
    pub(super) const STOP: u8 = 0;
    pub(super) const BOOL: u8 = 2;
    pub(super) const BYTE: u8 = 3;
    pub(super) const DOUBLE: u8 = 4;
    pub(super) const I16: u8 = 6;
    pub(super) const I32: u8 = 8;
    pub(super) const I64: u8 = 10;
    pub(super) const STRING: u8 = 11;
    pub(super) const STRUCT: u8 = 12;
    pub(super) const MAP: u8 = 13;
    pub(super) const SET: u8 = 14;
    pub(super) const LIST: u8 = 15;
    pub(super) const UUID: u8 = 16;
}

const UNKNOWN_TYPE: Fault = Fault("the type of a field is not known");

impl Walk {
    /// Begins behind the version of the binary protocol.
    pub(super) fn binary() -> Self {
        Self { is_compact: false, step: Step::NameLength, open: vec![Open::Structure], varint: Vec::new() }
    }

    /// Begins inside the sequence number of the compact protocol: the first four bytes are there.
    pub(super) fn compact(first: &[u8]) -> Self {
        let varint = first.get(2..).unwrap_or_default().to_vec();
        Self { is_compact: true, step: Step::Sequence, open: vec![Open::Structure], varint }
    }

    /// Returns the first part behind the four bytes that are there.
    pub(super) fn begin(&mut self) -> Result<Next, Fault> {
        if !self.is_compact {
            return Ok(Next::Bytes(4));
        }
        // The two bytes may contain the sequence number, and the length of the name behind it.
        let bytes = std::mem::take(&mut self.varint);
        let mut next = Next::Bytes(1);
        for byte in bytes {
            next = self.next(&[byte])?;
        }
        Ok(next)
    }

    /// Returns the part behind `last`.
    pub(super) fn next(&mut self, last: &[u8]) -> Result<Next, Fault> {
        match self.step {
            Step::NameLength => {
                let length = u64::from(Cursor::new(last).u32()?);
                if length > u64::from(super::NAME_MAX) {
                    return Err(Fault("the name of the method is longer than 1024 bytes"));
                }
                self.step = Step::Name;
                // The sequence number is behind the name.
                Ok(Next::Bytes(length + 4))
            }
            Step::Sequence => {
                if self.varint(last)?.is_some() {
                    self.step = Step::CompactNameLength;
                }
                Ok(Next::Bytes(1))
            }
            Step::CompactNameLength => match self.varint(last)? {
                None => Ok(Next::Bytes(1)),
                Some(length) if length > u64::from(super::NAME_MAX) => {
                    Err(Fault("the name of the method is longer than 1024 bytes"))
                }
                Some(0) => self.ask(Step::Field, 1),
                Some(length) => self.ask(Step::Name, length),
            },
            Step::Name => self.ask(Step::Field, 1),
            Step::Field => self.field(last[0]),
            Step::FieldNumber(kind) => {
                if self.is_compact && self.varint(last)?.is_none() {
                    return Ok(Next::Bytes(1));
                }
                match kind {
                    Some(kind) => self.value(kind),
                    None => self.behind_value(),
                }
            }
            Step::Fixed => self.behind_value(),
            Step::StringLength => {
                let length = if self.is_compact {
                    match self.varint(last)? {
                        None => return Ok(Next::Bytes(1)),
                        Some(length) => length,
                    }
                } else {
                    Cursor::new(last).u32()?.into()
                };
                match length {
                    0 => self.behind_value(),
                    0x8000_0000.. => Err(Fault("the length of a string is negative")),
                    _ => {
                        self.step = Step::Fixed;
                        Ok(Next::Body(length))
                    }
                }
            }
            Step::Varint => match self.varint(last)? {
                None => Ok(Next::Bytes(1)),
                Some(_) => self.behind_value(),
            },
            Step::ListHeader if self.is_compact => {
                let kind = translate(last[0] & 0xf)?;
                match last[0] >> 4 {
                    15 => self.ask(Step::ListLength(kind), 1),
                    length => self.elements([kind, kind], length.into()),
                }
            }
            Step::ListHeader => {
                let mut fields = Cursor::new(last);
                let kind = fields.u8()?;
                let length = fields.u32()?;
                self.elements([kind, kind], length.into())
            }
            Step::ListLength(kind) => match self.varint(last)? {
                None => Ok(Next::Bytes(1)),
                Some(length) => self.elements([kind, kind], length),
            },
            Step::MapHeader if self.is_compact => match self.varint(last)? {
                None => Ok(Next::Bytes(1)),
                Some(0) => self.behind_value(),
                Some(length) => self.ask(Step::MapTypes(length), 1),
            },
            Step::MapHeader => {
                let mut fields = Cursor::new(last);
                let types = [fields.u8()?, fields.u8()?];
                let length = fields.u32()?;
                self.elements(types, u64::from(length) * 2)
            }
            Step::MapTypes(length) => {
                let types = [translate(last[0] >> 4)?, translate(last[0] & 0xf)?];
                self.elements(types, length.saturating_mul(2))
            }
        }
    }

    fn ask(&mut self, step: Step, length: u64) -> Result<Next, Fault> {
        self.step = step;
        Ok(Next::Bytes(length))
    }

    /// Begins a field, or ends a structure.
    fn field(&mut self, first: u8) -> Result<Next, Fault> {
        let kind = if self.is_compact { first & 0xf } else { first };
        if kind == kind::STOP {
            self.open.pop();
            return if self.open.is_empty() { Ok(Next::End) } else { self.behind_value() };
        }
        if !self.is_compact {
            return self.ask(Step::FieldNumber(Some(kind)), 2);
        }
        // The type of a field contains a truth value.
        let kind = if matches!(kind, 1 | 2) { None } else { Some(translate(kind)?) };
        match kind {
            kind if first >> 4 == 0 => self.ask(Step::FieldNumber(kind), 1),
            Some(kind) => self.value(kind),
            None => self.behind_value(),
        }
    }

    /// Begins a value, which has at least one byte: so the number of elements in a container, which
    /// is up to 2^32, is no number of steps without input.
    fn value(&mut self, kind: u8) -> Result<Next, Fault> {
        match kind {
            kind::BOOL | kind::BYTE => self.ask(Step::Fixed, 1),
            kind::I16 | kind::I32 | kind::I64 if self.is_compact => self.ask(Step::Varint, 1),
            kind::I16 => self.ask(Step::Fixed, 2),
            kind::I32 => self.ask(Step::Fixed, 4),
            kind::I64 | kind::DOUBLE => self.ask(Step::Fixed, 8),
            kind::UUID => self.ask(Step::Fixed, 16),
            kind::STRING => self.ask(Step::StringLength, if self.is_compact { 1 } else { 4 }),
            kind::STRUCT => {
                self.enter(Open::Structure)?;
                self.ask(Step::Field, 1)
            }
            kind::MAP => self.ask(Step::MapHeader, if self.is_compact { 1 } else { 6 }),
            kind::SET | kind::LIST => self.ask(Step::ListHeader, if self.is_compact { 1 } else { 5 }),
            _ => Err(UNKNOWN_TYPE),
        }
    }

    fn enter(&mut self, open: Open) -> Result<(), Fault> {
        if self.open.len() >= DEPTH_MAX {
            return Err(Fault("structures are nested deeper than 64 levels"));
        }
        self.open.push(open);
        Ok(())
    }

    /// Begins the elements of a container. Those of a fixed length are skipped together.
    fn elements(&mut self, types: [u8; 2], count: u64) -> Result<Next, Fault> {
        if count >> 32 != 0 || (!self.is_compact && count > 2 * 0x7fff_ffff) {
            return Err(Fault("the length of a container is negative"));
        }
        if count == 0 {
            return self.behind_value();
        }
        if let (Some(one), Some(other)) = (self.fixed(types[0]), self.fixed(types[1])) {
            self.step = Step::Fixed;
            let pairs = count / 2;
            return Ok(Next::Body(pairs * (one + other) + (count % 2) * one));
        }
        self.enter(Open::Elements { types, rest: count })?;
        self.behind_value()
    }

    /// Returns the length of a value whose type fixes it.
    fn fixed(&self, kind: u8) -> Option<u64> {
        match kind {
            kind::BOOL | kind::BYTE => Some(1),
            kind::I16 if !self.is_compact => Some(2),
            kind::I32 if !self.is_compact => Some(4),
            kind::I64 if !self.is_compact => Some(8),
            kind::DOUBLE => Some(8),
            kind::UUID => Some(16),
            _ => None,
        }
    }

    /// Continues behind a value.
    fn behind_value(&mut self) -> Result<Next, Fault> {
        loop {
            match self.open.last_mut() {
                None => return Ok(Next::End),
                Some(Open::Structure) => return self.ask(Step::Field, 1),
                Some(Open::Elements { types, rest }) if *rest > 0 => {
                    *rest -= 1;
                    let [kind, other] = *types;
                    *types = [other, kind];
                    return self.value(kind);
                }
                Some(Open::Elements { .. }) => {
                    self.open.pop();
                }
            }
        }
    }

    /// Takes a byte of a varint. Returns its value behind the last one.
    fn varint(&mut self, last: &[u8]) -> Result<Option<u64>, Fault> {
        let byte = *last.first().ok_or(Fault::SHORT)?;
        self.varint.push(byte);
        if byte & 0x80 == 0 {
            let value = varint(&mut Cursor::new(&self.varint))?;
            self.varint.clear();
            return Ok(Some(value));
        }
        if self.varint.len() >= VARINT_MAX { Err(Fault("a varint is longer than ten bytes")) } else { Ok(None) }
    }
}

/// Returns the type of the binary protocol for one of the compact protocol.
fn translate(kind: u8) -> Result<u8, Fault> {
    Ok(match kind {
        1 | 2 => kind::BOOL,
        3 => kind::BYTE,
        4 => kind::I16,
        5 => kind::I32,
        6 => kind::I64,
        7 => kind::DOUBLE,
        8 => kind::STRING,
        9 => kind::LIST,
        10 => kind::SET,
        11 => kind::MAP,
        12 => kind::STRUCT,
        13 => kind::UUID,
        _ => return Err(UNKNOWN_TYPE),
    })
}

/// Takes a varint: seven bits in each byte, the lowest ones first.
pub(super) fn varint(fields: &mut Cursor<'_>) -> Result<u64, Short> {
    let mut value = 0_u64;
    for place in 0..VARINT_MAX {
        let byte = fields.u8()?;
        value |= u64::from(byte & 0x7f).checked_shl(7 * place as u32).unwrap_or(0);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Ok(value)
}
