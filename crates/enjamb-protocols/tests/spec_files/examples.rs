//! The worked examples of `docs/specs.md`: their messages, their captures, their laws.

use std::io::Cursor;

use enjamb::{AttributeArgument, AttributeValue, Side};
use enjamb_capture::Options;
use enjamb_law::{Cutting, Segmentations, Sessions, laws, split_everywhere};
use enjamb_protocols::Registry;

use crate::scripts::{SCRIPTS, Turns, all, capture, folder, messages, spec};

fn lines(name: &str, turns: &Turns) -> Vec<String> {
    messages(spec(name).session(), all(turns)).iter().map(ToString::to_string).collect()
}

fn turns(name: &str, number: usize) -> Turns {
    let script = SCRIPTS.iter().find(|script| script.name == name).unwrap();
    (script.connections)().swap_remove(number)
}

#[test]
fn the_meter_is_read() {
    assert_eq!(
        lines("meter", &turns("meter", 0)),
        [
            "client READ at 0+15 ok: READ energy",
            "server VALUE at 0+17 ok answers #0: VALUE 17.4 kWh",
            "client READ at 15+15 ok: READ colour",
            "server ERROR at 17+21 failed UNKNOWN_REGISTER answers #1: ERROR UNKNOWN_REGISTER no register",
            "server ALARM at 38+20 ok: ALARM low battery",
        ]
    );
    assert_eq!(
        lines("meter", &turns("meter", 1)),
        [
            "client READ at 0+15 ok: READ energy",
            "client READ at 15+14 ok: READ power",
            "client SET at 29+19 ok: SET interval=5",
            "server VALUE at 0+14 ok answers #1: VALUE 230 W",
            "server ALARM at 14+19 ok: ALARM cover open",
            "server VALUE at 33+17 ok answers #0: VALUE 17.5 kWh",
            "server DONE at 50+9 ok answers #2: DONE",
            "client frame at 48+9 ok: frame",
            "server ERROR at 59+10 failed BUSY: ERROR BUSY",
        ]
    );
}

#[test]
fn the_game_changes_its_state() {
    assert_eq!(
        lines("craft", &turns("craft", 1)),
        [
            "client HANDSHAKE at 0+20 ok: HANDSHAKE play.example",
            "client LOGIN at 20+6 ok: LOGIN ada",
            "server WELCOME at 0+22 ok answers #1: WELCOME ada",
            "server CHUNK at 22+503 ok: CHUNK",
            "server KEEP_ALIVE at 525+10 ok: KEEP_ALIVE",
            "client KEEP_ALIVE at 26+10 ok: KEEP_ALIVE",
            "client CHAT at 36+8 ok: CHAT hello",
            "client from_player at 44+5 ok: from_player",
            "server CHAT at 535+13 ok: CHAT ada: hello",
            "server KICK at 548+6 ok: KICK bye",
        ]
    );
    assert_eq!(
        lines("craft", &turns("craft", 2))[2],
        "server REFUSED at 0+26 failed answers #1: REFUSED You are not on the list"
    );
    assert_eq!(
        lines("craft", &turns("craft", 3))[2..],
        [
            "server ENCRYPT at 0+42 ok answers #1: ENCRYPT",
            "client opaque at 26+64 ok: not parsed",
            "server opaque at 42+64 ok: not parsed",
        ]
    );
}

#[test]
fn the_calls_of_a_vendor_are_joined_from_fragments() {
    assert_eq!(
        lines("vendor", &turns("vendor", 0)),
        [
            "client hello at 0+12 ok: hello cli/3",
            "client Login at 12+40 ok: Login admin",
            "server hello at 0+16 ok: hello srv/9.1",
            "server Login at 16+16 ok OK answers #1: Login OK",
            "client Read at 52+27 ok: Read /pump/1",
            "client Notify at 79+21 ok: Notify log",
            "server Read at 32+24 ok OK answers #2: Read OK",
            "server Read at 56+24 ok OK answers #2: Read OK",
        ]
    );
    assert_eq!(
        lines("vendor", &turns("vendor", 1))[2..],
        [
            "client Write at 12+181 ok: Write /pump/2",
            "client Read at 193+24 ok: Read /none",
            "server Read at 16+30 failed NO_OBJECT answers #2: Read NO_OBJECT",
            "server Write at 46+91 ok OK answers #1: Write OK",
        ]
    );
}

