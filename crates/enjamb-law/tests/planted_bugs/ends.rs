//! The end of the stream.

use enjamb_law::{Accumulating, Chunks, Decoded, Never, Pushing, Reading};
use tokio::io::{AsyncBufReadExt, AsyncReadExt};

use crate::planted;

/// Pairs of bytes. The bug: an odd byte at the end is dropped.
fn pair(buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
    Ok((buffer.len() >= 2).then(|| buffer.drain(..2).collect()))
}

/// Sections that end in an empty line. The bug: the end of the stream ends a section cleanly.
async fn read_section(bug: bool, reader: &mut Chunks) -> Result<Option<String>, String> {
    let mut section = String::new();
    loop {
        let read = reader.read_line(&mut section).await.map_err(|error| error.kind().to_string())?;
        if read == 0 {
            return if section.is_empty() || bug { Ok(None) } else { Err("unfinished".to_owned()) };
        }
        if section.ends_with("\n\n") {
            return Ok(Some(section));
        }
    }
}

/// Records of four bytes. The bug: every error is an end.
async fn read_record(bug: bool, reader: &mut Chunks) -> Result<Option<u32>, String> {
    match reader.read_u32().await {
        Ok(record) => Ok(Some(record)),
        Err(_) if bug => Ok(None),
        Err(error) => Err(error.kind().to_string()),
    }
}

planted! {
    odd_byte_is_dropped: [End], ["ab", "cd"],
        |bug| Decoded::by(|| (), |(): &mut (), buffer: &mut Vec<u8>| pair(buffer), move |(): &mut (), buffer: &mut Vec<u8>| match pair(buffer)? {
            None if bug => { buffer.clear(); Ok(None) }
            None if buffer.is_empty() => Ok(None),
            None => Err("unfinished"),
            pair => Ok(pair),
        });
    clean_end_is_an_error: [End], ["ab", "cd"],
        |bug| Decoded::by(|| (), |(): &mut (), buffer: &mut Vec<u8>| pair(buffer), move |(): &mut (), buffer: &mut Vec<u8>| match pair(buffer)? {
            None if buffer.is_empty() && !bug => Ok(None),
            None => Err("unfinished"),
            pair => Ok(pair),
        });
    unfinished_section_is_a_clean_end: [End], ["a\n\n", "b\nc\n\n"],
        |bug| Reading::new(async move |reader: &mut Chunks| read_section(bug, reader).await);
    every_error_is_an_end: [End], ["abcd", "efgh"],
        |bug| Reading::new(async move |reader: &mut Chunks| read_record(bug, reader).await);
    flush_forgets_the_rest: [End], ["one;", "two;"],
        |bug| Pushing::returning(Vec::new, |part: &mut Vec<u8>, chunk| {
            let mut parts = Vec::new();
            for byte in chunk {
                match byte {
                    b';' => parts.push(std::mem::take(part)),
                    byte => part.push(*byte),
                }
            }
            Ok::<_, Never>(parts)
        })
        .at_end(move |part: &mut Vec<u8>, out: &mut dyn FnMut(Result<Vec<u8>, Never>)| if !part.is_empty() && !bug { out(Ok(std::mem::take(part))) });
    accumulator_forgets_the_rest: [End], ["one;", "two;"],
        |bug| Accumulating::new(Vec::new, |part: &mut Vec<u8>, chunk| match chunk.split_first() {
            Some((b';', rest)) => (Some(Ok::<_, Never>(std::mem::take(part))), rest),
            Some((byte, rest)) => { part.push(*byte); (None, rest) }
            None => (None, chunk),
        })
        .at_end(move |part: &mut Vec<u8>| (!part.is_empty() && !bug).then(|| Ok::<_, Never>(std::mem::take(part))));
}
