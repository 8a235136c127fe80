//! Inputs for fuzz targets. Every byte string is one, and raw traffic is nearly one already: so recorded conversations make good seeds,
//! and what a fuzzer mutates are the bytes of the protocol and not those of an encoding.
//!
//! ```text
//! input = COUNT { CUT } { bytes and SWITCH }
//! COUNT = one byte, modulo 8: how many cuts
//! CUT   = two bytes, big-endian, modulo the length of the payload
//! SWITCH = FF FE: the other side speaks
//! ```

use enjamb::transcript::What;
use enjamb::{Framer, Machine, Session, Side, Terminator};

use crate::asynchat::{Interpreter, Program, Setting, reference};
use crate::cutting::Cutting;
use crate::split::split;
use crate::subject::Sessions;

/// Between what one side says and what the other does. No UTF-8 text holds it.
pub const SWITCH: [u8; 2] = [0xff, 0xfe];

/// An input and where it is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The conversation.
    pub input: Cutting,
    /// Its cuts, in ascending order.
    pub cuts: Vec<usize>,
}

impl Case {
    /// What `data` stands for.
    #[must_use]
    pub fn decode(data: &[u8]) -> Self {
        let (count, rest) = data.split_first().map_or((0, data), |(count, rest)| (usize::from(count % 8), rest));
        let (places, mut rest) = rest.split_at((2 * count).min(rest.len()));
        let mut turns = Vec::new();
        let mut side = Side::Client;
        loop {
            let end = rest.windows(2).position(|pair| pair == SWITCH).unwrap_or(rest.len());
            turns.push((side, What::Chunk(rest[..end].to_vec())));
            if end == rest.len() {
                break;
            }
            rest = &rest[end + SWITCH.len()..];
            side = !side;
        }
        let input = Cutting::of(turns);
        let places = places.chunks_exact(2).map(|place| usize::from(u16::from_be_bytes([place[0], place[1]])));
        let mut cuts: Vec<usize> =
            places.filter_map(|place| place.checked_rem(input.len())).filter(|cut| *cut > 0).collect();
        cuts.sort_unstable();
        cuts.dedup();
        Self { input, cuts }
    }

    /// A seed of the conversation, without cuts. Decodes to it unless it holds [`SWITCH`], or more than chunks.
    #[must_use]
    pub fn seed(input: &Cutting) -> Vec<u8> {
        let mut data = vec![0];
        let mut speaking = Side::Client;
        for (side, what) in input.turns() {
            if *side != speaking {
                data.extend_from_slice(&SWITCH);
                speaking = *side;
            }
            data.extend_from_slice(crate::cutting::payload(what));
        }
        data
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for Case {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        let len = u.len();
        u.bytes(len).map(Self::decode)
    }

    fn arbitrary_take_rest(u: arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self::decode(u.take_rest()))
    }
}

/// The split law over sessions.
///
/// # Panics
/// With the smallest violation, when the law is broken.
pub fn split_law(case: &Case, open: impl Fn() -> Box<dyn Session>) {
    if let Err(violation) = split(&Sessions(open), &case.input, &case.cuts) {
        panic!("{violation}");
    }
}

/// A program of terminators, a stream, and its cuts.
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[derive(Clone, Debug)]
pub struct EngineCase {
    /// The terminators in order: a length where there are no bytes, a delimiter where there are; where the length is less than their number, they
    /// are several delimiters of that length, the last one perhaps shorter.
    pub program: Vec<(Vec<u8>, u8)>,
    /// Begin the program again at its end?
    pub cycle: bool,
    /// What arrives, in the chunks it arrives in.
    pub chunks: Vec<Vec<u8>>,
}

/// The engine against the naive reading of the whole stream.
///
/// # Panics
/// When they differ.
pub fn engine_law(case: &EngineCase) {
    let setting = |(bytes, length): &(Vec<u8>, u8)| {
        let several = (1..bytes.len()).contains(&usize::from(*length));
        let delimiters = several.then(|| Terminator::any_of(bytes.chunks(usize::from(*length))).ok()).flatten();
        let delimiter = || Terminator::delimiter(bytes).ok().or_else(|| Terminator::length(u64::from(*length)));
        delimiters.or_else(delimiter).map_or(Setting::Keep, Setting::Set)
    };
    let mut settings = case.program.iter().map(setting);
    let Some(Setting::Set(first)) = settings.next() else {
        return;
    };
    let program = Program { first, rest: settings.collect(), cycle: case.cycle };
    let mut heard = Vec::new();
    let mut framer = Framer::new(Interpreter::new(&program));
    for chunk in &case.chunks {
        let fed = framer.feed(chunk, &mut |event| heard.push(event));
        fed.unwrap_or_else(|error| panic!("an interpreter does not fail: {error}"));
    }
    let end = framer.close(&mut |event| heard.push(event));
    end.unwrap_or_else(|error| panic!("an interpreter does not fail: {error}"));
    assert_eq!(heard, reference(&program, &case.chunks.concat()), "{program:?} over {:?}", case.chunks);
}
