//! Parse functions.

use enjamb_law::{Law, Parsed, Parsing, Segmentations, Subject as _, end, quiet, split_everywhere, stream, total};
use prost::Message as _;

use crate::laws::{hold, output};

/// The method, the path and the names of the headers.
type Head = (String, String, Vec<String>);

fn head(bytes: &[u8]) -> Parsed<Head, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; 8];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(bytes);
    Parsed::from(parsed).map(|()| {
        let names = request.headers.iter().map(|header| header.name.to_owned()).collect();
        (request.method.unwrap_or_default().to_owned(), request.path.unwrap_or_default().to_owned(), names)
    })
}

#[test]
fn request_heads_of_httparse_obey_the_laws() {
    let heads = Parsing::new(head);
    hold(&heads, &[b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"PUT /b HTTP/1.0\r\n\r\n"]);
    assert!(heads.rescans());
    assert_eq!(output(heads, b"GET\0 / HTTP/1.1\r\n\r\n", &[]), ["failed: Token"]);
}

#[test]
fn streaming_parsers_of_nom_8_obey_the_laws() {
    fn netstring(bytes: &[u8]) -> nom8::IResult<&[u8], Vec<u8>> {
        use nom8::Parser as _;
        use nom8::bytes::streaming::{tag, take};
        use nom8::character::streaming::u32;
        let (rest, len) = nom8::sequence::terminated(u32, tag(":")).parse(bytes)?;
        let (rest, payload) = take(len).parse(rest)?;
        let (rest, _) = tag(",").parse(rest)?;
        Ok((rest, payload.to_vec()))
    }
    let netstrings = Parsing::new(|bytes| Parsed::nom8(bytes, netstring(bytes)));
    hold(&netstrings, &[b"5:hello,", b"0:,", b"2:ab,"]);
    assert_eq!(output(netstrings, b"1:a;", &[2]), ["failed: Error { input: [_], code: Tag }"]);
}

#[test]
fn streaming_parsers_of_nom_7_obey_the_laws() {
    fn word(bytes: &[u8]) -> nom7::IResult<&[u8], String> {
        use nom7::bytes::streaming::{tag, take_until};
        let (rest, word) = take_until(" ")(bytes)?;
        let (rest, _) = tag(" ")(rest)?;
        Ok((rest, String::from_utf8_lossy(word).into_owned()))
    }
    hold(&Parsing::new(|bytes| Parsed::nom7(bytes, word(bytes))), &[b"so ", b"it ", b"goes "]);
}

#[test]
fn length_delimited_messages_of_prost_obey_the_laws() {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Greeting {
        #[prost(string, tag = "1")]
        text: String,
    }
    fn greeting(bytes: &[u8]) -> Parsed<Greeting, prost::DecodeError> {
        // `decode_length_delimiter` gives the same error for a cut length and a wrong one. Ten
        // bytes hold any length.
        let len = match prost::decode_length_delimiter(bytes) {
            Ok(len) => len,
            Err(_) if bytes.len() < 10 && bytes.iter().all(|byte| *byte >= 0x80) => return Parsed::Incomplete,
            Err(error) => return Parsed::Failed(error),
        };
        let start = prost::length_delimiter_len(len);
        match len.checked_add(start).and_then(|end| bytes.get(start..end)) {
            None => Parsed::Incomplete,
            Some(message) => match Greeting::decode(message) {
                Ok(greeting) => Parsed::Done(greeting, start + len),
                Err(error) => Parsed::Failed(error),
            },
        }
    }
    let encode = |text: &str| Greeting { text: text.repeat(20) }.encode_length_delimited_to_vec();
    let messages = [encode("hello, w"), encode(""), encode("x")];
    let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    // For all 187 bytes, all pairs of cuts under all laws take too long. So all laws get the short
    // messages, and the split law gets all messages.
    hold(&Parsing::new(greeting), &messages[1..]);
    let all = stream(&messages.concat());
    split_everywhere(&Parsing::new(greeting), &all, &Segmentations::up_to_two_cuts()).unwrap();
}

