//! Families of inputs that random cases miss, because each of them needs something special: an
//! escape character that no sample shows, a character cut in two, a buffer that is exactly full.
//!
//! A family tries its most promising inputs first, and stops when its time is over.

use std::time::{Duration, Instant};

use cpu_time::ThreadTime;

use crate::classics;
use crate::cutting::{Cutting, stream};
use crate::laws::{split_each, total};
use crate::stretch::Stretch;
use crate::subject::{Comparable, Subject};
use crate::verdict::Tally;
use crate::violation::Violation;

/// The time of one family: processor time of this thread, so that a busy machine tries the same
/// inputs. Where the system does not measure it, or the subject only waits, the clock decides.
pub(crate) struct Allowance {
    time: Duration,
    processor: Option<ThreadTime>,
    started: Instant,
}

/// The number of times that the clock may go beyond the processor time.
const WAITING_MAX: u32 = 5;

impl Allowance {
    pub(crate) fn of(time: Duration) -> Self {
        Self { time, processor: ThreadTime::try_now().ok(), started: Instant::now() }
    }

    pub(crate) fn is_spent(&self) -> bool {
        match self.processor.and_then(|start| start.try_elapsed().ok()) {
            Some(used) => used >= self.time || self.started.elapsed() >= WAITING_MAX * self.time,
            None => self.started.elapsed() >= self.time,
        }
    }
}

/// An input of a family, and the ways to cut it.
pub(crate) struct Member {
    pub(crate) bytes: Vec<u8>,
    pub(crate) cuts: Vec<Vec<usize>>,
}

impl Member {
    fn new(bytes: Vec<u8>, cuts: impl IntoIterator<Item = Vec<usize>>) -> Self {
        let len = bytes.len();
        let cuts = cuts.into_iter().map(|mut cuts| {
            cuts.retain(|cut| (1..len).contains(cut));
            cuts.dedup();
            cuts
        });
        let mut cuts: Vec<Vec<usize>> = cuts.filter(|cuts| !cuts.is_empty()).collect();
        cuts.dedup();
        Self { bytes, cuts }
    }
}

/// Tries the split law with the members of a family.
pub(crate) fn split_all<S>(
    subject: &S,
    family: impl IntoIterator<Item = Member>,
    allowance: &Allowance,
) -> Result<Tally, Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let mut tried = Tally::default();
    for Member { bytes, cuts } in family.into_iter().take_while(|_| !allowance.is_spent()) {
        tried += Tally::one(split_each(subject, &stream(&bytes), cuts)?);
    }
    Ok(tried)
}

/// Tries the total law with the members of a family, each of them uncut and under its last cuts.
pub(crate) fn total_all<S>(
    subject: &S,
    family: impl IntoIterator<Item = Member>,
    allowance: &Allowance,
) -> Result<Tally, Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let mut tried = Tally::default();
    for Member { bytes, cuts } in family.into_iter().take_while(|_| !allowance.is_spent()) {
        let input: Cutting = stream(&bytes);
        total(subject, &input, &[])?;
        if let Some(cuts) = cuts.last() {
            total(subject, &input, cuts)?;
        }
        tried += Tally::one(2);
    }
    Ok(tried)
}

/// Returns all streams of one and two bytes, and those of three bytes of the samples and of the
/// most common special ones. Pairs of special bytes come first.
pub(crate) fn short_streams(messages: &[Vec<u8>]) -> impl Iterator<Item = Member> {
    const FEW: usize = 12;
    let alphabet = classics::alphabet(messages);
    let few: Vec<u8> = alphabet[..FEW].to_vec();
    let one = alphabet.clone().into_iter().map(|byte| Member::new(vec![byte], []));
    let three = few.clone().into_iter().flat_map(move |first| {
        let few = few.clone();
        few.clone().into_iter().flat_map(move |second| {
            let few = few.clone();
            few.into_iter().map(move |third| Member::new(vec![first, second, third], [vec![1], vec![2], vec![1, 2]]))
        })
    });
    // Pairs in the order of the rarer of their two bytes.
    let two = (0..256_usize).flat_map(move |rank| {
        let alphabet = alphabet.clone();
        (0..=rank).flat_map(move |other| {
            let (rare, common) = (alphabet[rank], alphabet[other]);
            let both = [vec![rare, common], vec![common, rare]];
            both.into_iter().take(if rare == common { 1 } else { 2 }).map(|bytes| Member::new(bytes, [vec![1]]))
        })
    });
    one.chain(three).chain(two)
}

