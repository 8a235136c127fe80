//! Traces of a framer, which must be the same under every cut.

use std::fmt::Debug;

use enjamb::{End, FrameError, Framer, Handler, Machine};

/// An output of a framer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TraceEntry<V, E> {
    /// An event, and the machine's offset behind it.
    Event(V, u64),
    Failed(FrameError<E>),
    End(End),
}

/// Returns all outputs for a stream in these chunks.
pub(crate) fn trace<'c, H: Handler>(
    mut framer: Framer<H>,
    chunks: impl IntoIterator<Item = &'c [u8]>,
) -> Vec<TraceEntry<H::Event, H::Error>> {
    let mut entries = Vec::new();
    for mut chunk in chunks {
        loop {
            match framer.next(&mut chunk) {
                Ok(Some(event)) => entries.push(TraceEntry::Event(event, framer.offset())),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(framer.next(&mut chunk).err().map(|again| again.end()), Some(error.end()), "not fused");
                    entries.push(TraceEntry::Failed(error));
                    return entries;
                }
            }
        }
        assert!(chunk.is_empty(), "a chunk is used up before nothing more is entries");
    }
    let mut last = Vec::new();
    let end = framer.close(&mut |event| last.push(event));
    entries.extend(last.into_iter().map(|event| TraceEntry::Event(event, u64::MAX)));
    entries.push(end.map_or_else(TraceEntry::Failed, TraceEntry::End));
    entries
}

/// Returns the trace of `bytes` in one chunk. Checks that it is the same under every one and two
/// cuts, and byte by byte.
pub(crate) fn under_every_cut<H: Handler>(
    make: impl Fn() -> Framer<H>,
    bytes: &[u8],
) -> Vec<TraceEntry<H::Event, H::Error>>
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
