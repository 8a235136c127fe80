//! What a framer says of a stream, and the same under every cut.

use std::fmt::Debug;

use enjamb::{End, FrameError, Framer, Handler, Machine};

/// Anything a framer says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said<V, E> {
    /// An event, and how far the machine was then.
    Event(V, u64),
    Failed(FrameError<E>),
    End(End),
}

/// All that is said of a stream that comes in these chunks.
pub(crate) fn trace<'c, H: Handler>(
    mut framer: Framer<H>,
    chunks: impl IntoIterator<Item = &'c [u8]>,
) -> Vec<Said<H::Event, H::Error>> {
    let mut said = Vec::new();
    for mut chunk in chunks {
        loop {
            match framer.next(&mut chunk) {
                Ok(Some(event)) => said.push(Said::Event(event, framer.offset())),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(framer.next(&mut chunk).err().map(|again| again.end()), Some(error.end()), "not fused");
                    said.push(Said::Failed(error));
                    return said;
                }
            }
        }
        assert!(chunk.is_empty(), "a chunk is used up before nothing more is said");
    }
    let mut last = Vec::new();
    let end = framer.close(&mut |event| last.push(event));
    said.extend(last.into_iter().map(|event| Said::Event(event, u64::MAX)));
    said.push(end.map_or_else(Said::Failed, Said::End));
    said
}

/// What is said of `bytes` in one chunk, which is what is said under every one and two cuts, and of
/// every byte by itself.
pub(crate) fn under_every_cut<H: Handler>(make: impl Fn() -> Framer<H>, bytes: &[u8]) -> Vec<Said<H::Event, H::Error>>
where
    H::Event: PartialEq + Debug,
    H::Error: PartialEq + Debug,
{
    let whole = trace(make(), [bytes]);
    assert_eq!(trace(make(), bytes.chunks(1)), whole, "each byte of \"{}\" by itself", bytes.escape_ascii());
    for first in 0..=bytes.len() {
        for second in first..=bytes.len() {
            let chunks = [&bytes[..first], &bytes[first..second], &bytes[second..]];
            let cut = trace(make(), chunks);
            assert_eq!(cut, whole, "\"{}\" cut before {first} and {second}", bytes.escape_ascii());
        }
    }
    whole
}
