//! Push parsers.

use enjamb_law::{Never, Pushing, Segmentations, Subject as _, prompt, split_everywhere, stream};

use crate::laws::{hold, hold_but, output};

/// A parser of text fields between commas.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn feed(&mut self, chunk: &[u8], mut found: impl FnMut(Result<String, std::str::Utf8Error>)) {
        for &byte in chunk {
            match byte {
                b',' => found(std::str::from_utf8(&std::mem::take(&mut self.0)).map(str::to_owned)),
                byte => self.0.push(byte),
            }
        }
    }
}

#[test]
fn a_parser_with_a_callback_obeys_the_laws() {
    let fields = Pushing::new(Fields::default, |fields, chunk, out| fields.feed(chunk, out)).at_end(|fields, out| {
        if !fields.0.is_empty() {
            fields.feed(b",", out);
        }
    });
    hold(&fields, &["größe,".as_bytes(), b",", b"c,"]);
    assert_eq!(output(fields, b"a,bc", &[]), [r#""a""#, r#""bc""#]);
}

#[test]
fn an_error_ends_the_run_unless_it_resumes() {
    let fields = || Pushing::new(Fields::default, |fields: &mut Fields, chunk, out| fields.feed(chunk, out));
    let failed = "failed: Utf8Error { valid_up_to: _, error_len: Some(_) }";
    assert_eq!(output(fields(), b"a,\xff,b,c,", &[6]), [r#""a""#, failed]);
    assert_eq!(output(fields().resumes(), b"a,\xff,b,c,", &[6]), [r#""a""#, failed, r#""b""#, r#""c""#]);
}

#[test]
fn a_parser_that_decodes_each_chunk_as_utf8_is_caught() {
    // Each chunk is decoded as UTF-8 by itself, but a character of two bytes may lie in two chunks.
    let feed = |text: &mut String, chunk: &[u8]| {
        text.push_str(&String::from_utf8_lossy(chunk));
        let mut fields: Vec<String> = text.split(',').map(str::to_owned).collect();
        *text = fields.pop().unwrap_or_default();
        Ok::<_, Never>(fields)
    };
    let fields = Pushing::returning(String::new, feed);
    split_everywhere(&fields, &stream(b"grosse,"), &Segmentations::up_to_two_cuts()).unwrap();
    let violation = split_everywhere(&fields, &stream("gröss,".as_bytes()), &Segmentations::up_to_two_cuts());
    let violation = violation.unwrap_err();
    assert_eq!((violation.input, violation.cuts), (stream("ö,".as_bytes()), vec![1]));
}

#[test]
fn a_parser_that_finds_only_the_first_message_of_a_chunk_is_caught() {
    let feed = |field: &mut Vec<u8>, chunk: &[u8]| {
        let Some(at) = chunk.iter().position(|byte| *byte == b',') else {
            field.extend_from_slice(chunk);
            return Ok(None);
        };
        field.extend_from_slice(&chunk[..at]);
        Ok::<_, Never>(Some(std::mem::replace(field, chunk[at + 1..].to_vec())))
    };
    let violation =
        split_everywhere(&Pushing::returning(Vec::new, feed), &stream(b"one,two,"), &Segmentations::up_to_two_cuts());
    let violation = violation.unwrap_err();
    assert_eq!((violation.input, violation.cuts), (stream(b",,"), vec![1]));
}

#[derive(Debug, PartialEq)]
enum Part {
    Data(Vec<u8>),
    Break,
}

#[test]
fn merging_joins_the_pieces_of_one_message() {
    // The parser emits data as it arrives, and breaks.
    let feed = |(): &mut (), chunk: &[u8]| {
        let mut parts = Vec::new();
        for (number, data) in chunk.split(|byte| *byte == b'\n').enumerate() {
            parts.extend((number > 0).then_some(Part::Break));
            parts.extend((!data.is_empty()).then(|| Part::Data(data.to_vec())));
        }
        Ok::<_, Never>(parts)
    };
    let pieces = || Pushing::returning(|| (), feed);
    let violation = split_everywhere(&pieces(), &stream(b"ab\ncd"), &Segmentations::up_to_one_cut()).unwrap_err();
    assert_eq!((violation.input, violation.cuts), (stream(b"aa"), vec![1]));
    let whole = pieces().merging(|last, next| match (last, next) {
        (Part::Data(data), Part::Data(mut more)) => {
            data.append(&mut more);
            None
        }
        (_, next) => Some(next),
    });
    // Pieces of neighbouring messages are joined as they would be in one run.
    hold_but(&whole, &[b"ab\n", b"\n", b"cd\n"], &[]);
    // For the law `prompt`, a piece that may still grow counts as emitted.
    prompt(&whole, &[b"ab", b"\n"], &[1]).unwrap();
}
