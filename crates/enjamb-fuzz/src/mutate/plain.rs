//! Changes of single bytes, for comparison: what a fuzzer does that knows nothing of its input.
//!
//! The list is that of libFuzzer's default mutator, without what needs instrumentation.

use fastrand::Rng;

/// Returns a changed input, of at most `max_size` bytes.
#[must_use]
pub fn mutate(data: &[u8], tokens: &[Vec<u8>], max_size: usize, random: &mut Rng) -> Vec<u8> {
    let mut data = data.to_vec();
    for _ in 0..1 + random.usize(..4) {
        change(&mut data, tokens, random);
    }
    data.truncate(max_size);
    data
}

/// Returns an input made of alternating parts of two.
#[must_use]
pub fn cross(one: &[u8], other: &[u8], max_size: usize, random: &mut Rng) -> Vec<u8> {
    let mut crossed = Vec::new();
    let (mut rests, mut from) = ([one, other], 0);
    while crossed.len() < max_size && rests.iter().any(|rest| !rest.is_empty()) {
        let rest = &mut rests[from];
        let (taken, behind) = rest.split_at(random.usize(..=rest.len()));
        crossed.extend_from_slice(taken);
        *rest = behind;
        from = 1 - from;
    }
    crossed.truncate(max_size);
    crossed
}

fn change(data: &mut Vec<u8>, tokens: &[Vec<u8>], random: &mut Rng) {
    if data.is_empty() {
        data.push(random.u8(..));
        return;
    }
    let at = random.usize(..data.len());
    let length = random.usize(1..=(data.len() - at).min(16));
    match random.u8(..9) {
        0 => drop(data.drain(at..at + length)),
        1 => data.insert(at, random.u8(..)),
        2 => drop(data.splice(at..at, std::iter::repeat_n(random.u8(..), 3 + random.usize(..16)))),
        3 => data[at] = random.u8(..),
        4 => data[at] ^= 1 << random.u8(..8),
        5 => random.shuffle(&mut data[at..at + length]),
        6 => {
            let copy = data[at..at + length].to_vec();
            let to = random.usize(..=data.len());
            data.splice(to..to, copy);
        }
        7 => {
            // A number of up to 8 bytes, changed by a little or negated.
            let length = length.min(8);
            let value = data[at..at + length].iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
            let value = if random.bool() {
                value.wrapping_add(random.u64(..21)).wrapping_sub(10)
            } else {
                value.wrapping_neg()
            };
            data[at..at + length].copy_from_slice(&value.to_be_bytes()[8 - length..]);
        }
        _ if tokens.is_empty() => data[at] = random.u8(..),
        _ => {
            let token = &tokens[random.usize(..tokens.len())];
            let end = if random.bool() { at } else { (at + token.len()).min(data.len()) };
            data.splice(at..end, token.iter().copied());
        }
    }
}
