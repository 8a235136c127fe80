//! The attributes of messages: their values, and that neither the cuts nor the order of the two
//! sides' chunks changes them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use enjamb::transcript::Collector;
use enjamb::{
    ArgumentType, Attribute, AttributeArgument, AttributeValue, Ending, Message, OwnedMessage, Session, Side,
    Transcript,
};
use enjamb_law::{Cutting, Interleavings, Segmentations, Sessions, interleaved, split_everywhere};
use enjamb_protocols::{Registry, http1, redis};

/// The headers whose values are compared.
const HEADERS: [&str; 9] = [
    "host",
    "user-agent",
    "Content-Type",
    "content-length",
    "connection",
    "transfer-encoding",
    "set-cookie",
    "x-folded",
    "absent",
];

/// A session whose summaries are the attributes of the messages.
struct WithAttributes(Box<dyn Session>);

fn describe(message: &Message<'_>) -> String {
    let attributes: &[Attribute] = match message.protocol {
        "http1" => http1::ATTRIBUTES,
        "redis" => redis::ATTRIBUTES,
        _ => &[],
    };
    let mut text = String::new();
    let mut add = |attribute: &Attribute, argument: AttributeArgument<'_>| {
        if let Some(value) = message.attributes.get(attribute.name, argument) {
            let _ = write!(text, "{}{argument:?}={value:?};", attribute.name);
        }
    };
    for attribute in attributes {
        match attribute.argument {
            ArgumentType::None => add(attribute, AttributeArgument::None),
            ArgumentType::Text => HEADERS.iter().for_each(|name| add(attribute, AttributeArgument::Text(name))),
            ArgumentType::Number => (0..66).for_each(|number| add(attribute, AttributeArgument::Number(number))),
        }
    }
    text
}

impl WithAttributes {
    fn of(protocol: &str) -> Box<dyn Session> {
        let mut session = Registry::builtin().resolve(protocol).unwrap().session(None);
        session.keep_attributes();
        Box::new(Self(session))
    }
}

/// Gives the messages to `out` with their attributes in the place of the summary.
fn described<'a>(out: &'a mut dyn FnMut(&Message<'_>)) -> impl FnMut(&Message<'_>) + 'a {
    move |message| out(&Message { summary: &describe(message), ..*message })
}

