//! A message in a slice of bytes: for its fields, and for the question whether it is one.

use std::ops::Range;

use super::model::Spec;
use super::reading::{Memo, plan, take};
use crate::kit::Next;

/// The maximum number of parts of one message that are walked through.
const PARTS_MAX: usize = 1 << 13;

/// The end of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walked {
    /// The message has this length.
    Whole(usize),
    /// The bytes end inside the message, or the visitor stopped.
    More,
    /// The bytes are no message, or it is malformed.
    Broken,
}

/// A field that a walk passes.
pub(super) struct Visit<'m> {
    pub(super) memo: &'m Memo,
    /// The layout and the index of the field.
    pub(super) layout: usize,
    pub(super) field: usize,
    /// Its place in the bytes, with its delimiter.
    pub(super) place: Range<usize>,
    /// Whether the bytes end inside it.
    pub(super) is_cut: bool,
}

/// Walks through the message at the beginning of `bytes`. `visit` returns whether to go on.
pub(super) fn walk(spec: &Spec, memo: &mut Memo, bytes: &[u8], visit: &mut dyn FnMut(&Visit<'_>) -> bool) -> Walked {
    let (mut at, mut last) = (0_usize, 0..0);
    for _ in 0..PARTS_MAX {
        let (layout, first, start) = (usize::from(memo.current), usize::from(memo.field), memo.start as usize);
        if take(spec, memo, &bytes[..at], &bytes[last], at as u64).is_err() {
            return Walked::Broken;
        }
        let mut place = start;
        for field in first..usize::from(memo.field) {
            let size = spec.layouts[layout].fields[field].form.size();
            let end = size.map_or(at, |size| place + size as usize).min(at);
            if !visit(&Visit { memo, layout, field, place: place..end, is_cut: false }) {
                return Walked::More;
            }
            place = end;
        }
        let Ok(next) = plan(spec, memo, at as u64) else { return Walked::Broken };
        let rest = &bytes[at..];
        let length = match next {
            Next::Bytes(length) | Next::Body(length) | Next::Skip(length) => usize::try_from(length).ok(),
            Next::Line => memchr::memchr(b'\n', rest).map(|at| at + 1),
            Next::Until(enjamb::Terminator::Delimiter(delimiter)) => {
                let delimiter = delimiter.bytes();
                rest.windows(delimiter.len()).position(|window| window == delimiter).map(|at| at + delimiter.len())
            }
            _ => return Walked::Whole(at),
        };
        match length.filter(|length| *length <= rest.len()) {
            Some(length) => {
                last = at..at + length;
                at += length;
            }
            None => {
                cut(spec, memo, bytes.len(), visit);
                return Walked::More;
            }
        }
    }
    Walked::More
}

/// Visits the fields in which the bytes end.
fn cut(spec: &Spec, memo: &Memo, end: usize, visit: &mut dyn FnMut(&Visit<'_>) -> bool) {
    let layout = usize::from(memo.current);
    let mut place = memo.start as usize;
    for field in usize::from(memo.field)..spec.layouts[layout].fields.len() {
        let size = spec.layouts[layout].fields[field].form.size();
        let field_end = size.map_or(usize::MAX, |size| place.saturating_add(size as usize));
        let visited = Visit { memo, layout, field, place: place..field_end.min(end), is_cut: field_end > end };
        if place >= end || !visit(&visited) || field_end >= end {
            return;
        }
        place = field_end;
    }
}
