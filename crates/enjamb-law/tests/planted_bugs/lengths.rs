//! Lengths: in the wrong place of a buffer, of the wrong size, and believed.

use enjamb_law::{Decoded, Parsed, Parsing};

use crate::{at_end, planted};

/// A length of one byte, then the payload. The bug: bytes that have arrived count as the payload.
fn short_payload(bug: bool, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
    let Some(len) = buffer.first().map(|len| usize::from(*len)) else { return Ok(None) };
    let there = buffer.len() - 1;
    if there < len && !(bug && there > 0) {
        return Ok(None);
    }
    Ok(Some(buffer.drain(..1 + len.min(there)).skip(1).collect()))
}

/// The bug: a length of four bytes is added to the length of the head without a check.
fn added(bug: bool, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
    let Some(head) = buffer.first_chunk::<4>() else { return Ok(None) };
    let len = u32::from_be_bytes(*head);
    let all = if bug { len + 4 } else { len.checked_add(4).ok_or("too long")? };
    let all = usize::try_from(all).map_err(|_| "too long")?;
    if !bug && all > 1 << 20 {
        return Err("too long");
    }
    if buffer.len() < all {
        return Ok(None);
    }
    Ok(Some(buffer.drain(..all).skip(4).collect()))
}

/// The bug: memory is reserved for a length before its bytes are there.
fn reserved(bug: bool, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
    let Some(head) = buffer.first_chunk::<8>() else { return Ok(None) };
    let len = usize::try_from(u64::from_be_bytes(*head)).map_err(|_| "too long")?;
    if !bug && len > 1 << 20 {
        return Err("too long");
    }
    if buffer.len() - 8 < len {
        if bug {
            buffer.reserve(len);
        }
        return Ok(None);
    }
    Ok(Some(buffer.drain(..8 + len).skip(8).collect()))
}

/// Decimal lengths. The bug: a negative length ends the process of reading: it is an index.
fn signed(bug: bool, bytes: &[u8]) -> Parsed<Vec<u8>, &'static str> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() > 20 { Parsed::Failed("length") } else { Parsed::Incomplete };
    };
    let Some(len) = std::str::from_utf8(&bytes[..end]).ok().and_then(|text| text.parse::<i64>().ok()) else {
        return Parsed::Failed("length");
    };
    if len > 1 << 20 || (!bug && len < 0) {
        return Parsed::Failed("length");
    }
    let all = (end as i64 + 1 + len) as usize;
    if bytes.len() < all { Parsed::Incomplete } else { Parsed::Done(bytes[end + 1..all].to_vec(), all) }
}

/// Variable-length integers in front of a payload. The bug: a second byte must be there.
fn varint(bug: bool, buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, &'static str> {
    let mut len = 0_usize;
    for (at, &byte) in buffer.iter().take(3).enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * at);
        let last = byte < 0x80 || (bug && at + 1 == buffer.len() && at == 0 && byte > 0x80);
        if last {
            if buffer.len() - at - 1 < len {
                return Ok(None);
            }
            if byte >= 0x80 {
                return Err("length");
            }
            return Ok(Some(buffer.drain(..at + 1 + len).skip(at + 1).collect()));
        }
        if at == 2 {
            return Err("length");
        }
    }
    if bug && buffer.len() == 1 {
        // The first byte is taken for a short length.
        buffer[0] &= 0x7f;
    }
    Ok(None)
}

planted! {
    payload_that_has_arrived: [Split], ["\x03abc", "\x01a"],
        |bug| Decoded::by(|| (), move |(): &mut (), buffer: &mut Vec<u8>| short_payload(bug, buffer), |(): &mut (), buffer: &mut Vec<u8>| at_end(buffer));
    length_overflows: [Total], ["\0\0\0\x03abc", "\0\0\0\0"],
        |bug| Decoded::by(|| (), move |(): &mut (), buffer: &mut Vec<u8>| added(bug, buffer), |(): &mut (), buffer: &mut Vec<u8>| at_end(buffer));
    length_is_reserved: [Total], ["\0\0\0\0\0\0\0\x03abc", "\0\0\0\0\0\0\0\0"],
        |bug| Decoded::by(|| (), move |(): &mut (), buffer: &mut Vec<u8>| reserved(bug, buffer), |(): &mut (), buffer: &mut Vec<u8>| at_end(buffer));
    negative_length_is_an_index: [Total], ["3\nabc", "0\n"],
        |bug| Parsing::new(move |bytes| signed(bug, bytes));
    second_byte_of_a_length_is_late: [Split], ["\x03abc", "\x01a"],
        |bug| Decoded::by(|| (), move |(): &mut (), buffer: &mut Vec<u8>| varint(bug, buffer), |(): &mut (), buffer: &mut Vec<u8>| at_end(buffer));
}
