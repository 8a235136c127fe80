//! The interleaved law over every conversation of `corpora/`, through every protocol: how the
//! chunks of the two sides interleave changes no message, span, outcome or pair.

use std::path::{Path, PathBuf};

use enjamb::transcript::{Collector, Content};
use enjamb::{Ending, Side, Transcript};
use enjamb_law::{Cutting, Interleavings, Sessions, interleaved};
use enjamb_protocols::{Registry, http1};
use proptest::prelude::*;

/// All orders of a conversation with few chunks, and some of one with many.
const ORDERS: Interleavings = Interleavings::all_up_to(3000, 1, 300);

fn captures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpora").join(folder);
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|end| end.as_encoded_bytes().starts_with(b"pcap"))).collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no captures", folder.display());
    files
}

fn transcripts(path: &Path) -> Vec<Transcript> {
    let mut collector = Collector::default();
    let report = enjamb_capture::open(path, &mut collector, &enjamb_capture::Options::default());
    assert!(report.error.is_none(), "{}: {:?}", path.display(), report.error);
    collector.finish().map(|(_, transcript)| transcript).collect()
}

/// Returns the cuts of a transcript's own chunks.
fn own_cuts(transcript: &Transcript) -> Vec<usize> {
    let mut at = 0;
    let ends = transcript.entries.iter().map(|entry| {
        at += entry.content.payload_len();
        at
    });
    let mut cuts: Vec<usize> = ends.collect();
    cuts.dedup();
    cuts
}

fn obeys(folder: &str, protocol: &str) {
    let protocol = Registry::builtin().resolve(protocol).unwrap();
    let sessions = Sessions(|| protocol.session(None));
    let (mut orders, mut messages) = (0, 0);
    let mut broken = Vec::new();
    for path in captures(folder) {
        for transcript in transcripts(&path) {
            let input = Cutting::from(&transcript);
            // Whole turns, the chunks as they came, and chunks of a few bytes.
            let few: Vec<usize> = (1..input.len()).filter(|at| at % 7 == 0).collect();
            for cuts in [Vec::new(), own_cuts(&transcript), few] {
                match interleaved(&sessions, &input, &cuts, &ORDERS) {
                    Ok(checked) => {
                        orders += checked.segmentations;
                        messages += checked.outputs;
                    }
                    Err(violation) => broken.push(format!("{} as {}: {violation}", path.display(), protocol.name())),
                }
            }
        }
    }
    assert!(broken.is_empty(), "{} violations, the first: {}", broken.len(), broken[0]);
    assert!(orders > 0 && messages > 0, "nothing was checked");
    eprintln!("{folder} as {}: {messages} messages, the same under {orders} orders", protocol.name());
}

#[test]
fn http1_conversations_give_the_same_messages_under_every_order_of_their_chunks() {
    obeys("http1", "http1");
}

#[test]
fn redis_conversations_give_the_same_messages_under_every_order_of_their_chunks() {
    obeys("redis", "redis");
}

#[test]
fn framings_and_opaque_bytes_give_the_same_messages_under_every_order_of_their_chunks() {
    for protocol in ["lines", "u16be", "delimiter:0d0a0d0a", "client=lines server=u8", "opaque"] {
        for folder in ["http1", "redis"] {
            obeys(folder, protocol);
        }
    }
}

#[test]
fn detected_protocols_give_the_same_messages_under_every_order_of_their_chunks() {
    obeys("http1", "auto");
    obeys("redis", "auto");
}

