//! The Lua dissectors of the spec files, run by tshark over the captures of the worked examples,
//! and compared with our messages. The captures cut messages in bad places: inside lengths, inside
//! delimiters, one byte before the end.

#[path = "../../enjamb-capture/tests/requirements/mod.rs"]
mod requirements;
#[path = "spec_files/scripts.rs"]
mod scripts;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use enjamb::{Connection, Ending, Event, Side, Tap, Time};
use enjamb_capture::Recorder;
use enjamb_protocols::SpecFile;
use requirements::trials;
use scripts::{SCRIPTS, Script, Turns, all, capture, messages, spec};

trials! {
    requires requirements::tshark: [
        the_dissectors_find_the_same_messages,
        every_form_of_field_is_dissected,
        malformed_messages_are_marked,
    ];
}

/// The kinds of each side of each connection, in order, by the sender's port and the receiver's.
type Kinds = BTreeMap<(u16, u16), Vec<String>>;

fn the_dissectors_find_the_same_messages(_: &()) {
    for script in &SCRIPTS {
        let (found, errors) = dissect(&spec(script.name), &capture(script));
        assert_eq!(found, ours(script), "{}", script.name);
        assert!(errors.is_empty(), "{errors:?}");
    }
}

fn ours(script: &Script) -> Kinds {
    let mut kinds = Kinds::new();
    for (number, turns) in (1_u16..).zip((script.connections)()) {
        for message in messages(spec(script.name).session(), all(&turns)) {
            // The dissector shows what is not parsed without a kind.
            if message.kind != "opaque" {
                let ports = (40000 + number, script.port);
                let ports = if message.side == Side::Client { ports } else { (ports.1, ports.0) };
                kinds.entry(ports).or_default().push(message.kind.clone());
            }
        }
    }
    kinds
}

/// Runs tshark. Returns the kinds, and the messages that are marked as malformed.
fn dissect(spec: &SpecFile, capture: &[u8]) -> (Kinds, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (script, file) = (folder.path().join("dissector.lua"), folder.path().join("capture.pcapng"));
    std::fs::write(&script, spec.wireshark()).unwrap();
    std::fs::write(&file, capture).unwrap();
    let kind = format!("{}.message_kind", spec.name());
    let marks = format!("{}.malformed", spec.name());
    // Once in a single pass, and once in two, where each packet is dissected again.
    let failures = run(&script, &file, &["_ws.lua.error"], &[]);
    assert!(failures.lines().all(|line| line.ends_with("\t")), "the dissector failed:\n{failures}");
    let once = run(&script, &file, &[&kind, &marks], &[]);
    assert_eq!(once, run(&script, &file, &[&kind, &marks], &["-2"]), "two passes find something else");
    let mut kinds = Kinds::new();
    let mut errors = Vec::new();
    for line in once.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [source, destination, found, marked] = columns[..] else { panic!("{line}") };
        if !marked.is_empty() {
            errors.push(found.to_owned());
        }
        if !found.is_empty() {
            let ports = (source.parse().unwrap(), destination.parse().unwrap());
            kinds.entry(ports).or_default().extend(found.split(',').map(str::to_owned));
        }
    }
    (kinds, errors)
}

fn run(script: &Path, file: &Path, fields: &[&str], arguments: &[&str]) -> String {
    let output = Command::new("tshark")
        .arg("-X")
        .arg(format!("lua_script:{}", script.display()))
        .args(["-n", "-T", "fields", "-E", "occurrence=a", "-e", "tcp.srcport", "-e", "tcp.dstport"])
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .args(arguments)
        .arg("-r")
        .arg(file)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !errors.contains("Lua"), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Records a conversation in segments of `size` bytes.
fn record(turns: &Turns, port: u16, size: usize) -> Vec<u8> {
    let mut recorder = Recorder::new(Vec::new());
    let connection =
        Connection { number: 1, client: ([127, 0, 0, 1], 40001).into(), server: ([127, 0, 0, 1], port).into() };
    let mut time = 1_700_000_000_000_000_000;
    let mut event = |event: Event<'_>| {
        time += 1_000_000;
        recorder.event(&connection, Time::from_nanos(time), event);
    };
    event(Event::Open);
    for (side, bytes) in turns {
        for chunk in bytes.chunks(size) {
            event(Event::Chunk { side: *side, bytes: chunk });
        }
    }
    for side in Side::BOTH {
        event(Event::Close { side, ending: Ending::Closed });
    }
    event(Event::Done);
    recorder.finish().unwrap()
}

