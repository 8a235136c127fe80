//! Whether bytes are a message.
//!
//! Constants, names and lengths are evidence: the number of bits that random bytes would not have
//! had by chance. Zeros count nothing, since they are everywhere. A message begins where the
//! evidence of a few messages one after another reaches [`SURE`] bits.

use enjamb::Side;

use super::model::{Condition, Constant, Form, Layout, Spec};
use super::reading::{Memo, constant_evidence};
use super::walk::{Walked, walk};
use crate::sniff::Sniff;

/// The evidence, in bits, that a message begins behind a gap.
const SURE: u32 = 24;

/// The evidence, in bits, that the first bytes of a connection are this protocol: a magic number of
/// two bytes.
const SURE_AT_START: u32 = 16;

/// The maximum number of messages, and of fields in all of them, that are considered.
const MESSAGES_MAX: usize = 8;
const FIELDS_MAX: usize = 64;

/// Returns whether a message of this layout begins with these bytes.
pub(super) fn begins(spec: &Spec, layout: u8, bytes: &[u8]) -> Sniff {
    if possible(&spec.layouts[usize::from(layout)]) == 0 {
        return Sniff::No;
    }
    let (mut at, mut evidence, mut fields) = (0, 0, 0);
    for _ in 0..MESSAGES_MAX {
        let mut memo = Memo::strict(layout, evidence);
        match message(spec, &mut memo, &bytes[at..], SURE, &mut fields) {
            Ok(length) => at += length,
            Err(sniff) => return sniff,
        }
        evidence = memo.evidence;
    }
    Sniff::No
}

/// Returns whether the first bytes of a side are this protocol.
pub(super) fn sniff(spec: &Spec, side: Side, bytes: &[u8]) -> Sniff {
    let layout = spec.states[0].sides[side.index()].first;
    if possible(&spec.layouts[usize::from(layout)]) < SURE_AT_START {
        return Sniff::No;
    }
    let mut memo = Memo::strict(layout, 0);
    message(spec, &mut memo, bytes, SURE_AT_START, &mut 0).map_or_else(|sniff| sniff, |_| Sniff::No)
}

/// Returns whether the first bytes of either side can be recognised.
pub(super) fn is_recognisable(spec: &Spec) -> bool {
    spec.states[0].sides.iter().any(|side| possible(&spec.layouts[usize::from(side.first)]) >= SURE_AT_START)
}

/// Returns the length of a message, if its evidence is not enough.
fn message(spec: &Spec, memo: &mut Memo, bytes: &[u8], sure: u32, fields: &mut usize) -> Result<usize, Sniff> {
    let mut decision = None;
    let walked = walk(spec, memo, bytes, &mut |visit| {
        *fields += 1;
        if visit.is_cut {
            return false;
        }
        if visit.memo.evidence >= sure {
            decision = Some(Sniff::Yes);
        } else if *fields >= FIELDS_MAX {
            decision = Some(Sniff::No);
        }
        decision.is_none()
    });
    match (decision, walked) {
        (Some(decision), _) => Err(decision),
        (None, Walked::Broken) => Err(Sniff::No),
        (None, Walked::More) => Err(Sniff::More),
        (None, Walked::Whole(length)) => Ok(length),
    }
}

/// Returns the evidence of one message of this layout whose fields all fit, in bits.
fn possible(layout: &Layout) -> u32 {
    let fields = layout.fields.iter().filter(|field| field.when == Condition::Always && !field.optional);
    fields
        .map(|field| {
            let constant = match field.equals.as_ref().map(|equals| &equals.value) {
                Some(Constant::Bytes(bytes)) => constant_evidence(bytes),
                Some(Constant::Integer(value)) => constant_evidence(&value.to_be_bytes()),
                None => 0,
            };
            let bits = match field.form {
                Form::Integer { width, .. } => 8 * u32::from(width),
                _ => 8,
            };
            let name = |bits: u32, count: usize| match count {
                0 => 0,
                _ => bits.saturating_sub(count.next_power_of_two().trailing_zeros()),
            };
            let parts: u32 = field.bits.iter().map(|bits| name(bits.width, bits.names.0.len())).sum();
            let end = if field.end.is_some() { bits.saturating_sub(64 - layout.max.leading_zeros()) } else { 0 };
            let words = field.words.iter().map(|word| word.len() as u32 * 8).min().unwrap_or(0);
            constant + name(bits, field.names.0.len()) + parts + end + name(words, field.words.len())
        })
        .fold(0, u32::saturating_add)
}