#[test]
fn secrets_are_overwritten() {
    let mut checked = false;
    let turns = turns("vendor", 0);
    let mut session = spec("vendor").session();
    let bytes = &turns[0].1;
    session.feed(Side::Client, bytes, &mut |message| {
        let own = &bytes[message.span.offset as usize..][..message.span.length as usize];
        let mut copy = Vec::new();
        let is_secret = enjamb_protocols::redact(message, own, &mut copy);
        assert_eq!(is_secret, message.kind == "Login");
        if is_secret {
            checked = true;
            assert!(copy.ends_with(b"****************") && !copy.ends_with(b"*****************"));
            assert_eq!(copy.len(), own.len());
            assert_eq!(message.attributes.get("token", AttributeArgument::None), None);
            assert!(!message.summary.to_string().contains("0123"));
        }
    });
    assert!(checked);
}

#[test]
fn fields_are_attributes() {
    let mut seen = Vec::new();
    let turns = turns("vendor", 1);
    messages_with(&turns, |message| {
        for name in ["version", "more", "method", "status", "object", "object_length", "result", "agent", "nothing"] {
            if let Some(value) = message.attributes.get(name, AttributeArgument::None) {
                seen.push((message.kind.to_owned(), name, value.into_owned()));
            }
        }
    });
    let text = |text: &str| AttributeValue::Text(text.to_owned().into());
    assert!(seen.contains(&("hello".into(), "agent", text("batch"))));
    assert!(seen.contains(&("Write".into(), "object", text("/pump/2"))));
    assert!(seen.contains(&("Write".into(), "more", AttributeValue::Number(1))));
    assert!(seen.contains(&("Write".into(), "version", AttributeValue::Number(1))));
    assert!(seen.contains(&("Read".into(), "status", text("NO_OBJECT"))));
    assert!(!seen.iter().any(|(_, name, _)| *name == "nothing"));
    let protocol = spec("vendor").protocol();
    let names: Vec<_> = protocol.attributes().iter().map(|attribute| attribute.name).collect();
    assert!(names.contains(&"more") && names.contains(&"object") && !names.contains(&"token"), "{names:?}");
}

fn messages_with(turns: &Turns, mut see: impl FnMut(&enjamb::Message<'_>)) {
    let mut session = spec("vendor").session();
    for (side, bytes) in turns {
        session.feed(*side, bytes, &mut |message| see(message));
    }
}

#[test]
fn auto_recognises_constants() {
    for (name, number, expected) in [("meter", 0, "meter"), ("vendor", 0, "vendor"), ("craft", 1, "craft")] {
        let registry = Registry::builtin().with(spec(name).protocol());
        let script = SCRIPTS.iter().find(|script| script.name == name).unwrap();
        // The game has no constants, so only its port decides.
        let port = (name == "craft").then_some(script.port);
        let turns = turns(name, number);
        let mut session = registry.auto().session(port);
        let mut count = 0;
        for (side, bytes) in all(&turns) {
            session.feed(side, bytes, &mut |message| {
                assert_eq!(message.protocol, expected, "{name}");
                count += 1;
            });
        }
        assert!(count > 3, "{name}");
    }
}

#[test]
fn a_message_behind_a_gap_is_found_by_its_constants() {
    let turns = turns("meter", 1);
    let mut session = spec("meter").session();
    let mut kinds = Vec::new();
    session.gap(Side::Client, 0, &mut |_| {});
    session.feed(Side::Client, &turns[0].1[5..], &mut |message| kinds.push(message.kind.to_owned()));
    assert_eq!(kinds, ["unparsed", "READ", "SET"]);
}

#[test]
fn the_captures_are_those_of_the_scripts() {
    for script in &SCRIPTS {
        let path = folder().join(format!("{}.pcapng", script.name));
        let expected = capture(script);
        if std::env::var_os("ENJAMB_UPDATE").is_some() {
            std::fs::write(&path, &expected).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == expected, "{}: run again with ENJAMB_UPDATE=1", path.display());
        let mut collector = enjamb::transcript::Collector::default();
        let report = enjamb_capture::read(Cursor::new(expected), &mut collector, &Options::default());
        assert!(report.error.is_none());
        let transcripts: Vec<_> = collector.finish().collect();
        assert_eq!(transcripts.len(), (script.connections)().len());
        for ((_, transcript), turns) in transcripts.iter().zip((script.connections)()) {
            let mut cut = Vec::new();
            transcript.play(&mut *spec(script.name).session(), &mut |message| cut.push(message.to_owned()));
            assert_eq!(cut, messages(spec(script.name).session(), all(&turns)), "{}", script.name);
        }
    }
}

#[test]
fn the_split_law_holds_over_the_captures() {
    for script in &SCRIPTS {
        let spec = spec(script.name);
        for turns in (script.connections)() {
            let input =
                Cutting::of(turns.into_iter().map(|(side, bytes)| (side, enjamb::transcript::Content::Chunk(bytes))));
            assert!(input.len() <= 1200, "{}: {}", script.name, input.len());
            split_everywhere(&Sessions(|| spec.session()), &input, &Segmentations::up_to_one_cut().and_random(1, 200))
                .unwrap_or_else(|violation| panic!("{}: {violation}", script.name));
        }
    }
}

/// Returns a constructor of sessions of an example. The file is parsed once.
fn sessions(name: &str) -> impl Fn() -> Box<dyn enjamb::Session> + Send + Sync + 'static + use<> {
    let spec = crate::scripts::spec(name);
    move || spec.session()
}