/// The samples in which bytes are inserted: the shortest ones.
fn short_samples(messages: &[Vec<u8>]) -> Vec<&[u8]> {
    const MOST: usize = 3;
    const LEN_MAX: usize = 64;
    let mut samples: Vec<&[u8]> =
        messages.iter().map(Vec::as_slice).filter(|message| (1..=LEN_MAX).contains(&message.len())).collect();
    samples.sort_by_key(|sample| sample.len());
    samples.dedup();
    // The shortest sample may be an empty message, which has no inside.
    let empty = usize::from(samples.len() > 1 && samples[0].len() < 3);
    samples.into_iter().skip(empty).take(MOST).collect()
}

/// Returns the sample with `token` at `at`, and what follows it.
fn with_token(sample: &[u8], at: usize, token: &[u8], next: &[u8]) -> Vec<u8> {
    [&sample[..at], token, &sample[at..], next].concat()
}

/// Returns short samples with a special token at each place, cut before, inside and after it.
pub(crate) fn tokens(messages: &[Vec<u8>], own: &[Vec<u8>]) -> impl Iterator<Item = Member> {
    let samples: Vec<Vec<u8>> = short_samples(messages).into_iter().map(<[u8]>::to_vec).collect();
    let next = messages.first().cloned().unwrap_or_default();
    let tokens: Vec<Vec<u8>> = own.iter().cloned().chain(classics::TOKENS.iter().map(|token| token.to_vec())).collect();
    tokens.into_iter().flat_map(move |token| {
        let (samples, next) = (samples.clone(), next.clone());
        samples.into_iter().flat_map(move |sample| {
            let (token, next) = (token.clone(), next.clone());
            (0..=sample.len()).map(move |at| {
                let bytes = with_token(&sample, at, &token, &next);
                let inside = (at..=at + token.len()).map(|cut| vec![cut]);
                let every = (1..bytes.len()).collect();
                Member::new(bytes, inside.chain([vec![at, at + token.len()], every]))
            })
        })
    })
}

/// Returns short samples with each byte inserted at each place, cut before and after it. The most
/// common special bytes come first.
pub(crate) fn insertions(messages: &[Vec<u8>]) -> impl Iterator<Item = Member> {
    let samples: Vec<Vec<u8>> = short_samples(messages).into_iter().map(<[u8]>::to_vec).collect();
    let next = messages.first().cloned().unwrap_or_default();
    classics::alphabet(messages).into_iter().flat_map(move |byte| {
        let (samples, next) = (samples.clone(), next.clone());
        samples.into_iter().flat_map(move |sample| {
            let next = next.clone();
            (0..=sample.len()).map(move |at| {
                let bytes = with_token(&sample, at, &[byte], &next);
                Member::new(bytes, [vec![at], vec![at + 1], vec![at, at + 1], vec![at + 2]])
            })
        })
    })
}

/// Returns short samples with one byte replaced by each other byte, cut before and after it: a
/// sample keeps its length.
pub(crate) fn replacements(messages: &[Vec<u8>]) -> impl Iterator<Item = Member> {
    let samples: Vec<Vec<u8>> = short_samples(messages).into_iter().map(<[u8]>::to_vec).collect();
    let next = messages.first().cloned().unwrap_or_default();
    classics::alphabet(messages).into_iter().flat_map(move |byte| {
        let (samples, next) = (samples.clone(), next.clone());
        samples.into_iter().flat_map(move |sample| {
            let next = next.clone();
            (0..sample.len()).map(move |at| {
                let mut bytes = [&sample[..], &next].concat();
                bytes[at] = byte;
                Member::new(bytes, [vec![at], vec![at + 1]])
            })
        })
    })
}

