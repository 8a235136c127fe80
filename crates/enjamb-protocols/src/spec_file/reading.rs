//! How a message is read, field by field.
//!
//! [`Memo`] holds the place and the values. [`take`] takes the bytes of a part into it, and
//! [`plan`] returns the next part. Neither looks at other bytes, so nothing is parsed twice, and
//! the cuts decide nothing.
//!
//! A part is a field, or a run of fields of fixed size. Two forms are read byte by byte: varints,
//! and strings up to a delimiter inside a message whose end is known, so that they cannot go beyond
//! it.
//!
//! A message whose end is known and whose fields do not fit is malformed, and the next one follows
//! it. If the end is not known, the beginning of the next message has to be found.

use enjamb::Terminator;

use super::model::{Condition, Constant, Field, Form, Layout, Length, Named, SLOTS_MAX, Spec};
use crate::kit::{Fault, Next};

const BEYOND: Fault = Fault("a field goes beyond the end of its message");
const TOO_LONG: Fault = Fault("it is longer than its maximum");
const FIELD_TOO_LONG: Fault = Fault("a field is longer than its maximum");
const NEGATIVE: Fault = Fault("a length is negative");
const SMALL: Fault = Fault("its length is smaller than its header");
const NO_LENGTH: Fault = Fault("the length of a field is missing");
const VARINT: Fault = Fault("a varint has more than 64 bits");
const OTHER_ID: Fault = Fault("a fragment has the id of another message");
const UNKNOWN_KIND: Fault = Fault("the kind is not known");

/// The longest string that is compared with names.
const WORD_MAX: u64 = 64;

/// The value of a string that is none of its names.
const NO_WORD: u64 = u64::MAX;

/// The state of a message in progress.
#[derive(Debug, Default)]
pub(super) struct Memo {
    pub(super) is_begun: bool,
    /// The layout of the message.
    pub(super) layout: u8,
    /// The layout of the frame in progress.
    pub(super) current: u8,
    /// The next field of the frame.
    pub(super) field: u16,
    pending: Pending,
    /// The offset of the frame, from the beginning of the message.
    frame: u64,
    /// The end of the frame, once it is known.
    end: Option<u64>,
    /// The offset of the field in progress.
    pub(super) start: u64,
    /// The value so far, of a field that is read byte by byte.
    partial: u64,
    count: u8,
    values: Values,
    /// The values of the first frame, if others follow it.
    first: Option<Box<Values>>,
    /// The place of the subject.
    pub(super) subject: Option<(u64, u64)>,
    /// Why the message is malformed, although its end is known.
    pub(super) fault: Option<Fault>,
    /// Whether the bytes may be no message at all, so that a kind without a name is a fault.
    pub(super) is_strict: bool,
    /// The number of bits that random bytes would not have had by chance.
    pub(super) evidence: u32,
}

/// The values of a frame.
#[derive(Clone, Copy, Debug, Default)]
struct Values {
    slots: [u64; SLOTS_MAX],
    present: u32,
}

/// The part in progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pending {
    #[default]
    Nothing,
    Run(u16),
    Varint,
    /// A field whose value nobody needs.
    Field,
    Word,
    /// A string up to a delimiter, which the engine looks for.
    Until,
    /// The same, byte by byte.
    Letters,
    /// The message is whole.
    Done,
}

impl Memo {
    /// Creates the state at the beginning of a message.
    pub(super) fn new(layout: u8) -> Self {
        Self { is_begun: true, layout, current: layout, ..Self::default() }
    }

    /// Creates the state at the beginning of bytes that may be no message. `evidence` is that of
    /// the messages before them.
    pub(super) fn strict(layout: u8, evidence: u32) -> Self {
        Self { is_strict: true, evidence, ..Self::new(layout) }
    }

    /// Returns a value of the first frame.
    pub(super) fn value(&self, slot: u8) -> Option<u64> {
        self.first.as_deref().unwrap_or(&self.values).get(slot)
    }

    pub(super) fn named(&self, named: &Named) -> Option<&'static str> {
        named.names.get(self.value(named.slot)?)
    }

    /// Returns whether the frame in progress is not the first one.
    pub(super) fn is_continued(&self) -> bool {
        self.first.is_some()
    }

    /// Counts bits that random bytes would not have had by chance.
    fn believe(&mut self, bits: u32) {
        self.evidence = self.evidence.saturating_add(bits);
    }

    fn set(&mut self, slot: Option<u8>, value: u64) {
        if let Some(slot) = slot {
            self.values.slots[usize::from(slot)] = value;
            self.values.present |= 1 << slot;
        }
    }

    /// Passes a field that is not there.
    fn pass(&mut self, field: &Field) {
        for slot in field.bits.iter().map(|bits| bits.slot).chain([field.slot]).flatten() {
            self.values.present &= !(1 << slot);
        }
        self.field += 1;
    }

    fn note_subject(&mut self, layout: &Layout, field: usize, start: u64, length: u64) {
        if self.first.is_none() && layout.subject.is_some_and(|subject| subject.0 == field) {
            self.subject = Some((start, length));
        }
    }
}

