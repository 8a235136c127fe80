//! HPACK (RFC 7541): the compressed headers of one side.
//!
//! The decoders of published crates give up at the first field that they cannot decode. Here the
//! frames before it may be missing, so the decoder goes on, with holes: an entry whose value was
//! missed is unknown, and so is every field that refers to it. The entries are counted from the
//! newest one, so those that were added behind the loss have the right numbers.

use std::collections::VecDeque;
use std::sync::Arc;

use httlib_huffman::DecoderSpeed;

use crate::kit::{Cursor, Fault, Short};

/// A name or a value. `None` if it was missed.
type Text = Option<Arc<[u8]>>;

/// A header.
#[derive(Clone, Debug)]
pub(super) struct Field {
    name: Text,
    value: Text,
}

impl Field {
    pub(super) fn name(&self) -> Option<&[u8]> {
        self.name.as_deref()
    }

    pub(super) fn value(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }

    /// Returns the size of an entry of the table (section 4.1). An unknown part counts as empty.
    fn size(&self) -> usize {
        self.name().map_or(0, <[u8]>::len) + self.value().map_or(0, <[u8]>::len) + 32
    }
}

/// The initial size of the table (RFC 9113, section 6.5.2).
const SIZE: usize = 4096;

/// The largest size of a table that is accepted. Browsers ask for 64 KiB.
const SIZE_MAX: usize = 64 << 10;

/// The maximum size of the headers of a message, counted as entries of the table are.
const LIST_MAX: usize = 256 << 10;

/// The decoder of one side's headers.
#[derive(Debug)]
pub(super) struct Decoder {
    /// The table, the newest entry first.
    entries: VecDeque<Field>,
    size: usize,
    size_max: usize,
    /// Whether there may be entries that were missed.
    has_holes: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { entries: VecDeque::new(), size: 0, size_max: SIZE, has_holes: false }
    }
}

impl Decoder {
    /// Forgets the table: headers were missed. Its maximum size is not known then, so no entry may
    /// be dropped too early.
    pub(super) fn lose(&mut self) {
        *self = Self { has_holes: true, size_max: SIZE_MAX, ..Self::default() };
    }

    /// Decodes headers into `fields`.
    ///
    /// # Errors
    /// [`Fault`] if they break a rule. The table is forgotten then, and `fields` has those before.
    pub(super) fn decode(&mut self, block: &[u8], fields: &mut Vec<Field>) -> Result<(), Fault> {
        let mut rest = Cursor::new(block);
        let mut size = 0;
        while !rest.is_empty() {
            let field = match self.field(&mut rest) {
                Ok(Some(field)) => field,
                Ok(None) => continue,
                Err(fault) => {
                    self.lose();
                    return Err(fault);
                }
            };
            size += field.size();
            if size > LIST_MAX {
                self.lose();
                return Err(Fault("the headers are longer than 256 KiB"));
            }
            fields.push(field);
        }
        Ok(())
    }

    /// Takes a field, or a change of the table's size.
    fn field(&mut self, rest: &mut Cursor<'_>) -> Result<Option<Field>, Fault> {
        let first = rest.rest()[0];
        match first {
            0x80.. => {
                let index = integer(rest, 7)?;
                self.entry(index).map(Some)
            }
            0x40.. => {
                let field = self.literal(rest, 6)?;
                self.add(field.clone());
                Ok(Some(field))
            }
            0x20.. => {
                let size = usize::try_from(integer(rest, 5)?).ok().filter(|size| *size <= SIZE_MAX);
                self.size_max = size.ok_or(Fault("the table of headers is larger than 64 KiB"))?;
                self.evict(0);
                Ok(None)
            }
            _ => self.literal(rest, 4).map(Some),
        }
    }

    /// Takes a literal whose index has a prefix of `bits` bits.
    fn literal(&self, rest: &mut Cursor<'_>, bits: u32) -> Result<Field, Fault> {
        let name = match integer(rest, bits)? {
            0 => Some(string(rest)?),
            index => self.entry(index)?.name,
        };
        Ok(Field { name, value: Some(string(rest)?) })
    }

    /// Returns an entry of the static table and the table behind it.
    fn entry(&self, index: u64) -> Result<Field, Fault> {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let Some(index) = index.checked_sub(1) else { return Err(Fault("the index of a header is 0")) };
        if let Some((name, value)) = STATIC.get(index) {
            let part = |text: &str| Some(Arc::from(text.as_bytes()));
            return Ok(Field { name: part(name), value: part(value) });
        }
        match self.entries.get(index - STATIC.len()) {
            Some(entry) => Ok(entry.clone()),
            None if self.has_holes => Ok(Field { name: None, value: None }),
            None => Err(Fault("the index of a header is beyond the table")),
        }
    }

    /// Adds an entry (section 4.4).
    fn add(&mut self, field: Field) {
        let size = field.size();
        self.evict(size);
        if size <= self.size_max {
            self.size += size;
            self.entries.push_front(field);
        }
    }

    /// Drops old entries until there is room.
    fn evict(&mut self, room: usize) {
        while self.size + room > self.size_max
            && let Some(entry) = self.entries.pop_back()
        {
            self.size -= entry.size();
        }
    }
}

