//! The table of all targets.

use crate::captures::{self, HEAD, WIDTH};
use crate::target::{Choice, Form, Target};
use crate::{canary, engine, interleaving, net, peers, sessions, texts};

/// Makes a row. Its name is also that of the function and of the dictionary.
macro_rules! target {
    ($name:ident, $run:path, $form:expr, [$($parser:literal),*], $property:literal) => {
        Target {
            name: stringify!($name),
            property: $property,
            form: $form,
            run: $run,
            dictionary: include_str!(concat!("../../../fuzz/dictionaries/", stringify!($name), ".dict")),
            parsers: &[$($parser),*],
        }
    };
}

const FAMILY: Form = Form::Script(Choice::Family);

/// All targets, except the [canary](CANARY).
pub const TARGETS: &[Target] = &[
    target!(
        engine,
        engine::engine,
        Form::Program,
        ["enjamb::Framer", "enjamb::Scanner", "enjamb::AnyOf"],
        "terminators that frames and callers change, limits and several delimiters give the result of a naive reading of the whole stream"
    ),
    target!(
        text,
        engine::text,
        Form::Program,
        ["enjamb::Text"],
        "the same for frames of text, with both policies for bytes that are not UTF-8"
    ),
    target!(split_http1, sessions::split_http1, FAMILY, [], "the split law over HTTP/1"),
    target!(split_redis, sessions::split_redis, FAMILY, [], "the split law over Redis"),
    target!(split_web, sessions::split_web, FAMILY, [], "the split law over HTTP/2, WebSocket, RTSP, SIP, RTMP"),
    target!(
        split_databases,
        sessions::split_databases,
        FAMILY,
        [],
        "the split law over memcached and SQL, document and column databases"
    ),
    target!(split_mail, sessions::split_mail, FAMILY, [], "the split law over SMTP, POP3, IMAP, FTP"),
    target!(split_chat, sessions::split_chat, FAMILY, [], "the split law over IRC, XMPP, Telnet, SSH"),
    target!(
        split_messaging,
        sessions::split_messaging,
        FAMILY,
        [],
        "the split law over MQTT, AMQP, Kafka, NATS, STOMP"
    ),
    target!(
        split_directory,
        sessions::split_directory,
        FAMILY,
        [],
        "the split law over DNS, LDAP, Kerberos, Diameter, BGP"
    ),
    target!(
        split_industry,
        sessions::split_industry,
        FAMILY,
        [],
        "the split law over Modbus, DNP3, IEC 104, EtherNet/IP, OPC UA, TPKT, HL7, FIX"
    ),
    target!(split_rpc, sessions::split_rpc, FAMILY, [], "the split law over SMB, DCE/RPC, ONC RPC, Thrift, JSON-RPC"),
    target!(
        split_tunnels,
        sessions::split_tunnels,
        FAMILY,
        [],
        "the split law over SOCKS, TLS, unknown bytes and `auto`"
    ),
    target!(
        split_specs,
        sessions::split_specs,
        Form::Script(Choice::Spec),
        ["enjamb_protocols::SpecFile"],
        "the split law over framing specs, over the spec files of corpora/specs, and over those that the next bytes build"
    ),
    target!(
        interleaved,
        interleaving::interleaved,
        Form::Script(Choice::Any),
        [],
        "the messages of each side do not depend on how the chunks of the two sides interleave, as far as cause and effect allow"
    ),
    target!(
        http1_peer,
        peers::http1_peer,
        Form::Stream { head: 1 },
        [],
        "the first message of HTTP/1 ends where httparse and a naive reader of bodies say, or both refuse it"
    ),
    target!(
        redis_peer,
        peers::redis_peer,
        Form::Stream { head: 1 },
        [],
        "the messages of Redis end where the crate resp-rs says, or both refuse them"
    ),
    target!(
        captures,
        captures::captures,
        Form::Capture,
        ["enjamb_capture::read", "enjamb_capture::Capture"],
        "any bytes as a capture give whole packets or an error with a place, and consistent events; short reads change nothing"
    ),
    target!(
        packets,
        captures::packets,
        Form::Packets,
        ["enjamb_capture::Decoder"],
        "any bytes as packets of any link type give a segment that fits into a datagram, or a reason"
    ),
    target!(
        reassembly,
        captures::reassembly,
        Form::Records { head: HEAD, width: WIDTH },
        ["enjamb_capture::Reassembler"],
        "segments that are reordered, lost, repeated, overlapping or in conflict give the result of a map of bytes"
    ),
    target!(
        recordings,
        captures::recordings,
        Form::Script(Choice::Bytes(0)),
        ["enjamb_capture::Recorder"],
        "a recording that is read back gives what was recorded"
    ),
    target!(
        transcripts,
        texts::transcripts,
        Form::Text,
        ["enjamb::Transcript", "enjamb_sources::TranscriptFile", "enjamb_law::Script"],
        "a transcript or a script is the same when it is written and read again"
    ),
    target!(
        expressions,
        texts::expressions,
        Form::Text,
        [
            "enjamb_monitor::Filter",
            "enjamb_faults::Fault",
            "enjamb_protocols::Framing",
            "enjamb::units",
            "enjamb_net::relay::ForwardRule"
        ],
        "filters, faults, framing specs, rules of servers, sizes and durations are parsed, or an error has a place in the text"
    ),
    target!(
        spec_files,
        texts::spec_files,
        Form::Text,
        ["enjamb_protocols::SpecFile"],
        "a spec file that is accepted has a session and a dissector"
    ),
    target!(
        records,
        net::records,
        Form::Script(Choice::Registry),
        ["enjamb_monitor::Watch"],
        "each record of a conversation is one line in each format, and valid JSON; attributes and masks do not depend on cuts"
    ),
    target!(
        server,
        net::server,
        Form::Script(Choice::Counted),
        ["enjamb_net::run"],
        "every reply of a server is written once, whole and in order, however reads and writes are cut and delayed"
    ),
    target!(
        relay,
        net::relay,
        Form::Script(Choice::Counted),
        ["enjamb_net::relay::Relay"],
        "a relay and its tap pass on the bytes of each side once and in order, and the way in which a stream ends"
    ),
    target!(
        faults,
        net::faults,
        Form::Script(Choice::Bytes(1)),
        ["enjamb_faults::ConnectionFaults"],
        "faults that change no bytes deliver all of them, once and in order, and then the end of the stream"
    ),
];

/// The target that must fail.
pub const CANARY: Target = target!(
    canary,
    canary::canary,
    Form::Script(Choice::Bytes(0)),
    [],
    "a planted bug: this target must fail within seconds"
);

/// Returns the target of this name, the canary included.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    static CANARY_ROW: Target = CANARY;
    TARGETS.iter().find(|target| target.name == name).or_else(|| (name == CANARY.name).then_some(&CANARY_ROW))
}
