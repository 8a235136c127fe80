//! Mutators that edit messages and cuts, not bytes.
//!
//! A byte that a fuzzer changes in a conversation mostly damages one length, and the rest of the
//! conversation is lost. These mutators know the form of an input: where its messages begin, which
//! number in one is its length, what ends it, and where the stream is cut. Where the messages of a
//! conversation end is what the protocol's own session says.

mod capture;
mod message;
mod pieces;
pub mod plain;
mod program;
mod script;
mod tokens;

use fastrand::Rng;

use crate::captures::BETWEEN;
use crate::target::{Form, Target};
pub use tokens::tokens;

/// The maximum number of edits of one mutation.
const EDITS_MAX: usize = 6;

/// Returns a changed input, of at most `max_size` bytes.
#[must_use]
pub fn mutate(target: &Target, data: &[u8], max_size: usize, random: &mut Rng) -> Vec<u8> {
    // Most mutations are one edit. Some bugs need several at a time.
    let mut edits = 1;
    while edits < EDITS_MAX && random.u8(..3) == 0 {
        edits += 1;
    }
    let tokens = tokens(target);
    let mut changed = match target.form {
        Form::Script(_) => script::mutate(target, data, edits, max_size, tokens, random),
        Form::Program => program::mutate(data, edits, random),
        Form::Capture => capture::mutate(data, edits, tokens, random),
        Form::Records { head, width } => pieces::mutate_records(data, head, width, edits, random),
        Form::Stream { head } => pieces::mutate_lines(data, head, b"\n", edits, tokens, random),
        Form::Packets => pieces::mutate_lines(data, 2, BETWEEN, edits, tokens, random),
        Form::Text => pieces::mutate_lines(data, 0, b"\n", edits, tokens, random),
    };
    changed.truncate(max_size);
    changed
}

/// Returns an input made of two, of at most `max_size` bytes.
#[must_use]
pub fn cross(target: &Target, one: &[u8], other: &[u8], max_size: usize, random: &mut Rng) -> Vec<u8> {
    let mut crossed = match target.form {
        Form::Script(_) => script::cross(target, one, other, max_size, random),
        Form::Program => program::cross(one, other, random),
        Form::Capture => capture::cross(one, other, random),
        Form::Records { head, width } => pieces::cross_records(one, other, head, width, random),
        Form::Stream { head } => pieces::cross_lines(one, other, head, b"\n", random),
        Form::Packets => pieces::cross_lines(one, other, 2, BETWEEN, random),
        Form::Text => pieces::cross_lines(one, other, 0, b"\n", random),
    };
    crossed.truncate(max_size);
    crossed
}

/// Changes the input in the first `size` bytes of `data`, and returns its new size. `bytes` is the
/// fuzzer's own mutator, which knows what the program compares: it is used every fourth time.
pub fn mutate_in_place(
    target: &Target,
    data: &mut [u8],
    size: usize,
    max_size: usize,
    seed: u32,
    bytes: impl FnOnce(&mut [u8], usize, usize) -> usize,
) -> usize {
    let mut random = Rng::with_seed(u64::from(seed));
    if random.u8(..4) == 0 {
        return bytes(data, size, max_size);
    }
    let changed = mutate(target, &data[..size], max_size.min(data.len()), &mut random);
    data[..changed.len()].copy_from_slice(&changed);
    changed.len()
}

/// Writes an input made of two to `out`, and returns its size.
pub fn cross_in_place(target: &Target, one: &[u8], other: &[u8], out: &mut [u8], seed: u32) -> usize {
    let mut random = Rng::with_seed(u64::from(seed));
    let crossed = cross(target, one, other, out.len(), &mut random);
    out[..crossed.len()].copy_from_slice(&crossed);
    crossed.len()
}