/// Takes an integer whose prefix has `bits` bits (section 5.1).
fn integer(rest: &mut Cursor<'_>, bits: u32) -> Result<u64, Fault> {
    let mask = (1_u8 << bits) - 1;
    let prefix = rest.u8()? & mask;
    if prefix < mask {
        return Ok(prefix.into());
    }
    let mut value = u64::from(prefix);
    // Four more bytes are enough for all lengths and indices.
    for shift in [0, 7, 14, 21] {
        let byte = rest.u8()?;
        value += u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Fault("an integer in the headers is too long"))
}

/// Takes a string (section 5.2).
fn string(rest: &mut Cursor<'_>) -> Result<Arc<[u8]>, Fault> {
    let is_huffman = rest.rest().first().ok_or(Short)? & 0x80 != 0;
    let length = usize::try_from(integer(rest, 7)?).map_err(|_| Short)?;
    let bytes = rest.take(length)?;
    if !is_huffman {
        return Ok(bytes.into());
    }
    let mut text = Vec::with_capacity(length * 2);
    httlib_huffman::decode(bytes, &mut text, DecoderSpeed::FourBits).map_err(|_| Fault("a Huffman code is wrong"))?;
    Ok(text.into())
}

/// The static table (appendix A).
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use super::{Decoder, Field};

    fn shown(fields: &[Field]) -> Vec<String> {
        let text = |part: Option<&[u8]>| part.map_or("?".to_owned(), |part| String::from_utf8_lossy(part).into_owned());
        fields.iter().map(|field| format!("{}: {}", text(field.name()), text(field.value()))).collect()
    }

    fn decoded(decoder: &mut Decoder, block: &[u8]) -> Vec<String> {
        let mut fields = Vec::new();
        decoder.decode(block, &mut fields).unwrap();
        shown(&fields)
    }

    /// The requests of RFC 7541, appendix C.4.
    const REQUESTS: [&[u8]; 3] = [
        b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
        b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf",
        b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf",
    ];

    #[test]
    fn the_requests_of_the_rfc_are_decoded() {
        let mut decoder = Decoder::default();
        let first = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
        assert_eq!(decoded(&mut decoder, REQUESTS[0]), first);
        let second = [&first[..], &["cache-control: no-cache"]].concat();
        assert_eq!(decoded(&mut decoder, REQUESTS[1]), second);
        assert_eq!(
            decoded(&mut decoder, REQUESTS[2]),
            [
                ":method: GET",
                ":scheme: https",
                ":path: /index.html",
                ":authority: www.example.com",
                "custom-key: custom-value"
            ]
        );
        assert_eq!(decoder.size, 164);
    }

    #[test]
    fn behind_a_loss_only_the_fields_that_refer_to_it_are_unknown() {
        let mut decoder = Decoder::default();
        decoder.lose();
        // The first request was missed, and its entry with it.
        assert_eq!(
            decoded(&mut decoder, REQUESTS[1]),
            [":method: GET", ":scheme: http", ":path: /", "?: ?", "cache-control: no-cache"]
        );
        assert_eq!(
            decoded(&mut decoder, REQUESTS[2]),
            [":method: GET", ":scheme: https", ":path: /index.html", "?: ?", "custom-key: custom-value"]
        );
        assert_eq!(decoded(&mut decoder, b"\xbe\xbf"), ["custom-key: custom-value", "cache-control: no-cache"]);
    }

    #[test]
    fn what_the_rfc_forbids_is_an_error() {
        for block in [
            &b"\x80"[..],                    // the index 0
            b"\xbe",                         // beyond the table
            b"\xff\xff\xff\xff\xff\xff\x01", // a huge index
            b"\x3f\xe2\xff\xff\x7f",         // a huge table
            b"\x40\x7f\xff\xff\xff\x7f",     // a huge length
            b"\x40\x82\xff\xff\x01a",        // the code of the end of a string
            b"\x40\x01",
        ] {
            assert!(Decoder::default().decode(block, &mut Vec::new()).is_err(), "{}", block.escape_ascii());
        }
    }

    #[test]
    fn short_huffman_strings_of_any_bytes_do_no_harm() {
        for number in 0..=u16::MAX {
            let [high, low] = number.to_be_bytes();
            for tail in [0, 0xff, 0x55] {
                let _ = Decoder::default().decode(&[0x40, 0x84, high, low, tail, 0xff, 0], &mut Vec::new());
            }
        }
    }

    #[test]
    fn headers_that_grow_from_a_few_bytes_are_limited() {
        let mut decoder = Decoder::default();
        let mut fields = Vec::new();
        let value = vec![b'v'; 4000];
        let block = [b"\x40\x01n\x7f\xa1\x1e", &value[..]].concat();
        decoder.decode(&block, &mut fields).unwrap();
        let error = decoder.decode(&[0xbe; 1000], &mut fields).unwrap_err();
        assert_eq!(error.0, "the headers are longer than 256 KiB");
        assert!(fields.len() < 70);
    }
}
