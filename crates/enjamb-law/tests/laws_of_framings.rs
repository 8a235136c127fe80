//! enjamb's own framings under every law, and the vocabulary that is inferred from them.

use enjamb::Framer;
use enjamb_law::{Comparable, Law, Laws, Machines, Prefix, Subject, Verdict};
use enjamb_protocols::Framing;

fn laws(
    spec: &str,
    messages: &[&[u8]],
    limit: usize,
) -> Laws<impl Subject<Event: Comparable, Error: Comparable> + Send + Sync + 'static> {
    let framing = Framing::parse(spec).unwrap_or_else(|error| panic!("{error}"));
    Laws::new(spec, Machines(move || Framer::new(framing.handler()))).messages(messages).limit(limit)
}

/// Framing specs, with messages of each.
const FRAMINGS: [(&str, &[&[u8]]); 11] = [
    ("lines max=64", &[b"one\n", b"two\r\n", b"\n"]),
    ("delimiter:0d0a max=64", &[b"one\r\n", b"\r\n", b"a\rb\r\n"]),
    ("delimiter:616162 max=64", &[b"xaab", b"aab", b"aaab"]),
    ("fixed:3", &[b"abc", b"\0\0\0"]),
    ("u8 max=64", &[b"\x05hello", b"\0"]),
    ("u16be max=64", &[b"\0\x05hello", b"\0\0", b"\0\x01x"]),
    ("any:0a|00 max=64", &[b"one\n", b"two\0", b"\n"]),
    ("varint max=64", &[b"\x05hello", b"\0", b"\x81\x00x"]),
    ("netstring max=64", &[b"5:hello,", b"0:,", b"3:,,,,"]),
    ("cobs max=64", &[b"\x03ab\x02c\0", b"\x01\0", b"\x01\x01\0"]),
    ("u32le-4 max=64", &[b"\x09\0\0\0hello", b"\x04\0\0\0"]),
];

#[test]
fn every_framing_obeys_every_law() {
    for (spec, messages) in FRAMINGS {
        for (law, verdict) in laws(spec, messages, 64).in_test("every_framing_obeys_every_law").check_all() {
            match verdict {
                Verdict::Holds(_) => {}
                Verdict::NotTried(_) => {
                    assert!(
                        matches!(law, Law::Awake | Law::RoundTrip | Law::Interleaved),
                        "{spec}: {law} was not tried"
                    );
                }
                Verdict::Unfit(what) => panic!("{spec}: {what}"),
                Verdict::Broken(violation) => panic!("{spec}: {violation}"),
            }
        }
    }
}

#[test]
fn delimiters_and_length_prefixes_are_inferred_from_the_framing() {
    let grammar = |spec, message: &[u8]| laws(spec, &[message], 64).grammar();
    assert!(grammar("delimiter:616162", b"xaab").tokens.contains(&b"aab".to_vec()));
    assert!(grammar("lines", b"x\n").tokens.contains(&b"\n".to_vec()));
    assert_eq!(grammar("u16be", b"\0\x05hello").prefixes, [Prefix::U16Be]);
    // This length counts its own bytes, so the awaited length differs from the written one.
    assert_eq!(grammar("u32le-4", b"\x09\0\0\0hello").prefixes, []);
}