impl Values {
    fn get(&self, slot: u8) -> Option<u64> {
        (self.present & 1 << slot != 0).then(|| self.slots[usize::from(slot)])
    }
}

/// Takes a part, and returns the next one. `head` are the first bytes of the message, `last` those
/// of the part, and `at` is the length of the message so far.
///
/// # Errors
/// The bytes are no message, and its end is not known.
pub(super) fn advance(spec: &Spec, memo: &mut Memo, head: &[u8], last: &[u8], at: u64) -> Result<Next, Fault> {
    match take(spec, memo, head, last, at).and_then(|()| plan(spec, memo, at)) {
        Err(fault) => end_malformed(memo, fault, at),
        next => next,
    }
}

/// Ends a malformed message at its end, if that is known.
fn end_malformed(memo: &mut Memo, fault: Fault, at: u64) -> Result<Next, Fault> {
    match memo.end {
        Some(end) if end >= at => {
            memo.fault = Some(fault);
            memo.pending = Pending::Done;
            Ok(if end == at { Next::End } else { Next::Skip(end - at) })
        }
        _ => Err(fault),
    }
}

/// Takes the part that [`plan`] asked for.
pub(super) fn take(spec: &Spec, memo: &mut Memo, head: &[u8], last: &[u8], at: u64) -> Result<(), Fault> {
    let layout = &spec.layouts[usize::from(memo.current)];
    let index = usize::from(memo.field);
    match std::mem::take(&mut memo.pending) {
        Pending::Nothing => {}
        Pending::Done => memo.pending = Pending::Done,
        Pending::Field => memo.field += 1,
        Pending::Run(count) => {
            let run = layout.runs[index];
            if run.needed {
                let mut rest = last;
                for field in &layout.fields[index..index + usize::from(count)] {
                    let size = field.form.size().unwrap_or(0) as usize;
                    let (bytes, behind) = rest.split_at_checked(size).ok_or(Fault::SHORT)?;
                    rest = behind;
                    take_fixed(spec, memo, (layout, field), bytes, at)?;
                }
            }
            memo.field += count;
        }
        Pending::Varint => {
            let byte = last.first().copied().ok_or(Fault::SHORT)?;
            if memo.count == 9 && byte > 1 {
                return Err(VARINT);
            }
            memo.partial |= u64::from(byte & 0x7f) << (7 * memo.count);
            if byte & 0x80 == 0 {
                let field = &layout.fields[index];
                let value = match field.form {
                    Form::Varint { zigzag: true } => memo.partial >> 1 ^ (memo.partial & 1).wrapping_neg(),
                    _ => memo.partial,
                };
                (memo.partial, memo.count) = (0, 0);
                store(spec, memo, (layout, field), value, at)?;
                memo.field += 1;
            } else {
                memo.count += 1;
            }
        }
        Pending::Word => {
            take_word(memo, (layout, &layout.fields[index]), last)?;
            memo.field += 1;
        }
        pending @ (Pending::Until | Pending::Letters) => {
            let field = &layout.fields[index];
            let Form::Bytes { length: Length::Until(delimiter), max, .. } = &field.form else { return Ok(()) };
            let length = (at - memo.start).saturating_sub(delimiter.len() as u64);
            if length > *max {
                return Err(FIELD_TOO_LONG);
            }
            if pending == Pending::Letters {
                memo.count = memo.count.saturating_add(1).min(8);
                memo.partial = memo.partial << 8 | u64::from(last.first().copied().unwrap_or(0));
                let letters = &memo.partial.to_be_bytes()[8 - delimiter.len()..];
                if usize::from(memo.count) < delimiter.len() || letters != delimiter {
                    return Ok(());
                }
                (memo.partial, memo.count) = (0, 0);
            }
            memo.note_subject(layout, index, memo.start, length);
            if !field.words.is_empty() {
                let bytes = match pending {
                    Pending::Until => last.get(..length as usize),
                    _ => head.get(memo.start as usize..(memo.start + length) as usize),
                };
                take_word(memo, (layout, field), bytes.unwrap_or_default())?;
            }
            memo.field += 1;
        }
    }
    Ok(())
}