/// Returns short samples with two characters that are not ASCII, and one ASCII byte between them.
/// Both characters are cut.
pub(crate) fn characters(messages: &[Vec<u8>]) -> impl Iterator<Item = Member> {
    const CHARACTERS: [&str; 3] = ["\u{e9}", "\u{20ac}", "\u{1f600}"];
    let samples: Vec<Vec<u8>> = short_samples(messages).into_iter().map(<[u8]>::to_vec).collect();
    CHARACTERS.into_iter().flat_map(move |character| {
        let samples = samples.clone();
        samples.into_iter().flat_map(move |sample| {
            (0..=sample.len()).map(move |at| {
                let len = character.len();
                let text = format!("{character}a{character}b");
                let first = (at + 1..at + len).map(|cut| vec![cut]);
                let both =
                    (1..len).flat_map(|first| (1..len).map(move |second| vec![at + first, at + len + 1 + second]));
                let bytes = with_token(&sample, at, text.as_bytes(), &sample);
                Member::new(bytes, first.chain(both))
            })
        })
    })
}

/// Returns the messages with other line ends, and with an empty line before or after them.
pub(crate) fn line_ends(messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let lines = |message: &[u8], end: &[u8]| -> Option<Vec<u8>> {
        let text = replaced(&replaced(message, b"\r\n", b"\n"), b"\n", end);
        (text != message && message.contains(&b'\n')).then_some(text)
    };
    let mut found = Vec::new();
    for end in [&b"\r\n"[..], b"\n", b"\r"] {
        let each: Vec<Vec<u8>> = messages.iter().filter_map(|message| lines(message, end)).take(4).collect();
        let empty = [end, messages.first().map_or(&[][..], Vec::as_slice)].concat();
        if !each.is_empty() {
            found.push(each.concat());
            found.push(empty);
        }
        found.extend(each);
    }
    found
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        match rest.strip_prefix(from) {
            Some(after) => {
                text.extend(to);
                rest = after;
            }
            None => {
                text.push(*byte);
                rest = after;
            }
        }
    }
    text
}

/// The sizes of common buffers, in bytes.
const EDGES: [usize; 10] = [64, 128, 256, 512, 1024, 1460, 2048, 4096, 8192, 16384];

/// The distance from an edge within which each length is tried.
const AROUND: usize = 16;

/// Returns messages whose length, or whose payload's length, is near the size of a common buffer.
/// Each is followed by a short message.
pub(crate) fn edges(stretches: &[Stretch], next: &[u8]) -> impl Iterator<Item = Member> {
    stretched(stretches).map(move |(bytes, edge)| {
        let len = bytes.len();
        let places = [len - 1, len - 2.min(len), edge, edge.saturating_sub(1), edge + 1, len / 2, len];
        let mut cuts: Vec<Vec<usize>> = (1..12).chain(places).map(|cut| vec![cut]).collect();
        if len < 600 {
            cuts.push((1..len).collect());
        }
        cuts.push((edge..len).step_by(edge).collect());
        cuts.push((1460..len).step_by(1460).collect());
        Member::new([&bytes[..], next].concat(), cuts)
    })
}

