//! The rules of a spec file, for the kit.

use std::borrow::Cow;
use std::sync::Arc;

use enjamb::{AttributeArgument, AttributeValue, Side};

use super::evidence;
use super::model::{Bits, Field, Form, Layout, Named, Names, Spec, Target};
use super::reading::{self, Memo};
use super::walk::walk;
use crate::kit::{Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Then};
use crate::secrets::SECRET_PLACES;
use crate::sniff::Sniff;

/// The longest subject in a summary, in bytes.
const SUBJECT_MAX: usize = 256;

/// The longest value of bytes that is shown as hexadecimal digits, in bytes.
const HEX_MAX: usize = 32;

/// The rules of a spec file, and the state of a connection.
#[derive(Debug)]
pub(super) struct SpecRules {
    spec: Arc<Spec>,
    state: u8,
    /// Whether each side's first message in this state is over.
    is_past_first: [bool; 2],
    /// Whether a message was read.
    is_begun: bool,
}

impl SpecRules {
    pub(super) fn new(spec: Arc<Spec>) -> Self {
        Self { spec, state: 0, is_past_first: [false; 2], is_begun: false }
    }

    /// Returns the layout of the next message of a side.
    fn layout(&self, side: Side) -> u8 {
        let sequence = self.spec.states[usize::from(self.state)].sides[side.index()];
        if self.is_past_first[side.index()] { sequence.then } else { sequence.first }
    }

    /// Changes the state behind a message, if a transition fits.
    fn change_state(&mut self, side: Side, kind: &str, memo: &Memo) -> Then {
        let spec = Arc::clone(&self.spec);
        let transition = spec.states[usize::from(self.state)].transitions.iter().find(|transition| {
            transition.from.is_none_or(|from| from == side)
                && transition.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind))
                && transition.when[usize::from(memo.layout)]
                    .as_ref()
                    .is_some_and(|when| when.holds(kind, |slot| memo.value(slot)))
        });
        match transition.map(|transition| transition.target) {
            None => Then::Continue,
            Some(Target::State(state)) => {
                self.state = state;
                self.is_past_first = [false; 2];
                Then::Continue
            }
            Some(Target::Opaque) => Then::BothOpaque,
            Some(Target::Protocol(name)) => Then::Switch(name),
        }
    }
}

impl Rules for SpecRules {
    const NAME: &'static str = "spec";
    type Memo = Memo;

    fn name(&self) -> &'static str {
        self.spec.name
    }

    fn next(&self, message: Progress<'_, Memo>) -> Result<Next, Fault> {
        if !message.memo.is_begun {
            *message.memo = Memo::new(self.layout(message.side));
        }
        reading::advance(&self.spec, message.memo, message.head, message.last, message.length)
    }

    fn read<'a>(&mut self, frame: &Frame<'a, Memo>, _: Requests<'_>) -> Result<Report<'a>, Fault> {
        let memo = frame.memo;
        let spec = Arc::clone(&self.spec);
        let layout = &spec.layouts[usize::from(memo.layout)];
        let kind = kind(layout, memo);
        let value = |slot| memo.value(slot);
        self.is_begun = true;
        self.is_past_first[frame.side.index()] = true;
        let id = layout.id.map(value);
        let is_whole = layout.kind.as_ref().is_none_or(|kind| value(kind.slot).is_some()) && id != Some(None);
        let mut report = Report::new(kind);
        match memo.fault {
            // Nobody knows which request it was, or whether it was an answer.
            Some(fault) if !is_whole => return Err(fault),
            Some(fault) => report = report.malformed(fault.0),
            None => report = report.then(self.change_state(frame.side, kind, memo)),
        }
        if layout.answer.holds(kind, value) {
            let last = !layout.more.holds(kind, value);
            report = report.role(match id {
                None => Role::Answer { last },
                Some(Some(id)) => Role::AnswerWithId { id, last },
                Some(None) => Role::OneWay,
            });
        } else if layout.request.holds(kind, value) {
            report = report.role(match id {
                None => Role::Request,
                Some(Some(id)) => Role::RequestWithId(id),
                Some(None) => Role::OneWay,
            });
        }
        if let Some(code) = &layout.code
            && let Some(number) = value(code.slot)
        {
            report = report.code(shown(&code.names, code.signed, number));
        }
        report.failed = layout.failed.holds(kind, value);
        Ok(match subject(layout, memo, frame.head) {
            Some(subject) => report.subject(subject),
            None => report,
        })
    }

    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        let state = &self.spec.states[usize::from(self.state)];
        evidence::begins(&self.spec, state.sides[side.index()].then, bytes)
    }

    fn broken_kind(&self, side: Side, head: &[u8]) -> &'static str {
        let mut memo = Memo::new(self.layout(side));
        let index = usize::from(memo.layout);
        walk(&self.spec, &mut memo, head, &mut |visit| !visit.memo.is_continued());
        kind(&self.spec.layouts[index], &memo)
    }

    fn malformed_kind(&self, frame: &Frame<'_, Memo>) -> &'static str {
        kind(&self.spec.layouts[usize::from(frame.memo.layout)], frame.memo)
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, Memo>,
        _: &'s Report<'_>,
        name: &str,
        argument: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        if name == SECRET_PLACES {
            let AttributeArgument::Number(number) = argument else { return None };
            return secret(&self.spec, frame.memo.layout, frame.head, number);
        }
        attribute(&self.spec, frame.memo.layout, frame.head, name)
    }

    fn lost(&mut self, side: Side) {
        if let (false, Some(joined)) = (self.is_begun, self.spec.joined) {
            self.state = joined;
        }
        self.is_past_first[side.index()] = true;
    }
}