/// Takes a field of fixed size.
fn take_fixed(
    spec: &Spec,
    memo: &mut Memo,
    (layout, field): (&Layout, &Field),
    bytes: &[u8],
    at: u64,
) -> Result<(), Fault> {
    if let Form::Integer { .. } = field.form {
        return store(spec, memo, (layout, field), integer(&field.form, bytes), at);
    }
    if let Some(equals) = &field.equals
        && let Constant::Bytes(constant) = &equals.value
    {
        if bytes != constant {
            return Err(Fault(equals.fault));
        }
        memo.believe(constant_evidence(constant));
    }
    if field.words.is_empty() { Ok(()) } else { take_word(memo, (layout, field), bytes) }
}

/// Takes a string that may have one of some values.
fn take_word(memo: &mut Memo, (layout, field): (&Layout, &Field), bytes: &[u8]) -> Result<(), Fault> {
    let index = field.words.iter().position(|word| word.as_bytes() == bytes);
    memo.set(field.slot, index.map_or(NO_WORD, |index| index as u64));
    match index {
        Some(_) => memo.believe((8 * bytes.len() as u32).saturating_sub(log2(field.words.len()))),
        None => check_kind(memo, layout, field.slot)?,
    }
    Ok(())
}

/// Refuses a kind without a name, where the bytes may be no message at all.
fn check_kind(memo: &Memo, layout: &Layout, slot: Option<u8>) -> Result<(), Fault> {
    let is_kind = slot.is_some() && layout.kind.as_ref().is_some_and(|kind| Some(kind.slot) == slot);
    if is_kind && memo.is_strict { Err(UNKNOWN_KIND) } else { Ok(()) }
}

/// Keeps the value of an integer.
fn store(spec: &Spec, memo: &mut Memo, (layout, field): (&Layout, &Field), value: u64, at: u64) -> Result<(), Fault> {
    memo.set(field.slot, value);
    for bits in &field.bits {
        memo.set(bits.slot, bits.of(value));
    }
    if let Some(equals) = &field.equals
        && let Constant::Integer(constant) = equals.value
    {
        if value != constant {
            return Err(Fault(equals.fault));
        }
        memo.believe(constant_evidence(&constant.to_be_bytes()));
    }
    if memo.is_strict {
        let width = match field.form {
            Form::Integer { width, .. } => 8 * u32::from(width),
            _ => 8,
        };
        let bits = field.bits.iter().map(|bits| (bits.slot, &bits.names, bits.width, bits.of(value)));
        for (slot, names, width, value) in bits.chain([(field.slot, &field.names, width, value)]) {
            match names.get(value) {
                Some(_) if value != 0 => memo.believe(width.saturating_sub(log2(names.0.len()))),
                None if !names.is_empty() => check_kind(memo, layout, slot)?,
                _ => {}
            }
        }
        if let Some(end) = field.end
            && value != 0
        {
            let width = end.bits.map_or(width, |bits| field.bits[usize::from(bits)].width);
            memo.believe(width.saturating_sub(64 - layout.max.leading_zeros()));
        }
    }
    let Some(end) = field.end else { return Ok(()) };
    let value = end.bits.map_or(value, |bits| field.bits[usize::from(bits)].of(value));
    let length = i128::from(value) * i128::from(end.times) + i128::from(end.add);
    let place = i128::from(if end.whole { memo.frame } else { at }) + length;
    if length < 0 || place < i128::from(at) {
        return Err(SMALL);
    }
    match u64::try_from(place) {
        Ok(place) if place <= spec.layouts[usize::from(memo.layout)].max => {
            memo.end = Some(place);
            Ok(())
        }
        _ => Err(TOO_LONG),
    }
}

