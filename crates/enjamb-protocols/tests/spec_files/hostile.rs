//! Input that wants to cost memory or time, and specs that do.

use enjamb::{Outcome, Side};
use enjamb_protocols::SpecFile;

use crate::scripts::{messages, spec};

fn one(lines: &str) -> SpecFile {
    SpecFile::parse(&format!("name = \"p\"\n[messages.m]\n{lines}")).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn lengths_at_the_limits_are_refused_or_counted() {
    let huge = [u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1, 1 << 32, u64::from(u32::MAX), 1 << 31, (1 << 20) + 1];
    for length in huge {
        for lines in [
            "length = \"n\"\nfields = [{ name = \"n\", type = \"u64\" }, { name = \"b\", type = \"bytes\" }]",
            "length = { field = \"n\", counts = \"message\", times = 4294967296, add = 4294967296 }\n\
             fields = [{ name = \"n\", type = \"u64\" }, { name = \"b\", type = \"bytes\" }]",
            "fields = [{ name = \"n\", type = \"u64\" }, { name = \"b\", type = \"bytes\", length = \"n * 4294967295 + 4294967295\" }]",
            "fields = [{ name = \"b\", type = \"bytes\", prefix = \"u64\" }]",
        ] {
            let mut session = one(lines).session();
            let mut found = Vec::new();
            session.feed(Side::Client, &length.to_be_bytes(), &mut |message| found.push(message.outcome));
            session.feed(Side::Client, &[0; 1 << 16], &mut |_| {});
            assert_eq!(found.first(), Some(&Outcome::Malformed), "{length} in {lines}");
            assert!(session.held() < 16 << 10);
        }
    }
}

#[test]
fn a_large_legal_message_is_counted_and_not_stored() {
    let mut session = one(
        "max = \"1G\"\nlength = \"n\"\nfields = [{ name = \"n\", type = \"u32\" }, { name = \"b\", type = \"bytes\" }]",
    )
    .session();
    session.feed(Side::Client, &(64_u32 << 20).to_be_bytes(), &mut |_| {});
    let mut lines = Vec::new();
    for _ in 0..64 {
        session.feed(Side::Client, &vec![b'x'; 1 << 20], &mut |message| lines.push(message.span.length));
        assert!(session.held() < 16 << 10, "{}", session.held());
    }
    assert_eq!(lines, [(64 << 20) + 4]);
}

#[test]
fn endless_fragments_and_strings_are_bounded() {
    let fragments =
        one("max = \"64k\"\ncontinues = { when = { more = 1 } }\nfields = [{ name = \"more\", type = \"u8\" }]");
    let found = messages(fragments.session(), [(Side::Client, &[1; 1 << 18][..])]);
    assert_eq!(found[0].outcome, Outcome::Malformed);
    assert!(found[0].span.length <= (64 << 10) + 1);
    for until in ["\\u0000", "\\n", "\\r\\n"] {
        let mut session =
            one(&format!("fields = [{{ name = \"s\", type = \"string\", until = \"{until}\" }}]")).session();
        for _ in 0..64 {
            session.feed(Side::Client, &[b'x'; 1 << 16], &mut |_| {});
            assert!(session.held() < 16 << 10);
        }
    }
    let varint = one("fields = [{ name = \"n\", type = \"varint\" }]");
    let found = messages(varint.session(), [(Side::Client, &[0xff; 64][..])]);
    assert_eq!((found[0].outcome, found[0].span.length), (Outcome::Malformed, 10));
}

#[test]
fn the_search_behind_a_gap_is_bounded() {
    // The bytes fit everywhere and prove nothing, so every place is tried.
    let spec = one("kind = \"t\"\nfields = [{ name = \"t\", type = \"u8\", names = { 0 = \"A\", 1 = \"B\" } }]");
    let mut session = spec.session();
    session.gap(Side::Client, 0, &mut |_| {});
    session.feed(Side::Client, &[0; 1 << 18], &mut |_| {});
    assert!(session.held() < 4096);
}

#[test]
fn large_specs_are_refused_or_read() {
    let fields: String = (0..300).map(|n| format!("{{ name = \"f{n}\", type = \"u8\" }},")).collect();
    let error = SpecFile::parse(&format!("name = \"p\"\n[messages.m]\nfields = [{fields}]")).unwrap_err();
    assert!(error.to_string().contains("at most 256"), "{error}");
    let text = format!("name = \"p\"\n{}", "#".repeat(300 << 10));
    assert!(SpecFile::parse(&text).unwrap_err().to_string().contains("at most"));
    let names: String = (0..5000).map(|n| format!("{n} = \"N{n}\", ")).collect();
    let text =
        format!("name = \"p\"\n[messages.m]\nfields = [{{ name = \"a\", type = \"u16\", names = {{ {names} }} }}]");
    assert!(SpecFile::parse(&text).unwrap_err().to_string().contains("names"));
    for open in ["[", "{ a = ", "a."] {
        let _ = SpecFile::parse(&format!("name = {}", open.repeat(100_000))).unwrap_err();
        let _ = SpecFile::parse(&open.repeat(100_000)).unwrap_err();
    }
    // As many as are allowed, of fixed size, are one part.
    let fields: String = (0..256).map(|n| format!("{{ name = \"f{n}\", type = \"u64\" }},")).collect();
    let spec = SpecFile::parse(&format!("name = \"p\"\n[messages.m]\nfields = [{fields}]")).unwrap();
    assert_eq!(messages(spec.session(), [(Side::Client, &[0; 4096][..])]).len(), 2);
    let references: String = (0..30)
        .map(|n| {
            format!("{{ name = \"n{n}\", type = \"u8\" }}, {{ name = \"b{n}\", type = \"bytes\", length = \"n{n}\" }},")
        })
        .collect();
    let error = SpecFile::parse(&format!("name = \"p\"\n[messages.m]\nfields = [{references}]")).unwrap_err();
    assert!(error.to_string().contains("referred to"), "{error}");
}

#[test]
fn noise_is_no_panic() {
    let mut state = 1_u64;
    for name in ["meter", "craft", "vendor"] {
        let spec = spec(name);
        for _ in 0..200 {
            let bytes: Vec<u8> = (0..300)
                .map(|_| {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    (state >> 56) as u8
                })
                .collect();
            let found = messages(spec.session(), [(Side::Client, &bytes[..]), (Side::Server, &bytes[..])]);
            let length: u64 = found.iter().map(|message| message.span.length).sum();
            assert_eq!(length, 600, "the messages tile both sides");
        }
    }
}