laws! {
    mod meter {
        subject: Sessions(sessions("meter")),
        messages: [
            b"MT\x01\0\x01\0\x01x\0\0",
            b"MT\x03\0\x02\0\0\0\0",
            b"MT\x01\0\x03\0\x03abc\0\0",
        ],
        answers: [b"MT\x02\0\x01\0\x01y\0\0", b"MT\xff\0\x02\0\x01\x01\0\0", b"MT\x05\0\x09\0\0\0\0MT\x02\0\x03\0\0\0\0"],
        tokens: ["MT", "MT\u{1}\0", "\0\0", "\u{7f}\u{7f}"],
        limit: 16 << 10,
        converses: true,
    }
}

laws! {
    mod craft {
        subject: Sessions(sessions("craft")),
        messages: [
            b"\x09\0\x01\x03abc\0\x50\x02",
            b"\x05\0\x03ada",
            b"\x07\x05\x05hello",
        ],
        answers: [b"", b"\x15\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x03ada", b"\x02\x20x"],
        tokens: ["\u{5}", "\0", "\u{7f}\u{1}", "\u{1}\u{2}"],
        limit: 16 << 10,
        converses: true,
        dependent: true,
        without: [Interleaved => "both sides share the state, so their order matters"],
    }
}

laws! {
    mod vendor {
        subject: Sessions(sessions("vendor")),
        messages: [
            b"VRPC\x01\0a\0",
            b"\xca\xfe\x01\x20\x10\0\0\0\x01\0\0\0\x02\0\0\0\xca\xfe\0\x20\x0d\0\0\0\x01\0\0\0x",
            b"\xca\xfe\0\x20\x10\0\0\0\x02\0\0\0\x03\0\0\0",
        ],
        answers: [b"VRPC\x01\0a\0", b"\xca\xfe\0\x20\x10\0\0\0\x01\0\0\0\x02\0\0\0", b"\xca\xfe\0\x20\x10\0\0\0\x02\0\0\0\x03\0\xff\xff"],
        tokens: ["VRPC", "\0", "\u{1} ", "\u{10}\0\0\0"],
        limit: 16 << 10,
        converses: true,
        dependent: true,
    }
}

#[test]
fn the_page_quotes_the_files() {
    let page = include_str!("../../../../docs/specs.md");
    let files = SCRIPTS
        .each_ref()
        .map(|script| std::fs::read_to_string(folder().join(format!("{}.toml", script.name))).unwrap());
    let blocks: Vec<&str> = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 5);
    for block in blocks {
        assert!(files.iter().any(|file| file.contains(block)), "no file in corpora/specs contains:\n{block}");
    }
}