impl Session for WithAttributes {
    fn protocol(&self) -> &str {
        self.0.protocol()
    }
    fn feed(&mut self, side: Side, chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        self.0.feed(side, chunk, &mut described(out));
    }
    fn gap(&mut self, side: Side, missing: u64, out: &mut dyn FnMut(&Message<'_>)) {
        self.0.gap(side, missing, &mut described(out));
    }
    fn close(&mut self, side: Side, ending: Ending, out: &mut dyn FnMut(&Message<'_>)) {
        self.0.close(side, ending, &mut described(out));
    }
    fn held(&self) -> usize {
        self.0.held()
    }
}

/// Returns an attribute of the first message of `bytes`, as text.
fn attribute(protocol: &str, side: Side, bytes: &[u8], name: &str, argument: AttributeArgument<'_>) -> Option<String> {
    let mut session = Registry::builtin().resolve(protocol).unwrap().session(None);
    session.keep_attributes();
    let mut values = Vec::new();
    let mut out = |message: &Message<'_>| {
        values.push(message.attributes.get(name, argument).map(|value| match value {
            AttributeValue::Text(text) => text.into_owned(),
            AttributeValue::Beginning(text) => format!("{text}..."),
            AttributeValue::Number(number) => format!("#{number}"),
            _ => unreachable!(),
        }));
    };
    session.feed(side, bytes, &mut out);
    session.close(side, Ending::Closed, &mut out);
    values.swap_remove(0)
}

fn of_request(bytes: &str, name: &str) -> Option<String> {
    attribute("http1", Side::Client, bytes.as_bytes(), name, AttributeArgument::None)
}

fn header(bytes: &str, name: &str) -> Option<String> {
    attribute("http1", Side::Client, bytes.as_bytes(), "header", AttributeArgument::Text(name))
}

#[test]
fn the_target_of_a_request_has_a_path_a_query_and_a_host() {
    for (line, path, query, host) in [
        ("GET / HTTP/1.1", Some("/"), None, Some("h:1")),
        ("GET /a/b?c=d&e HTTP/1.1", Some("/a/b"), Some("c=d&e"), Some("h:1")),
        ("GET /a? HTTP/1.1", Some("/a"), Some(""), Some("h:1")),
        ("GET /a?b?c HTTP/1.1", Some("/a"), Some("b?c"), Some("h:1")),
        ("GET http://u@x:8/p?q HTTP/1.1", Some("/p"), Some("q"), Some("x:8")),
        ("GET http://x HTTP/1.1", Some("/"), None, Some("x")),
        ("GET http://x?q HTTP/1.1", Some("/"), Some("q"), Some("x")),
        ("OPTIONS * HTTP/1.1", None, None, Some("h:1")),
        ("CONNECT x:443 HTTP/1.1", None, None, Some("h:1")),
        ("GET /a b HTTP/1.1", None, None, None),
    ] {
        let request = format!("{line}\r\nHost: h:1\r\n\r\n");
        assert_eq!(of_request(&request, "path").as_deref(), path, "{line}");
        assert_eq!(of_request(&request, "query").as_deref(), query, "{line}");
        assert_eq!(of_request(&request, "host").as_deref(), host, "{line}");
        assert_eq!(of_request(&request, "status"), None);
    }
    let request = "BREW /pot?a HTTP/1.0\r\n\r\n";
    assert_eq!(of_request(request, "method").as_deref(), Some("BREW"));
    assert_eq!(of_request(request, "target").as_deref(), Some("/pot?a"));
    assert_eq!(of_request(request, "version").as_deref(), Some("1.0"));
    assert_eq!(of_request(request, "host"), None);
    assert_eq!(of_request(request, "nothing"), None);
    assert_eq!(
        of_request("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", "body_length").as_deref(),
        Some("#3")
    );
}

#[test]
fn a_header_is_found_by_its_name_in_any_case_and_its_values_are_joined() {
    let request = "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent:  curl/8  \r\nA: 1\r\na: 2\r\nEmpty:\r\nA: 3\r\nFold: x\r\n  y\r\n\tz\r\nBad\r\nNull: \u{e9}\r\n\r\nLate: 1\r\n";
    for (name, value) in [
        ("host", Some("h")),
        ("USER-AGENT", Some("curl/8")),
        ("a", Some("1, 2, 3")),
        ("empty", Some("")),
        ("fold", Some("x y z")),
        ("null", Some("\u{e9}")),
        ("bad", None),
        ("late", None),
        ("get / http/1.1", None),
        ("", None),
    ] {
        assert_eq!(header(request, name).as_deref(), value, "{name}");
    }
    // A head that was cut off has only its whole lines: a fold could continue the last one.
    let cut = "GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nC: 3";
    assert_eq!(header(cut, "a").as_deref(), Some("1"));
    assert_eq!(header(cut, "c"), None);
    // A head over its limit keeps its beginning.
    let long = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    assert_eq!(header(&long, "host").as_deref(), Some("h"));
    assert_eq!(header(&long, "x"), None);
    let response = b"HTTP/1.1 404 No\r\nServer: s\r\nContent-Length: 0\r\n\r\n";
    let of_response = |name, argument| attribute("http1", Side::Server, response, name, argument);
    assert_eq!(of_response("status", AttributeArgument::None).as_deref(), Some("#404"));
    assert_eq!(of_response("header", AttributeArgument::Text("server")).as_deref(), Some("s"));
    assert_eq!(of_response("method", AttributeArgument::None), None);
    assert_eq!(of_response("host", AttributeArgument::None), None);
}

/// Returns a command as an array of bulks.
fn command(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

#[test]
fn a_command_has_a_name_arguments_and_a_key_in_both_forms() {
    let of = |bytes: &[u8], name: &str| attribute("redis", Side::Client, bytes, name, AttributeArgument::None);
    let argument =
        |bytes: &[u8], number| attribute("redis", Side::Client, bytes, "argument", AttributeArgument::Number(number));
    for bytes in [command(&["set", "user:1", "a b"]), b"set user:1 \"a b\"\r\n".to_vec()] {
        assert_eq!(of(&bytes, "command").as_deref(), Some("SET"));
        assert_eq!(of(&bytes, "key").as_deref(), Some("user:1"));
        assert_eq!(of(&bytes, "argument_count").as_deref(), Some("#2"));
        assert_eq!(argument(&bytes, 0).as_deref(), Some("set"));
        assert_eq!(argument(&bytes, 2).as_deref(), Some("a b"));
        assert_eq!(argument(&bytes, 3), None);
    }
    assert_eq!(of(&command(&["PING", "x"]), "key"), None);
    assert_eq!(of(&command(&["EVAL", "s", "1", "k", "v"]), "key").as_deref(), Some("k"));
    assert_eq!(argument(&command(&["AUTH", "secret"]), 1).as_deref(), Some("secret"));
    // Replies have no attributes.
    assert_eq!(attribute("redis", Side::Server, b"+OK\r\n", "command", AttributeArgument::None), None);
}

#[test]
fn long_and_many_arguments_are_cut_at_the_limits() {
    let argument =
        |bytes: &[u8], number| attribute("redis", Side::Client, bytes, "argument", AttributeArgument::Number(number));
    let (long, fits) = ("x".repeat(redis::KEPT_BYTES_MAX + 1), "x".repeat(redis::KEPT_BYTES_MAX));
    assert_eq!(argument(&command(&["SET", "k", &fits]), 2), Some(fits.clone()));
    assert_eq!(argument(&command(&["SET", "k", &long]), 2), Some(format!("{fits}...")));
    let many = vec!["w"; redis::KEPT_ARGUMENTS_MAX + 1];
    assert_eq!(argument(&command(&many), redis::KEPT_ARGUMENTS_MAX as u64 - 1).as_deref(), Some("w"));
    assert_eq!(argument(&command(&many), redis::KEPT_ARGUMENTS_MAX as u64), None);
    // A long value in small pieces takes as much memory as in one.
    let mut session = redis::session();
    session.keep_attributes();
    let huge = command(&["SET", "k", &"x".repeat(1 << 20)]);
    for piece in huge.chunks(1000) {
        session.feed(Side::Client, piece, &mut |_| {});
        assert!(session.held() < 8 << 10, "{}", session.held());
    }
}

#[test]
fn arguments_are_kept_only_if_somebody_wants_them() {
    let mut session = redis::session();
    let bytes = command(&["SET", "k", "v"]);
    let mut seen = 0;
    for pieces in [bytes.len(), 1] {
        for piece in bytes.chunks(pieces) {
            session.feed(Side::Client, piece, &mut |message| {
                seen += 1;
                assert_eq!(message.attributes.get("argument", AttributeArgument::Number(1)), None);
                assert!(message.attributes.get("command", AttributeArgument::None).is_some());
            });
        }
    }
    assert_eq!(seen, 2);
}

fn transcripts(folder: &str) -> Vec<(PathBuf, Transcript)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpora").join(folder);
    let mut all = Vec::new();
    for path in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
        if !path.extension().is_some_and(|end| end.as_encoded_bytes().starts_with(b"pcap")) {
            continue;
        }
        let mut collector = Collector::default();
        let report = enjamb_capture::open(&path, &mut collector, &enjamb_capture::Options::default());
        assert!(report.error.is_none(), "{}", path.display());
        all.extend(collector.finish().map(|(_, transcript)| (path.clone(), transcript)));
    }
    assert!(!all.is_empty());
    all
}