/// A conversation: who sends, and what.
type Turns<'a> = &'a [(Side, &'a [u8])];

const C: Side = Side::Client;
const S: Side = Side::Server;

/// Conversations in which the order could matter. Each is written in its earliest order: every
/// answer comes as early as the server can send it.
const CROSSING: &[(&str, Turns<'_>)] = &[
    (
        "an early answer to an upload",
        &[
            (C, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nab"),
            (S, b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"),
            (C, b"cdef"),
            (C, b"GET /2 HTTP/1.1\r\nHost: h\r\n\r\n"),
            (S, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
        ],
    ),
    (
        "an early answer to a chunked upload, and an interim one before it",
        &[
            (C, b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"),
            (S, b"HTTP/1.1 100 Continue\r\n\r\n"),
            (C, b"3\r\nabc\r\n"),
            (S, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
            (C, b"0\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: h\r\n\r\n"),
            (C, b"GET /3 HTTP/1.1\r\nHost: h\r\n\r\n"),
            (S, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 204 No\r\n\r\n"),
        ],
    ),
    (
        "a HEAD whose head is not whole when its answer comes",
        &[
            (C, b"HEAD / HTTP/1.1\r\nHost: h\r\nA: b\r\n"),
            (S, b"HTTP/1.1 408 Slow\r\nContent-Length: 9\r\nConnection: close\r\n\r\n"),
            (C, b"C: d\r\n\r\n"),
        ],
    ),
    (
        "a CONNECT whose last LF comes behind its 200",
        &[
            (C, b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r"),
            (S, b"HTTP/1.1 200 Yes\r\n\r\n"),
            (C, b"\n"),
            (C, b"\x16\x03\x01GET / HTTP/1.1\r\n\r\n"),
            (S, b"\x16\x03\x03\n"),
            (C, b"\x17\x03\n\n"),
        ],
    ),
    (
        "a CONNECT that is refused, and one that is not",
        &[
            (C, b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"),
            (S, b"HTTP/1.1 407 No\r\nContent-Length: 3\r\n\r\nabc"),
            (C, b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nA: b\r\n\r\n"),
            (S, b"HTTP/1.1 200 Yes\r\n\r\n"),
            (C, b"\x16\x03\x01\r\n"),
            (S, b"\x16\x03\x03\n"),
        ],
    ),
    (
        "an upgrade whose body ends behind the 101",
        &[
            (C, b"POST /ws HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 6\r\n\r\nabc"),
            (S, b"HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n\x81\x01x"),
            (C, b"def"),
            (C, b"\x81\x80\0\0\0\0\n"),
            (S, b"\x81\x00"),
        ],
    ),
    (
        "WebSocket bytes, which may come in front of the 101",
        &[
            (C, b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
            (S, b"HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
            (C, b"\x81\x85\0\0\0\0hello\n"),
            (S, b"\x81\x05hello\n"),
            (C, b"GET / HTTP/1.1\r\n\r\n"),
        ],
    ),
    (
        "an upgrade that is ignored, with requests behind it",
        &[
            (C, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"),
            (S, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"),
            (C, b"HEAD /2 HTTP/1.1\r\nHost: h\r\n\r\nGET /3 HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\r\n"),
            (S, b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"),
            (C, b"GET /4 HTTP/1.1\r\nHost: h\r\n\r\n"),
            (S, b"HTTP/1.1 204 OK\r\n\r\n"),
        ],
    ),
    (
        "a request that breaks rules, and what is behind it",
        &[
            (C, b"POST /a b HTTP/1.1\r\nHost: h\r\nbad\r\nContent-Length: 3\r\n\r\nab"),
            (S, b"HTTP/1.1 400 No\r\nContent-Length: 1\r\n\r\nx"),
            (C, b"cHEAD / HTTP/1.1\r\nHost: h\r\n\r\n"),
            (S, b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"),
            (C, b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n"),
            (S, b"HTTP/1.1 200 OK\r\n\r\nxyz"),
            (C, b"abc\n"),
        ],
    ),
    (
        "a request whose lengths differ, with a HEAD behind it",
        &[
            (C, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 2\r\n\r\n"),
            (S, b"HTTP/1.1 400 No\r\nContent-Length: 1\r\n\r\nx"),
            (C, b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"),
            (S, b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"),
            (C, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
            (S, b"HTTP/1.1 204 OK\r\n\r\n"),
        ],
    ),
    (
        "a 101 that nobody asked for",
        &[
            (C, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
            (S, b"HTTP/1.1 101 Yes\r\n\r\n"),
            (C, b"GET /2 HTTP/1.1\r\nHost: h\r\n\r\n"),
            (S, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 204 OK\r\n\r\n"),
        ],
    ),
    (
        "a timeout that answers nothing",
        &[
            (C, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
            (S, b"HTTP/1.1 204 OK\r\n\r\n"),
            (S, b"HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        ],
    ),
];

fn crossing(turns: Turns<'_>, ends: &[(Side, Ending)]) -> Cutting {
    let chunks = turns.iter().map(|(side, bytes)| (*side, Content::Chunk(bytes.to_vec())));
    Cutting::of(chunks.chain(ends.iter().map(|(side, ending)| (*side, Content::Close(*ending)))))
}

#[test]
fn crossing_chunks_give_the_same_messages_under_every_order() {
    let sessions = Sessions(http1::session);
    for (name, turns) in CROSSING {
        for ends in [&[][..], &[(C, Ending::Closed), (S, Ending::Closed)], &[(S, Ending::Closed), (C, Ending::Reset)]] {
            let input = crossing(turns, ends);
            let every = |size: usize| (1..input.len()).filter(|at| at % size == 0).collect::<Vec<_>>();
            for cuts in [Vec::new(), every(40), every(13), every(5), every(1)] {
                let orders = Interleavings::all_up_to(5000, 7, 300);
                let checked = interleaved(&sessions, &input, &cuts, &orders)
                    .unwrap_or_else(|violation| panic!("{name}: {violation}"));
                assert!(checked.segmentations > 0, "{name}");
            }
        }
    }
}

#[test]
fn crossing_chunks_give_the_right_pairs() {
    let answers = |name: &str| {
        let (_, turns) = CROSSING.iter().find(|(other, _)| other.contains(name)).unwrap();
        let mut answers = Vec::new();
        crossing(turns, &[]).transcript(&[]).play(&mut *http1::session(), &mut |message| {
            if message.kind == "response" {
                answers.push((message.code.map(str::to_owned), message.answers));
            }
        });
        answers
            .into_iter()
            .map(|(code, answers)| format!("{}:{answers:?}", code.unwrap()))
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(answers("to an upload"), "413:Some(0) 200:Some(1)");
    assert_eq!(answers("chunked upload"), "100:Some(0) 200:Some(0) 200:Some(1) 204:Some(2)");
    assert_eq!(answers("a HEAD whose"), "408:Some(0)");
    assert_eq!(answers("last LF"), "200:Some(0)");
    assert_eq!(answers("is refused, and"), "407:Some(0) 200:Some(1)");
    assert_eq!(answers("whose body ends"), "101:Some(0)");
    assert_eq!(answers("is ignored"), "200:Some(0) 200:Some(1) 200:Some(2) 204:Some(3)");
    assert_eq!(answers("breaks rules"), "400:Some(0) 200:Some(1) 200:Some(2)");
    assert_eq!(answers("lengths differ"), "400:Some(0) 200:Some(1) 204:Some(2)");
    assert_eq!(answers("nobody asked"), "101:Some(0) 200:Some(0) 204:Some(1)");
    assert_eq!(answers("answers nothing"), "204:Some(0) 408:None");
}

/// A request, the number of its bytes to which the server may react, and its answer. The end of each
/// is known: behind bytes that cannot be framed a session judges by the order of events.
fn exchange() -> impl Strategy<Value = (Vec<u8>, usize, Vec<u8>)> {
    let requests: Vec<(&str, &str)> = vec![
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", ""),
        ("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", ""),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n", "GET / HTT"),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "2\r\nab\r\n0\r\n\r\n"),
        ("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", ""),
        ("POST / HTTP/2.0\r\nHost: h\r\nContent-Length: 3\r\n\r\n", "a\r\n"),
        ("HEAD / HTTP/1.1\r\nHost: h\r\nbad\r\n\r\n", ""),
        ("CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n", ""),
        ("GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n", ""),
        ("POST /ws HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\nContent-Length: 4\r\n\r\n", "\u{1}\n\r\n"),
    ];
    let answers = vec![
        "HTTP/1.1 204 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 No\r\nContent-Length: 7\r\n\r\n",
        "HTTP/1.1 101 Yes\r\n\r\n",
    ];
    let of_request = prop::sample::select(requests);
    (of_request, prop::sample::select(answers), any::<prop::sample::Index>()).prop_map(|((head, body), answer, at)| {
        (format!("{head}{body}").into_bytes(), head.len() + at.index(body.len() + 1), answer.as_bytes().to_vec())
    })
}

/// A conversation in which each answer comes as early as it can. It may end in bytes of another
/// protocol.
fn conversation() -> impl Strategy<Value = Cutting> {
    (prop::collection::vec(exchange(), 1..6), any::<bool>()).prop_map(|(exchanges, other)| {
        let mut turns = Vec::new();
        for (request, at, answer) in exchanges {
            turns.push((C, Content::Chunk(request[..at].to_vec())));
            turns.push((S, Content::Chunk(answer)));
            turns.push((C, Content::Chunk(request[at..].to_vec())));
        }
        if other {
            turns.push((C, Content::Chunk(b"\x81\x00\n\x16".to_vec())));
        }
        turns.extend(Side::BOTH.map(|side| (side, Content::Close(Ending::Closed))));
        Cutting::of(turns)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn random_conversations_give_the_same_messages_under_every_order(
        input in conversation(),
        cuts in prop::collection::btree_set(1usize..400, 0..8),
    ) {
        let cuts: Vec<_> = cuts.into_iter().collect();
        let checked = interleaved(&Sessions(http1::session), &input, &cuts, &Interleavings::all_up_to(200, 3, 60));
        prop_assert!(checked.is_ok(), "{}", checked.unwrap_err());
    }
}
