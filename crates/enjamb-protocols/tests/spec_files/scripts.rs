//! Conversations of the protocols in `corpora/specs`, and their captures.

#![allow(dead_code, reason = "every test file uses another part of it")]

use std::path::{Path, PathBuf};

use enjamb::{Connection, Ending, Event, OwnedMessage, Session, Side, Tap, Time};
use enjamb_capture::Recorder;
use enjamb_protocols::SpecFile;

/// The bytes that each side sends, in order.
pub(crate) type Turns = Vec<(Side, Vec<u8>)>;

/// A protocol with conversations of it.
pub(crate) struct Script {
    pub name: &'static str,
    pub port: u16,
    pub connections: fn() -> Vec<Turns>,
}

pub(crate) const SCRIPTS: [Script; 3] = [
    Script { name: "meter", port: 7070, connections: meter },
    Script { name: "craft", port: 25565, connections: craft },
    Script { name: "vendor", port: 9900, connections: vendor },
];

/// Returns the folder of the spec files and their captures.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpora/specs")
}

pub(crate) fn spec(name: &str) -> SpecFile {
    let path = folder().join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&path).unwrap();
    SpecFile::parse(&text).unwrap_or_else(|error| panic!("{}:{error}", path.display()))
}

/// Feeds a session, and returns its messages.
pub(crate) fn messages<'t>(
    mut session: Box<dyn Session>,
    turns: impl IntoIterator<Item = (Side, &'t [u8])>,
) -> Vec<OwnedMessage> {
    let mut messages = Vec::new();
    for (side, bytes) in turns {
        session.feed(side, bytes, &mut |message| messages.push(message.to_owned()));
    }
    for side in Side::BOTH {
        session.close(side, Ending::Closed, &mut |message| messages.push(message.to_owned()));
    }
    messages
}

pub(crate) fn all(turns: &Turns) -> impl Iterator<Item = (Side, &[u8])> {
    turns.iter().map(|(side, bytes)| (*side, &bytes[..]))
}

/// The lengths of the segments, again and again: messages are cut in their first bytes, inside
/// lengths, and just before their ends, and several messages share a segment.
const CUTS: [usize; 12] = [1, 1, 2, 5, 1, 40, 3, 120, 1, 11, 700, 1];

/// Returns the capture of a script.
pub(crate) fn capture(script: &Script) -> Vec<u8> {
    let mut recorder = Recorder::new(Vec::new());
    for (number, turns) in (1_u16..).zip((script.connections)()) {
        let client = ([127, 0, 0, 1], 40000 + number).into();
        let connection = Connection { number: number.into(), client, server: ([127, 0, 0, 1], script.port).into() };
        let mut time = u64::from(number) * 1_000_000_000;
        let mut event = |event: Event<'_>| {
            time += 1_000_000;
            recorder.event(&connection, Time::from_nanos(1_700_000_000_000_000_000 + time), event);
        };
        event(Event::Open);
        let mut cuts = CUTS.iter().cycle().skip(usize::from(number) * 3).copied();
        for (side, bytes) in turns {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (chunk, behind) = rest.split_at(cuts.next().unwrap().min(rest.len()));
                event(Event::Chunk { side, bytes: chunk });
                rest = behind;
            }
        }
        for side in Side::BOTH {
            event(Event::Close { side, ending: Ending::Closed });
        }
        event(Event::Done);
    }
    recorder.finish().unwrap()
}