/// Returns the kind of a message: the name of its kind, or that of its layout.
fn kind(layout: &Layout, memo: &Memo) -> &'static str {
    layout.kind.as_ref().and_then(|kind: &Named| memo.named(kind)).unwrap_or(layout.name)
}

/// Returns a value as text: its name, or its number.
fn shown(names: &Names, is_signed: bool, value: u64) -> Cow<'static, str> {
    match names.get(value) {
        Some(name) => Cow::Borrowed(name),
        None if is_signed => Cow::Owned((value as i64).to_string()),
        None => Cow::Owned(value.to_string()),
    }
}

/// Returns the subject of a message.
fn subject<'a>(layout: &Layout, memo: &Memo, head: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let (index, bits) = layout.subject?;
    let field = &layout.fields[index];
    let number = |slot: Option<u8>, names: &Names, is_signed| {
        let text = shown(names, is_signed, memo.value(slot?)?);
        Some(Cow::Owned(text.into_owned().into_bytes()))
    };
    match (bits, &field.form) {
        (Some(bits), _) => {
            let bits: &Bits = &field.bits[bits];
            number(bits.slot, &bits.names, false)
        }
        (None, Form::Bytes { text, .. }) => {
            let (start, length) = memo.subject?;
            let start = usize::try_from(start).ok().filter(|start| *start <= head.len())?;
            let length = usize::try_from(length).unwrap_or(usize::MAX).min(head.len() - start).min(SUBJECT_MAX);
            let bytes = &head[start..start + length];
            Some(if *text { Cow::Borrowed(bytes) } else { Cow::Owned(hex(bytes).into_bytes()) })
        }
        (None, form) => number(field.slot, &field.names, form.is_signed()),
    }
}

/// Writes bytes that are no text as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().take(HEX_MAX).map(|byte| format!("{byte:02x}"));
    digits.chain((bytes.len() > HEX_MAX).then(|| "...".to_owned())).collect()
}

/// Returns the value of a field, by its name.
fn attribute(spec: &Spec, layout: u8, head: &[u8], name: &str) -> Option<AttributeValue<'static>> {
    let own = &spec.layouts[usize::from(layout)].fields;
    let is_known = |field: &Field| field.name == name || field.bits.iter().any(|bits| bits.name == name);
    let index = own.iter().position(|field| is_known(field) && !field.secret && !name.is_empty())?;
    let mut found = None;
    walk(spec, &mut Memo::new(layout), head, &mut |visit| {
        if visit.memo.is_continued() {
            return false;
        }
        if visit.field == index {
            found = field_value(&own[index], name, &head[visit.place.clone()], visit.is_cut);
        }
        found.is_none()
    });
    found
}

fn field_value(field: &Field, name: &str, bytes: &[u8], is_cut: bool) -> Option<AttributeValue<'static>> {
    let number = |names: &Names, is_signed: bool, value: u64| match names.is_empty() && !is_signed {
        true => AttributeValue::Number(value),
        false => AttributeValue::Text(shown(names, is_signed, value)),
    };
    match &field.form {
        Form::Bytes { text, length, .. } => {
            let bytes = match length {
                super::model::Length::Until(delimiter) if !is_cut => &bytes[..bytes.len() - delimiter.len()],
                _ => bytes,
            };
            let value =
                if *text { AttributeValue::text(bytes).into_owned() } else { AttributeValue::Text(hex(bytes).into()) };
            Some(match value {
                AttributeValue::Text(text) if is_cut => AttributeValue::Beginning(text),
                value => value,
            })
        }
        _ if is_cut => None,
        Form::Align(_) => None,
        form => {
            let value = integer_value(form, bytes);
            match field.bits.iter().find(|bits| bits.name == name) {
                Some(bits) => Some(number(&bits.names, false, bits.of(value))),
                None => Some(number(&field.names, form.is_signed(), value)),
            }
        }
    }
}

/// Returns the value of a whole integer.
fn integer_value(form: &Form, bytes: &[u8]) -> u64 {
    let Form::Varint { zigzag } = form else { return reading::integer(form, bytes) };
    let value = bytes.iter().take(10).rev().fold(0_u64, |value, byte| value << 7 | u64::from(byte & 0x7f));
    if *zigzag { value >> 1 ^ (value & 1).wrapping_neg() } else { value }
}

/// Returns the place of secret number `number`: its offset, and its length in the lower 32 bits.
fn secret(spec: &Spec, layout: u8, head: &[u8], number: u64) -> Option<AttributeValue<'static>> {
    let mut left = number;
    let mut found = None;
    walk(spec, &mut Memo::new(layout), head, &mut |visit| {
        if spec.layouts[visit.layout].fields[visit.field].secret && !visit.place.is_empty() {
            if left == 0 {
                found = Some(AttributeValue::Number((visit.place.start as u64) << 32 | visit.place.len() as u64));
                return false;
            }
            left -= 1;
        }
        true
    });
    found
}