/// Returns the next part.
pub(super) fn plan(spec: &Spec, memo: &mut Memo, at: u64) -> Result<Next, Fault> {
    let max = spec.layouts[usize::from(memo.layout)].max;
    loop {
        if memo.pending == Pending::Done {
            return Ok(Next::End);
        }
        let layout = &spec.layouts[usize::from(memo.current)];
        let left = match memo.end {
            None => None,
            Some(end) => Some(end.checked_sub(at).ok_or(BEYOND)?),
        };
        if at > max {
            return Err(TOO_LONG);
        }
        let index = usize::from(memo.field);
        let Some(field) = layout.fields.get(index) else {
            if let Some(left @ 1..) = left {
                return Ok(Next::Skip(left));
            }
            end_frame(spec, memo, layout, at)?;
            continue;
        };
        let is_left_out = field.when != Condition::Always && !field.when.holds("", |slot| memo.values.get(slot));
        if is_left_out || (field.optional && left == Some(0)) {
            memo.pass(field);
            continue;
        }
        let check = |length: u64| {
            if left.is_some_and(|left| left < length) {
                return Err(BEYOND);
            }
            match at.checked_add(length) {
                Some(end) if end <= max => Ok(length),
                _ => Err(TOO_LONG),
            }
        };
        // A field that is read byte by byte began earlier.
        if memo.count == 0 {
            memo.start = at;
        }
        let (length, field_max) = match &field.form {
            Form::Integer { .. } | Form::Bytes { length: Length::Fixed(_), .. } => {
                let run = layout.runs[index];
                check(run.size)?;
                if let Some((subject, _)) = layout.subject
                    && (index..index + usize::from(run.fields)).contains(&subject)
                {
                    let size = |field: &Field| field.form.size().unwrap_or(0);
                    let before: u64 = layout.fields[index..subject].iter().map(size).sum();
                    memo.note_subject(layout, subject, at + before, size(&layout.fields[subject]));
                }
                memo.pending = Pending::Run(run.fields);
                return Ok(if run.needed { Next::Bytes(run.size) } else { Next::Body(run.size) });
            }
            Form::Varint { .. } => {
                memo.pending = Pending::Varint;
                return check(1).map(Next::Bytes);
            }
            Form::Bytes { length: Length::Until(delimiter), .. } => {
                if left.is_some() {
                    memo.pending = Pending::Letters;
                    return check(1).map(Next::Bytes);
                }
                memo.pending = Pending::Until;
                return Ok(match (&delimiter[..], Terminator::delimiter(delimiter)) {
                    (b"\n", _) | (_, Err(_)) => Next::Line,
                    (_, Ok(terminator)) => Next::Until(terminator),
                });
            }
            Form::Align(size) => ((size - (at - memo.frame) % size) % size, u64::MAX),
            Form::Bytes { length: Length::Rest { behind }, max, .. } => {
                (left.unwrap_or(0).checked_sub(*behind).ok_or(BEYOND)?, *max)
            }
            Form::Bytes { length: Length::Value { slot, times, add }, max, .. } => {
                let Some(value) = memo.values.get(*slot) else {
                    if field.optional {
                        memo.pass(field);
                        continue;
                    }
                    return Err(NO_LENGTH);
                };
                let length = i128::from(value) * i128::from(*times) + i128::from(*add);
                if length < 0 {
                    return Err(NEGATIVE);
                }
                (u64::try_from(length).map_err(|_| FIELD_TOO_LONG)?, *max)
            }
        };
        if length > field_max {
            return Err(FIELD_TOO_LONG);
        }
        check(length)?;
        memo.note_subject(layout, index, at, length);
        if length == 0 {
            if !field.words.is_empty() {
                take_word(memo, (layout, field), b"")?;
            }
            memo.field += 1;
            continue;
        }
        if field.words.is_empty() {
            memo.pending = Pending::Field;
            return Ok(Next::Body(length));
        }
        if length <= WORD_MAX {
            memo.pending = Pending::Word;
            return Ok(Next::Bytes(length));
        }
        memo.set(field.slot, NO_WORD);
        memo.pending = Pending::Field;
        return Ok(Next::Body(length));
    }
}

/// Ends a frame: the message is whole, or the next frame begins.
fn end_frame(spec: &Spec, memo: &mut Memo, layout: &Layout, at: u64) -> Result<(), Fault> {
    let first = &spec.layouts[usize::from(memo.layout)];
    if let (Some(values), Some(id), Some(own)) = (&memo.first, first.id, layout.id)
        && memo.values.get(own) != values.get(id)
    {
        memo.pending = Pending::Done;
        return Err(OTHER_ID);
    }
    match &layout.continues {
        Some((condition, next)) if condition.holds("", |slot| memo.values.get(slot)) => {
            memo.first.get_or_insert_with(|| Box::new(memo.values));
            memo.values = Values::default();
            memo.current = *next;
            memo.field = 0;
            memo.frame = at;
            memo.end = None;
        }
        _ => memo.pending = Pending::Done,
    }
    Ok(())
}

/// Returns the value of an integer of fixed size.
pub(super) fn integer(form: &Form, bytes: &[u8]) -> u64 {
    let Form::Integer { width, little, signed } = *form else { return 0 };
    let append = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    let value = if little { bytes.iter().rev().fold(0, append) } else { bytes.iter().fold(0, append) };
    let unused = 64 - 8 * u32::from(width);
    if signed { ((value << unused) as i64 >> unused) as u64 } else { value }
}

/// Returns the number of bits of a constant that count as evidence. Zeros are everywhere.
pub(super) fn constant_evidence(constant: &[u8]) -> u32 {
    constant.iter().filter(|byte| **byte != 0).count() as u32 * 8
}

fn log2(count: usize) -> u32 {
    count.next_power_of_two().trailing_zeros()
}
