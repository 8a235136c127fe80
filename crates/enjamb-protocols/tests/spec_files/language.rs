//! Each form of field and each rule of the language, with its bytes.

use enjamb::{Ending, Side};
use enjamb_protocols::SpecFile;

use crate::scripts::messages;

/// Returns the client's messages of a protocol with one message.
fn read(lines: &str, bytes: &[u8]) -> Vec<String> {
    let text = format!("name = \"p\"\n[messages.m]\n{lines}");
    let spec = SpecFile::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    let whole = messages(spec.session(), [(Side::Client, bytes)]);
    let single = messages(spec.session(), bytes.iter().map(|byte| (Side::Client, std::slice::from_ref(byte))));
    assert_eq!(whole, single);
    whole.iter().map(|message| message.to_string().replace("client ", "")).collect()
}

#[test]
fn integers_have_a_width_and_an_order() {
    for (kind, bytes, value) in [
        ("u8", &b"\xff"[..], "255"),
        ("u16", b"\x01\x02", "258"),
        ("u16le", b"\x01\x02", "513"),
        ("u24", b"\x01\0\0", "65536"),
        ("u24le", b"\x01\0\0", "1"),
        ("u32", b"\0\0\x01\0", "256"),
        ("u64", b"\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"),
        ("i8", b"\xfe", "-2"),
        ("i16", b"\xff\x00", "-256"),
        ("i32le", b"\xfe\xff\xff\xff", "-2"),
        ("i64", b"\x80\0\0\0\0\0\0\0", "-9223372036854775808"),
        ("varint", b"\x7f", "127"),
        ("varint", b"\xac\x02", "300"),
        ("varint", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "18446744073709551615"),
        ("zigzag", b"\x03", "-2"),
        ("zigzag", b"\x04", "2"),
    ] {
        let found = read(&format!("fields = [{{ name = \"n\", type = \"{kind}\" }}]\nsubject = \"n\""), bytes);
        assert_eq!(found, [format!("m at 0+{} ok: m {value}", bytes.len())], "{kind}");
    }
}

#[test]
fn strings_have_a_length_a_prefix_or_a_delimiter() {
    for (field, bytes) in [
        ("length = 3", &b"abc"[..]),
        ("prefix = \"u8\"", b"\x03abc"),
        ("prefix = \"u16le\"", b"\x03\0abc"),
        ("prefix = \"varint\"", b"\x03abc"),
        ("until = \"\\u0000\"", b"abc\0"),
        ("until = \"\\n\"", b"abc\n"),
        ("until = \"\\r\\n\"", b"abc\r\n"),
        ("until = [0xff, 0xfe]", b"abc\xff\xfe"),
    ] {
        let lines = format!("fields = [{{ name = \"s\", type = \"string\", {field} }}]\nsubject = \"s\"");
        assert_eq!(
            read(&lines, &bytes.repeat(2)),
            [format!("m at 0+{} ok: m abc", bytes.len()), format!("m at {}+{} ok: m abc", bytes.len(), bytes.len()),],
            "{field}"
        );
    }
}

#[test]
fn lengths_are_expressions() {
    let lines = |length: &str| {
        format!(
            "fields = [{{ name = \"n\", type = \"u8\" }}, {{ name = \"s\", type = \"string\", length = \"{length}\" }}]\nsubject = \"s\""
        )
    };
    assert_eq!(read(&lines("n"), b"\x02ab"), ["m at 0+3 ok: m ab"]);
    assert_eq!(read(&lines("n - 4"), b"\x06ab"), ["m at 0+3 ok: m ab"]);
    assert_eq!(read(&lines("n * 2 + 1"), b"\x01abc"), ["m at 0+4 ok: m abc"]);
    assert_eq!(
        read(&lines("n - 4"), b"\x01ab"),
        [
            "m at 0+1 malformed (a length is negative): m",
            "unparsed at 1+2 incomplete (after a malformed message): not parsed"
        ]
    );
}