/// Returns messages whose length, or whose payload's length, is near the size of a common buffer,
/// and that size: those nearest to it first.
pub(crate) fn stretched(stretches: &[Stretch]) -> impl Iterator<Item = (Vec<u8>, usize)> {
    let stretches: Vec<Stretch> = stretches.iter().take(4).cloned().collect();
    let distances = (0..=AROUND).flat_map(|off| [off as isize, -(off as isize)]).skip(1);
    distances.flat_map(move |off| {
        let stretches = stretches.clone();
        EDGES.into_iter().flat_map(move |edge| {
            let stretches = stretches.clone();
            stretches.into_iter().flat_map(move |stretch| {
                let len = edge.saturating_add_signed(off);
                // A payload is near an edge together with its message, but for long heads.
                let [message, payload] = stretch.more_for(len);
                [message, payload.filter(|_| off.unsigned_abs() <= 2)]
                    .into_iter()
                    .flatten()
                    .filter(|more| *more >= 0)
                    .map(move |more| (stretch.message(more), edge))
                    .collect::<Vec<_>>()
            })
        })
    })
}

/// Returns long streams of messages, in chunks near the size of common buffers.
/// `long` is a longer message, or no bytes.
pub(crate) fn chunk_sizes(messages: &[Vec<u8>], long: &[u8]) -> Vec<Member> {
    const LEN: usize = 40 << 10;
    let mut unit: Vec<u8> = messages.iter().take(8).flatten().copied().collect();
    unit.extend_from_slice(long);
    if unit.is_empty() || unit.len() > LEN / 2 {
        return Vec::new();
    }
    let bytes = unit.repeat(LEN / unit.len());
    let sizes = EDGES.into_iter().flat_map(|edge| [edge, edge - 1, edge + 1, edge + 2]);
    let cuts = sizes.map(|size| (size..bytes.len()).step_by(size).collect());
    vec![Member::new(bytes.clone(), cuts.collect::<Vec<_>>())]
}

/// Returns messages that are longer than most limits, in chunks of several sizes. A limit must not
/// depend on the chunks.
pub(crate) fn over_limits(stretches: &[Stretch], next: &[u8]) -> impl Iterator<Item = Member> {
    const LENS: [usize; 8] = [70, 130, 300, 600, 1_100, 5_000, 9_000, 20_000];
    let stretches: Vec<Stretch> = stretches.iter().take(4).cloned().collect();
    LENS.into_iter().flat_map(move |len| {
        let next = next.to_vec();
        let stretches = stretches.clone();
        stretches.into_iter().filter_map(move |stretch| {
            let [more, _] = stretch.more_for(len);
            let message = stretch.message(more.filter(|more| *more > 0)?);
            let end = message.len();
            let mut cuts: Vec<Vec<usize>> = [end - 1, end / 2, end, 60, 1_000].map(|cut| vec![cut]).to_vec();
            cuts.extend([10, 100, 1_000].map(|size| (size..end).step_by(size).collect::<Vec<_>>()));
            Some(Member::new([&message[..], &next, &next].concat(), cuts))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_streams_of_two_bytes_are_tried_once() {
        let members: Vec<Vec<u8>> = short_streams(&[b"one\n".to_vec()]).map(|member| member.bytes).collect();
        let mut two: Vec<&Vec<u8>> = members.iter().filter(|bytes| bytes.len() == 2).collect();
        assert_eq!(two.len(), 65_536);
        two.sort();
        two.dedup();
        assert_eq!(two.len(), 65_536);
        assert_eq!(members.iter().filter(|bytes| bytes.len() == 1).count(), 256);
    }

    #[test]
    fn line_ends_are_exchanged() {
        let found = line_ends(&[b"a\nb\n".to_vec()]);
        assert!(found.contains(&b"a\r\nb\r\n".to_vec()) && found.contains(&b"a\rb\r".to_vec()), "{found:?}");
        assert!(found.contains(&b"\r\na\nb\n".to_vec()), "{found:?}");
        assert!(line_ends(&[b"ab".to_vec()]).is_empty());
    }

    #[test]
    fn both_characters_are_cut_with_one_byte_between_them() {
        let members: Vec<Member> = characters(&[b"x\n".to_vec(), b"abc\n".to_vec()]).collect();
        let found = members
            .iter()
            .any(|member| member.bytes.starts_with("a\u{e9}a\u{e9}b".as_bytes()) && member.cuts.contains(&vec![2, 5]));
        assert!(found);
    }
}
