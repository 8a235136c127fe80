//! Consistent overhead byte stuffing (Cheshire and Baker, 1999): a streaming decoder. A frame
//! contains no byte of 0, which is its delimiter.
//!
//! ```text
//! frame = { block }
//! block = CODE, CODE - 1 bytes that are not 0    and then a 0, unless CODE is 255 or the block is the last
//! ```

/// A frame in progress.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Decoder {
    /// Bytes of the block that are still to come.
    left: u8,
    /// Whether a zero comes before the next block.
    zero: bool,
    /// Bytes decoded so far.
    length: u64,
}

impl Decoder {
    /// Decodes a piece, which contains no 0. Gives the decoded bytes to `out`.
    pub(crate) fn piece(&mut self, mut piece: &[u8], out: &mut impl FnMut(&[u8])) {
        while let Some((&first, rest)) = piece.split_first() {
            if self.left == 0 {
                if self.zero {
                    self.give(&[0], out);
                }
                self.left = first.saturating_sub(1);
                self.zero = first != u8::MAX;
                piece = rest;
                continue;
            }
            let (bytes, rest) = piece.split_at(piece.len().min(usize::from(self.left)));
            self.give(bytes, out);
            // At most `left` bytes.
            self.left -= u8::try_from(bytes.len()).unwrap_or(self.left);
            piece = rest;
        }
    }

    fn give(&mut self, bytes: &[u8], out: &mut impl FnMut(&[u8])) {
        self.length = self.length.saturating_add(bytes.len() as u64);
        out(bytes);
    }

    /// Ends the frame. Returns its decoded length, or `None` if its last block lacks bytes.
    pub(crate) fn end(&mut self) -> Option<u64> {
        let Self { left, length, .. } = std::mem::take(self);
        (left == 0).then_some(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(bytes: &[u8]) -> Vec<u8> {
        let mut encoded = Vec::new();
        let mut parts = bytes.split(|&byte| byte == 0).peekable();
        while let Some(mut part) = parts.next() {
            while part.len() >= 254 {
                encoded.push(255);
                encoded.extend_from_slice(&part[..254]);
                part = &part[254..];
                if part.is_empty() && parts.peek().is_none() {
                    return encoded;
                }
            }
            encoded.push(u8::try_from(part.len() + 1).unwrap());
            encoded.extend_from_slice(part);
        }
        encoded
    }

    fn decode(encoded: &[u8], size: usize) -> Option<Vec<u8>> {
        let (mut decoder, mut bytes) = (Decoder::default(), Vec::new());
        for piece in encoded.chunks(size) {
            decoder.piece(piece, &mut |decoded| bytes.extend_from_slice(decoded));
        }
        assert_eq!(decoder.length, bytes.len() as u64);
        decoder.end().map(|_| bytes)
    }

    #[test]
    fn encoded_bytes_are_decoded_in_pieces_of_any_size() {
        for length in [0, 1, 2, 253, 254, 255, 256, 508, 509, 1000] {
            for zeros in [0, 1, 2, 7, 254, 255] {
                let byte = |at: usize| if zeros > 0 && at % zeros == zeros - 1 { 0 } else { b'a' };
                let bytes: Vec<u8> = (0..length).map(byte).collect();
                let encoded = encode(&bytes);
                assert!(!encoded.contains(&0));
                for size in [1, 2, 100, 254, 10_000] {
                    assert_eq!(
                        decode(&encoded, size).as_deref(),
                        Some(&bytes[..]),
                        "{length} bytes, a 0 every {zeros}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_examples_of_the_paper_are_decoded_and_a_short_block_is_refused() {
        assert_eq!(decode(b"\x01\x01", 1).as_deref(), Some(&b"\0"[..]));
        assert_eq!(decode(b"\x03\x11\x22\x02\x33", 2).as_deref(), Some(&b"\x11\x22\0\x33"[..]));
        assert_eq!(decode(b"", 1).as_deref(), Some(&b""[..]));
        assert_eq!(decode(b"\x03\x11", 1), None);
    }
}