#[test]
fn the_length_of_a_message_counts_the_rest_or_all() {
    let lines = |length: &str| {
        format!(
            "length = {length}\nsubject = \"s\"\nfields = [{{ name = \"t\", type = \"u8\" }}, {{ name = \"n\", type = \"u8\" }}, \
             {{ name = \"s\", type = \"string\" }}, {{ name = \"crc\", type = \"u16\" }}]"
        )
    };
    for length in ["\"n\"", "{ field = \"n\" }"] {
        assert_eq!(read(&lines(length), b"\x01\x04abcc"), ["m at 0+6 ok: m ab"]);
    }
    assert_eq!(read(&lines("{ field = \"n\", add = 2 }"), b"\x01\x02abcc"), ["m at 0+6 ok: m ab"]);
    assert_eq!(read(&lines("{ field = \"n\", counts = \"message\" }"), b"\x01\x06abcc"), ["m at 0+6 ok: m ab"]);
    assert_eq!(read(&lines("{ field = \"n\", times = 2 }"), b"\x01\x02abcc"), ["m at 0+6 ok: m ab"]);
    // A length that leaves no room for the checksum is malformed, and the next message follows it.
    assert_eq!(
        read(&lines("\"n\""), b"\x01\x01x\x01\x02cc"),
        ["m at 0+3 malformed (a field goes beyond the end of its message): m", "m at 3+4 ok: m"]
    );
    assert_eq!(
        read(&lines("{ field = \"n\", counts = \"message\" }"), b"\x01\x01")[0],
        "m at 0+2 malformed (its length is smaller than its header): m"
    );
}

#[test]
fn a_delimiter_is_not_looked_for_beyond_the_message() {
    let lines = "length = \"n\"\nsubject = \"b\"\nfields = [{ name = \"n\", type = \"u8\" }, \
                 { name = \"a\", type = \"string\", until = \"\\r\\n\" }, { name = \"b\", type = \"string\" }]";
    assert_eq!(read(lines, b"\x05a\r\nbc"), ["m at 0+6 ok: m bc"]);
    assert_eq!(read(lines, b"\x02\r\n"), ["m at 0+3 ok: m"]);
    assert_eq!(
        read(lines, b"\x03abc\x04\r\nxy"),
        ["m at 0+4 malformed (a field goes beyond the end of its message): m", "m at 4+5 ok: m xy"]
    );
}

#[test]
fn fields_may_be_missing() {
    let lines = "length = \"n\"\nkind = \"t\"\nsubject = \"s\"\nfields = [{ name = \"n\", type = \"u8\" }, \
                 { name = \"t\", type = \"u8\", names = { 1 = \"A\", 2 = \"B\" } }, \
                 { name = \"x\", type = \"u16\", when = { t = \"B\" } }, \
                 { name = \"y\", type = \"u8\", when = { t = { not = \"B\" } } }, \
                 { name = \"s\", type = \"string\", length = 1, optional = true }]";
    assert_eq!(
        read(lines, b"\x02\x01y\x03\x01ys\x04\x02xxs\x03\x02xx\x02\x02x"),
        [
            "A at 0+3 ok: A",
            "A at 3+4 ok: A s",
            "B at 7+5 ok: B s",
            "B at 12+4 ok: B",
            "B at 16+3 malformed (a field goes beyond the end of its message): B",
        ]
    );
}

#[test]
fn bits_have_names_and_values() {
    let lines = "kind = \"t\"\nsubject = \"v\"\nfields = [{ name = \"b\", type = \"u8\", bits = { v = 3, \
                 t = { width = 4, names = { 1 = \"A\", 9 = \"B\" } }, f = 1 } }, \
                 { name = \"s\", type = \"u8\", when = { f = true } }]";
    assert_eq!(
        read(lines, &[0b0100_0010, 0b1111_0011, 0, 0]),
        ["A at 0+1 ok: A 2", "B at 1+2 ok: B 7", "m at 3+1 ok: m 0"]
    );
}

#[test]
fn words_are_kinds() {
    let lines = "kind = \"verb\"\nsubject = \"rest\"\nfields = [{ name = \"verb\", type = \"string\", until = \" \", \
                 names = [\"GET\", \"PUT\"] }, { name = \"rest\", type = \"string\", until = \"\\n\" }]";
    assert_eq!(
        read(lines, b"GET a\nPUT bc\nSAY x\n"),
        ["GET at 0+6 ok: GET a", "PUT at 6+7 ok: PUT bc", "m at 13+6 ok: m x"]
    );
}

#[test]
fn padding_is_measured_from_the_beginning_of_the_frame() {
    let lines = "subject = \"s\"\nfields = [{ name = \"t\", type = \"u8\" }, { skip = 1 }, \
                 { name = \"s\", type = \"string\", prefix = \"u8\" }, { align = 4 }]";
    assert_eq!(
        read(lines, b"\x01-\x01a\x01-\x02bc---\x01-\0-"),
        ["m at 0+4 ok: m a", "m at 4+8 ok: m bc", "m at 12+4 ok: m"]
    );
}

