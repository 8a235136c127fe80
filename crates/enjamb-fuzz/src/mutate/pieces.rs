//! Inputs of pieces that follow each other: lines, packets, records.

use fastrand::Rng;

use super::message::{edit, pick};

/// Changes a list of pieces once: drops, doubles, swaps or moves one.
pub(super) fn rearrange<T: Clone>(pieces: &mut Vec<T>, random: &mut Rng) {
    if pieces.is_empty() {
        return;
    }
    let (one, other) = (random.usize(..pieces.len()), random.usize(..pieces.len()));
    match random.u8(..6) {
        0 => {
            pieces.remove(one);
        }
        1 | 2 => pieces.insert(other, pieces[one].clone()),
        3 => pieces.swap(one, other),
        4 => {
            let piece = pieces.remove(one);
            pieces.insert(other.min(pieces.len()), piece);
        }
        _ => pieces.truncate(one + 1),
    }
}

/// Splits behind each separator.
fn split<'d>(data: &'d [u8], separator: &[u8]) -> Vec<&'d [u8]> {
    let mut pieces = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.windows(separator.len()).position(|window| window == separator) {
        let (piece, behind) = rest.split_at(at + separator.len());
        pieces.push(piece);
        rest = behind;
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces
}

/// Changes an input of pieces that a separator ends, behind a head.
pub(super) fn mutate_lines(
    data: &[u8],
    head: usize,
    separator: &[u8],
    edits: usize,
    tokens: &[Vec<u8>],
    random: &mut Rng,
) -> Vec<u8> {
    let (head, rest) = data.split_at(head.min(data.len()));
    let mut head = head.to_vec();
    let mut pieces: Vec<Vec<u8>> = split(rest, separator).into_iter().map(<[u8]>::to_vec).collect();
    for _ in 0..edits {
        if !head.is_empty() && random.u8(..24) == 0 {
            let at = random.usize(..head.len());
            head[at] = random.u8(..);
        } else if pieces.is_empty() {
            pieces
                .push(tokens.get(random.usize(..tokens.len().max(1))).cloned().unwrap_or_else(|| vec![random.u8(..)]));
        } else if random.u8(..3) == 0 {
            rearrange(&mut pieces, random);
        } else {
            let at = random.usize(..pieces.len());
            edit(&mut pieces[at], tokens, random);
        }
    }
    [head, pieces.concat()].concat()
}

/// Puts the first pieces of one input before the last ones of the other.
pub(super) fn cross_lines(one: &[u8], other: &[u8], head: usize, separator: &[u8], random: &mut Rng) -> Vec<u8> {
    let (start, one) = one.split_at(head.min(one.len()));
    let other = &other[head.min(other.len())..];
    let (one, other) = (split(one, separator), split(other, separator));
    let (to, from) = (random.usize(..=one.len()), random.usize(..=other.len()));
    let pieces = [&one[..to], &other[from..]].concat();
    [start, &pieces.concat()].concat()
}

/// Changes an input of records of the same length, behind a head.
pub(super) fn mutate_records(data: &[u8], head: usize, width: usize, edits: usize, random: &mut Rng) -> Vec<u8> {
    let (start, rest) = data.split_at(head.min(data.len()));
    let mut start = start.to_vec();
    start.resize(head, 0);
    let mut records: Vec<Vec<u8>> = rest.chunks(width).map(<[u8]>::to_vec).collect();
    for _ in 0..edits {
        match random.u8(..8) {
            0 => {
                let at = random.usize(..head);
                start[at] = pick(&[0, 1, 2, 3, 0xff, 0x80, random.u8(..)], random);
            }
            1 | 2 => rearrange(&mut records, random),
            3 | 4 => records.push((0..width).map(|_| random.u8(..)).collect()),
            5 if records.len() > 1 => {
                // A field of one record in another.
                let (one, other, at) =
                    (random.usize(..records.len()), random.usize(..records.len()), random.usize(..width));
                if let Some(byte) = records[one].get(at).copied()
                    && let Some(place) = records[other].get_mut(at)
                {
                    *place = byte.wrapping_add(pick(&[0, 0, 1, 0xff, 2], random));
                }
            }
            _ => {
                if let Some(at) = random.usize(..records.len().max(1)).checked_rem(records.len()) {
                    let field = random.usize(..records[at].len());
                    records[at][field] = if random.bool() {
                        random.u8(..)
                    } else {
                        records[at][field].wrapping_add(pick(&[1, 0xff, 2, 0x80], random))
                    };
                }
            }
        }
    }
    [start, records.concat()].concat()
}

/// Puts the first records of one input before the last ones of the other.
pub(super) fn cross_records(one: &[u8], other: &[u8], head: usize, width: usize, random: &mut Rng) -> Vec<u8> {
    let (start, one) = one.split_at(head.min(one.len()));
    let other = &other[head.min(other.len())..];
    let to = random.usize(..=one.len() / width) * width;
    let from = random.usize(..=other.len() / width) * width;
    [start, &one[..to], &other[from..]].concat()
}