fn meter() -> Vec<Turns> {
    fn frame(kind: u8, number: u16, body: &[u8]) -> Vec<u8> {
        let mut frame = b"MT".to_vec();
        frame.push(kind);
        frame.extend(number.to_be_bytes());
        frame.extend((body.len() as u16).to_be_bytes());
        frame.extend(body);
        // The sum of all bytes, which nobody checks here.
        let sum = frame.iter().fold(0_u16, |sum, byte| sum.wrapping_add((*byte).into()));
        frame.extend(sum.to_be_bytes());
        frame
    }
    use Side::{Client, Server};
    let pipelined = [frame(1, 7, b"energy"), frame(1, 8, b"power"), frame(3, 9, b"interval=5")].concat();
    // The answers come in another order, with an alarm between them.
    let answers =
        [frame(2, 8, b"230 W"), frame(5, 0, b"cover open"), frame(2, 7, b"17.5 kWh"), frame(4, 9, b"")].concat();
    vec![
        vec![
            (Client, frame(1, 1, b"energy")),
            (Server, frame(2, 1, b"17.4 kWh")),
            (Client, frame(1, 2, b"colour")),
            (Server, frame(0xff, 2, b"\x01no register")),
            (Server, frame(5, 1, b"low battery")),
        ],
        vec![(Client, pipelined), (Server, answers), (Client, frame(9, 10, b"")), (Server, frame(0xff, 10, b"\x02"))],
        // Only alarms, one of them long, and one with a body that looks like frames.
        vec![(Server, frame(5, 0, &b"MT\x01\0\x01\0\0".repeat(20))), (Server, frame(5, 1, b"MT"))],
    ]
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn craft() -> Vec<Turns> {
    fn packet(kind: u64, parts: &[&[u8]]) -> Vec<u8> {
        let body = [varint(kind), parts.concat()].concat();
        [varint(body.len() as u64), body].concat()
    }
    fn string(text: &str) -> Vec<u8> {
        [varint(text.len() as u64), text.as_bytes().to_vec()].concat()
    }
    let handshake =
        |next: u64| packet(0, &[&varint(767), &string("play.example"), &25565_u16.to_be_bytes(), &varint(next)]);
    use Side::{Client, Server};
    let description = format!("{{\"players\":3,\"text\":\"{}\"}}", "a long description. ".repeat(12));
    let id = [7; 16];
    vec![
        vec![
            (Client, [handshake(1), packet(0, &[])].concat()),
            (Server, packet(0, &[&string(&description)])),
            (Client, packet(1, &[&77_u64.to_be_bytes()])),
            (Server, packet(1, &[&77_u64.to_be_bytes()])),
        ],
        vec![
            (Client, [handshake(2), packet(0, &[&string("ada")])].concat()),
            (
                Server,
                [packet(2, &[&id, &string("ada")]), packet(0x20, &[&[9; 500]]), packet(0x1f, &[&[0; 8]])].concat(),
            ),
            (Client, [packet(0x12, &[&[0; 8]]), packet(5, &[&string("hello")]), packet(0x33, &[b"new"])].concat()),
            (Server, [packet(0x0f, &[&string("ada: hello")]), packet(0x17, &[&string("bye")])].concat()),
        ],
        vec![
            (Client, [handshake(2), packet(0, &[&string("eve")])].concat()),
            (Server, packet(0, &[&string("You are not on the list")])),
        ],
        vec![
            (Client, [handshake(2), packet(0, &[&string("bob")])].concat()),
            (Server, packet(1, &[&[1; 40]])),
            (Client, vec![0xa5; 64]),
            (Server, vec![0x5a; 64]),
        ],
    ]
}

fn vendor() -> Vec<Turns> {
    const MORE: u16 = 1;
    const ONEWAY: u16 = 4;
    const PARTIAL: u16 = 2;
    fn frame(flags: u16, id: u32, behind: &[&[u8]]) -> Vec<u8> {
        let behind = behind.concat();
        let mut frame = 0xfeca_u16.to_le_bytes().to_vec();
        frame.extend((1 << 13 | flags).to_le_bytes());
        frame.extend((12 + behind.len() as u32).to_le_bytes());
        frame.extend(id.to_le_bytes());
        frame.extend(behind);
        frame
    }
    fn hello(agent: &str) -> Vec<u8> {
        let mut hello = [b"VRPC\x02\x01", agent.as_bytes(), b"\0"].concat();
        while !hello.len().is_multiple_of(4) {
            hello.push(0);
        }
        hello
    }
    fn call(flags: u16, id: u32, method: u16, object: &str, rest: &[u8]) -> Vec<u8> {
        let mut head = method.to_le_bytes().to_vec();
        head.extend([object.len() as u8, 0]);
        head.extend(object.as_bytes());
        while !head.len().is_multiple_of(4) {
            head.push(0);
        }
        frame(flags, id, &[&head, rest])
    }
    fn reply(flags: u16, id: u32, method: u16, status: i16, rest: &[u8]) -> Vec<u8> {
        frame(flags, id, &[&method.to_le_bytes(), &status.to_le_bytes(), rest])
    }
    use Side::{Client, Server};
    vec![
        vec![
            (Client, [hello("cli/3"), call(0, 1, 1, "admin", b"0123456789abcdef")].concat()),
            (Server, [hello("srv/9.1"), reply(0, 1, 1, 0, b"")].concat()),
            (Client, [call(0, 2, 2, "/pump/1", b"all"), call(ONEWAY, 3, 4, "log", b"x")].concat()),
            (Server, [reply(PARTIAL, 2, 2, 0, b"part one"), reply(0, 2, 2, 0, b"part two")].concat()),
        ],
        vec![
            (Client, hello("batch")),
            (Server, hello("srv/9.1")),
            // A call of three frames, then one that fails, then a reply of two frames.
            (
                Client,
                [
                    call(MORE, 5, 3, "/pump/2", &[b'w'; 100]),
                    frame(MORE, 5, &[&[b'w'; 33]]),
                    frame(0, 5, &[]),
                    call(0, 6, 2, "/none", b""),
                ]
                .concat(),
            ),
            (
                Server,
                [reply(0, 6, 2, -2, b"no such object"), reply(MORE, 5, 3, 0, &[b'r'; 60]), frame(0, 5, &[b"end"])]
                    .concat(),
            ),
        ],
    ]
}