#[test]
fn constants_are_checked() {
    let lines = "fields = [{ name = \"magic\", type = \"bytes\", equals = [0xca, 0xfe] }, { name = \"v\", type = \"u8\", equals = 2 }]";
    assert_eq!(read(lines, b"\xca\xfe\x02\xca\xfe\x02"), ["m at 0+3 ok: m", "m at 3+3 ok: m"]);
    // The next message is found by its constants.
    assert_eq!(
        read(lines, b"\xca\xfe\x03junk\xca\xfe\x02"),
        [
            "m at 0+3 malformed (the field v is not 2): m",
            "unparsed at 3+4 incomplete (after a malformed message): not parsed",
            "m at 7+3 ok: m"
        ]
    );
}

#[test]
fn a_fragment_of_another_message_is_malformed() {
    let lines = "length = \"n\"\nid = \"i\"\nrequest = true\ncontinues = { when = { more = 1 } }\n\
                 fields = [{ name = \"more\", type = \"u8\" }, { name = \"i\", type = \"u8\" }, { name = \"n\", type = \"u8\" }, \
                 { name = \"s\", type = \"bytes\" }]";
    assert_eq!(read(lines, b"\x01\x05\x01a\x01\x05\x02bc\0\x05\0\0\x06\0"), ["m at 0+12 ok: m", "m at 12+3 ok: m"]);
    assert_eq!(
        read(lines, b"\x01\x05\x01a\0\x06\x01b\0\x07\0"),
        ["m at 0+8 malformed (a fragment has the id of another message): m", "m at 8+3 ok: m"]
    );
}

#[test]
fn answers_find_their_requests_by_order() {
    let text = "name = \"p\"\n[messages.m]\nkind = \"t\"\nrequest = [\"ASK\"]\nanswer = [\"PART\", \"END\"]\nmore = [\"PART\"]\n\
                fields = [{ name = \"t\", type = \"u8\", names = { 1 = \"ASK\", 2 = \"PART\", 3 = \"END\", 4 = \"NEWS\" } }]";
    let spec = SpecFile::parse(text).unwrap();
    let found = messages(spec.session(), [(Side::Client, &b"\x01\x01"[..]), (Side::Server, b"\x02\x04\x03\x03")]);
    let answers: Vec<_> = found.iter().map(|message| message.answers).collect();
    assert_eq!(answers, [None, None, Some(0), None, Some(0), Some(1)]);
}

#[test]
fn a_connection_that_was_joined_is_in_the_state_that_the_spec_names() {
    let text = "name = \"p\"\njoined = \"late\"\n[messages.early]\nfields = [{ name = \"e\", type = \"string\", equals = \"EEEE\" }]\n\
                [messages.late]\nfields = [{ name = \"l\", type = \"string\", equals = \"LLLL\" }]\n\
                [states.early]\nclient = \"early\"\nserver = \"early\"\n[states.late]\nclient = \"late\"\nserver = \"late\"";
    let spec = SpecFile::parse(text).unwrap();
    let mut session = spec.session();
    let mut kinds = Vec::new();
    let mut see = |message: &enjamb::Message<'_>| kinds.push(message.kind.to_owned());
    session.gap(Side::Client, 0, &mut see);
    session.feed(Side::Client, b"LLLLL", &mut see);
    session.close(Side::Client, Ending::Closed, &mut see);
    assert_eq!(kinds, ["late", "late"]);
}

#[test]
fn a_gap_inside_bytes_leaves_the_message() {
    let text = "name = \"p\"\n[messages.m]\nlength = \"n\"\nfields = [{ name = \"n\", type = \"u16\" }, { name = \"b\", type = \"bytes\" }]";
    let mut session = SpecFile::parse(text).unwrap().session();
    let mut lines = Vec::new();
    let mut see = |message: &enjamb::Message<'_>| lines.push(message.to_owned().to_string());
    session.feed(Side::Client, b"\0\x0aab", &mut see);
    session.gap(Side::Client, 7, &mut see);
    session.feed(Side::Client, b"c\0\0", &mut see);
    assert_eq!(lines, ["client m at 0+12 ok: m", "client m at 12+2 ok: m"]);
}

#[test]
fn the_dictionary_has_the_constants() {
    let text = crate::scripts::spec("vendor").dictionary();
    for token in ["\"VRPC\"", "\"\\xca\\xfe\"", "\"\\xff\\xff\"", "\"\\x02\\x00\"", "\"\\x00\""] {
        assert!(text.lines().any(|line| line == token), "{token} is not in\n{text}");
    }
}