/// Parses a frame, a length and that many bytes. `used` changes the reported number of used bytes.
fn frame(bytes: &[u8], used: impl Fn(usize) -> usize) -> Parsed<Vec<u8>, ()> {
    let len = usize::from(bytes[0]);
    match bytes.get(1..=len) {
        Some(frame) => Parsed::Done(frame.to_vec(), used(1 + len)),
        None => Parsed::Incomplete,
    }
}

#[test]
fn the_reported_number_of_used_bytes_is_checked() {
    let messages: [&[u8]; 3] = [b"\x02ab", b"\0", b"\x01c"];
    hold(&Parsing::new(|bytes| frame(bytes, |used| used)), &messages);
    for (used, verdict) in [
        (0, "it reports 0 bytes as used, of 1 that were there"),
        (9, "it reports 9 bytes as used, of 1 that were there"),
        (usize::MAX, "it reports 18446744073709551615 bytes as used, of 1 that were there"),
    ] {
        let violation = total(&Parsing::new(|bytes| frame(bytes, |_| used)), &stream(b"\0"), &[]).unwrap_err();
        assert_eq!(violation.verdict, verdict);
        assert_eq!(violation.input, stream(b"\0"));
    }
}

#[test]
fn a_function_that_takes_an_incomplete_message_for_a_wrong_one_is_caught() {
    let pairs = Parsing::new(|bytes| match bytes {
        [b'(', inner, b')', ..] => Parsed::Done(*inner, 3),
        _ => Parsed::Failed("no pair"),
    });
    let violation = split_everywhere(&pairs, &stream(b"(a)(b)"), &Segmentations::up_to_two_cuts()).unwrap_err();
    assert_eq!((violation.input, violation.cuts), (stream(b"(a)"), vec![1]));
}

#[test]
fn bytes_left_at_the_end_are_truncated_or_go_to_at_end() {
    let lines = |bytes: &[u8]| match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => Parsed::<_, ()>::Done(bytes[..end].to_vec(), end + 1),
        None => Parsed::Incomplete,
    };
    hold(&Parsing::new(lines), &[b"a\n", b"\n", b"bc\n"]);
    let last = Parsing::new(lines).at_end(|(): &mut (), bytes: &[u8]| Parsed::Done(bytes.to_vec(), bytes.len()));
    hold(&last, &[b"a\n", b"\n", b"bc\n"]);
    assert_eq!(output(last, b"a\nbc", &[]), ["[97]", "[98, 99]"]);
}

#[test]
fn a_parser_that_counts_repeated_calls_as_new_bytes_is_caught() {
    // It keeps the position of its search, and takes every call for a new chunk of one byte.
    let parser = |looked: &mut usize, bytes: &[u8]| match bytes
        .get(*looked..)
        .map(|new| new.iter().position(|byte| *byte == b'\n'))
    {
        Some(Some(at)) => {
            let end = std::mem::take(looked) + at;
            Parsed::<_, ()>::Done(bytes[..end].to_vec(), end + 1)
        }
        _ => {
            *looked += 1;
            Parsed::Incomplete
        }
    };
    let lines = Parsing::with(|| 0, parser).remembers();
    assert!(!lines.rescans());
    let violation = quiet(&lines, &stream(b"ab\n"), &[1, 2]).unwrap_err();
    assert_eq!(violation.law, Law::Quiet);
    assert_eq!(violation.verdict, "the output changes when it is called again between the chunks");
}

#[test]
fn after_an_error_the_search_for_the_next_message_goes_on() {
    let pairs = |bytes: &[u8]| match bytes {
        [b'(', inner, b')', ..] => Parsed::Done(char::from(*inner), 3),
        [b'('] | [b'(', _] => Parsed::Incomplete,
        _ => Parsed::Failed("no pair"),
    };
    assert_eq!(output(Parsing::new(pairs), b"(a)x(b)", &[]), ["'a'", "failed: _"]);
    assert_eq!(output(Parsing::new(pairs).resumes(), b"(a)x(b)", &[5]), ["'a'", "failed: _", "'b'"]);
    hold(&Parsing::new(pairs).resumes(), &[b"(a)", b"(b)"]);
    end(&Parsing::new(pairs), &[b"(a)"]).unwrap();
}