/// Compares the kinds of a client's bytes, in segments of several sizes.
#[track_caller]
fn compare(message: &str, bytes: &[u8], count: usize) {
    let text = format!("name = \"forms\"\nports = [7100]\n[messages.m]\n{message}");
    let spec = SpecFile::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    let turns = vec![(Side::Client, bytes.to_vec())];
    let expected: Vec<String> = messages(spec.session(), all(&turns)).into_iter().map(|message| message.kind).collect();
    assert_eq!(expected.len(), count, "{message}");
    for size in [1, 3, 1000] {
        let (found, errors) = dissect(&spec, &record(&turns, 7100, size));
        assert_eq!(found.get(&(40001, 7100)), Some(&expected), "{message}, in segments of {size}");
        assert!(errors.is_empty(), "{message}: {errors:?}");
    }
}

fn every_form_of_field_is_dissected(_: &()) {
    let kind = "{ name = \"t\", type = \"u8\", names = { 1 = \"A\", 2 = \"B\" } }";
    compare(
        &format!(
            "kind = \"t\"\nfields = [{kind}, {{ name = \"n\", type = \"i16le\", names = {{ -2 = \"X\" }} }}, {{ name = \"v\", type = \"zigzag\" }}, \
             {{ name = \"u\", type = \"u64\", bits = {{ high = 40, low = 24 }} }}, {{ name = \"s\", type = \"string\", prefix = \"u16le\" }}, \
             {{ name = \"z\", type = \"string\", until = \"\\r\\n\" }}, {{ align = 4 }}]"
        ),
        &[&b"\x01\xfe\xff\x81\x01\0\0\0\0\x01\0\0\x02\x03\0abcz\r\n---"[..], b"\x02\0\0\x03\0\0\0\0\0\0\0\0\0\0\r\n"]
            .concat(),
        2,
    );
    compare(
        "kind = \"verb\"\nfields = [{ name = \"verb\", type = \"string\", until = \" \", names = [\"GET\", \"PUT\"] }, \
         { name = \"rest\", type = \"string\", until = \"\\n\" }]",
        b"GET a\nPUT bb\nFOO c\nGET \n",
        4,
    );
    compare(
        &format!(
            "length = {{ field = \"n\", counts = \"message\" }}\nkind = \"t\"\nfields = [{{ name = \"n\", type = \"u24le\" }}, {kind}, \
             {{ name = \"o\", type = \"u8\", when = {{ t = \"B\" }} }}, {{ name = \"x\", type = \"u8\", optional = true }}, \
             {{ name = \"rest\", type = \"bytes\" }}, {{ name = \"crc\", type = \"u8\" }}]"
        ),
        b"\x06\0\0\x01xc\x09\0\0\x02oxrrc\x07\0\0\x01xrc",
        3,
    );
    compare(
        &format!(
            "length = {{ field = \"n\", times = 2, add = 1 }}\nkind = \"t\"\nfields = [{{ name = \"b\", type = \"u8\", bits = {{ f = 2, n = 6 }} }}, {kind}, {{ name = \"rest\", type = \"bytes\" }}]"
        ),
        b"\x41\x01ab\xc0\x02\x02\x01abcd",
        3,
    );
}

fn malformed_messages_are_marked(_: &()) {
    let text = "name = \"forms\"\nports = [7100]\n[messages.m]\nlength = \"n\"\n\
                fields = [{ name = \"n\", type = \"u8\" }, { name = \"a\", type = \"u16\" }, { name = \"b\", type = \"bytes\" }]";
    let spec = SpecFile::parse(text).unwrap();
    let turns = vec![(Side::Client, b"\x03aab\x01x\x02aa".to_vec())];
    for size in [1, 2, 1000] {
        let (found, errors) = dissect(&spec, &record(&turns, 7100, size));
        assert_eq!(found.get(&(40001, 7100)).map(Vec::len), Some(3), "in segments of {size}");
        assert_eq!(errors.len(), 1, "in segments of {size}");
    }
}
