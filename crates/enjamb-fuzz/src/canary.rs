//! A planted bug that the fuzzer must find within seconds. If it does not, the fuzzer does not
//! work.

use enjamb::{End, Machine};
use enjamb_law::{Case, Grammar, Machines, Script, split};

/// A line splitter that searches each chunk on its own, so it misses a CRLF between two chunks.
#[derive(Default)]
struct NaiveSplitter {
    line: Vec<u8>,
    offset: u64,
}

impl Machine for NaiveSplitter {
    type Event = Vec<u8>;
    type Error = std::convert::Infallible;

    fn next(&mut self, chunk: &mut &[u8]) -> Result<Option<Vec<u8>>, Self::Error> {
        let Some(at) = chunk.windows(2).position(|pair| pair == b"\r\n") else {
            self.line.extend_from_slice(chunk);
            *chunk = &[];
            return Ok(None);
        };
        self.line.extend_from_slice(&chunk[..at]);
        *chunk = &chunk[at + 2..];
        self.offset += self.line.len() as u64 + 2;
        Ok(Some(std::mem::take(&mut self.line)))
    }

    fn close(&mut self, _: &mut impl FnMut(Vec<u8>)) -> Result<End, Self::Error> {
        Ok(End::Clean)
    }

    fn held(&self) -> usize {
        self.line.len()
    }

    fn offset(&self) -> u64 {
        self.offset
    }
}

/// The target `canary`.
///
/// # Panics
/// When a CRLF is cut in two.
pub(crate) fn canary(data: &[u8]) {
    let Case { input, cuts } = Script::read(data).case(&Grammar::default());
    if let Err(violation) = split(&Machines(NaiveSplitter::default), &input, &cuts) {
        panic!("{violation}");
    }
}