#[test]
fn the_cuts_and_the_order_change_no_attribute_of_any_conversation_of_the_corpus() {
    for (folder, protocol) in [("http1", "http1"), ("redis", "redis"), ("redis", "auto"), ("http1", "auto")] {
        let sessions = Sessions(|| WithAttributes::of(protocol));
        let (mut cuts, mut with_attributes) = (0, 0);
        for (path, transcript) in transcripts(folder) {
            let input = Cutting::from(&transcript);
            let checked = split_everywhere(&sessions, &input, &Segmentations::up_to_one_cut().and_random(5, 40))
                .unwrap_or_else(|violation| panic!("{} as {protocol}: {violation}", path.display()));
            cuts += checked.segmentations;
            let few: Vec<usize> = (1..input.len()).filter(|at| at % 11 == 0).collect();
            interleaved(&sessions, &input, &few, &Interleavings::all_up_to(100, 1, 30))
                .unwrap_or_else(|violation| panic!("{} as {protocol}: {violation}", path.display()));
            let mut messages: Vec<OwnedMessage> = Vec::new();
            transcript.play(&mut *WithAttributes::of(protocol), &mut |message| messages.push(message.to_owned()));
            with_attributes += messages.iter().filter(|message| !message.summary.is_empty()).count();
        }
        assert!(cuts > 1000 && with_attributes > 50, "{folder} as {protocol}: {cuts}, {with_attributes}");
    }
}

#[test]
fn the_cuts_change_no_attribute_of_unusual_messages() {
    let long = "v".repeat(redis::KEPT_BYTES_MAX + 50);
    let mut redis_bytes = command(&["SET", "k", &long]);
    redis_bytes.extend(command(&vec!["w"; redis::KEPT_ARGUMENTS_MAX + 3]));
    redis_bytes.extend_from_slice(b"\r\n\r\nSET 'a b' \"\\x41\"\r\n*2\r\n$3\r\nGET\r\n$1\r\nkXX*1\r\n$4\r\nPING\r\n");
    redis_bytes.extend_from_slice(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9\r\nabc");
    let http_bytes = b"\r\nGET /a b HTTP/1.1\r\nHost: h\r\n\r\nPOST http://u@x/p?q HTTP/1.1\nHost: h\nX-Folded: a\n b\nX-Folded: c\nSet-Cookie: \xff\n\nGET / HTTP/1.1\r\nbad\r\nHost : h\r\n\r\nnonsense\r\nGET /z HTTP/1.1\r\nHost: h\r\nUser-Agent: u";
    for (protocol, bytes) in [("redis", &redis_bytes[..]), ("http1", http_bytes)] {
        for ending in [None, Some(Ending::Closed)] {
            let chunk = (Side::Client, enjamb::transcript::Content::Chunk(bytes.to_vec()));
            let close = ending.map(|ending| (Side::Client, enjamb::transcript::Content::Close(ending)));
            let input = Cutting::of([chunk].into_iter().chain(close));
            let family = Segmentations::up_to_one_cut().and_random(9, 200);
            split_everywhere(&Sessions(|| WithAttributes::of(protocol)), &input, &family)
                .unwrap_or_else(|violation| panic!("{protocol}: {violation}"));
        }
    }
}
