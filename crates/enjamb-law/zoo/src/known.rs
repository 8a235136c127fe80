//! The findings of the entries: the laws that they break, and the cause in the source of the crate.
//! A run reports every difference from them as unexpected.

use enjamb_law::Law::{Alone, Awake, Bounded, Coalesce, End, Linear, Prompt, Quiet, RoundTrip, Split, Total};

use crate::entry::Entry;

/// A push parser that has no call for the end of the stream.
const NO_END_CALL: &str =
    "a push parser without a call for the end of the stream: the caller must detect a truncated stream by other means.";
const UNFINISHED_EVENT: &str = "the standard drops an event that no empty line ends (HTML, 9.2.6).";
const NO_CLOSE_FRAME: &str =
    "a WebSocket ends with a close frame (RFC 6455, 7.1): an end without one is the same error at every place.";
const FROM_START: &str = "each chunk restarts the search for the end of the unfinished message at its first byte.";
const UNKNOWN_TYPE: &str = "a value of unknown type is an unexpected end of the stream when its first byte is alone in a read, and a parse error otherwise.";
const WAITS_FOR_VALUE: &str = "`parse_value` waits for a value: an end of the stream is the same error at every place.";
const READ_BEFORE_ERROR: &str = "bytes that were decoded before an error in the same chunk are not returned, as with every implementation of `Read`.";

/// Adds the findings of an entry to it.
pub fn with_findings(entry: Entry) -> Entry {
    match entry.name {
        // Lines.
        "tokio-util 0.3.1 LinesCodec" => entry
            .fails([Total], "a UTF-8 error at the end of the stream does not reset `next_index`, and the next call indexes past the buffer (tokio-rs/tokio#7011).")
            .fails([Split], "a line that is too long is refused again by every call before new bytes arrive (tokio-rs/tokio#3555).")
            .fixed_in("tokio-util 0.6.10 LinesCodec", [Split]),
        "tokio-util 0.6.10 LinesCodec" => entry
            .fails([Total], "a UTF-8 error at the end of the stream does not reset `next_index`, and the next call indexes past the buffer (tokio-rs/tokio#7011).")
            .fixed_in("tokio-util 0.7.20 LinesCodec", [Total]),
        "tokio-util 0.7.20 LinesCodec" => {
            entry.accepted([RoundTrip], "a line that ends in a carriage return cannot be written: `\\r\\n` ends a line too.")
        }
        "csv-core 0.1.13" => entry.fails(
            [Split],
            "a byte order mark is stripped only when all its three bytes are in the first read; a first read of exactly these three leaves an empty input, which counts as the end of the data.",
        ),
        // Lengths.
        "tokio-util 0.3.1 LengthDelimitedCodec"
        | "tokio-util 0.7.20 LengthDelimitedCodec"
        | "tokio-util 0.7.20 FramedRead, polled on" => entry.fails(
            [End],
            "`decode` moves the length from the buffer into its state, and the default `decode_eof` checks only whether the buffer is empty: a stream that ends after a length ends cleanly.",
        ),
        "futures_codec 0.3.4 LengthCodec" => entry
            .fails([Total], "`get_u64` takes the length from the buffer before the body has arrived, and then `len - 8` underflows or the length is lost (matthunz/futures-codec#34).")
            .fixed_in("futures_codec 0.4.1 LengthCodec", [Total]),
        "unsigned-varint 0.8.0 UviBytes" => entry.fails(
            [End],
            "`UviBytes::decode` moves the length from the buffer into its state, and the default `decode_eof` checks only whether the buffer is empty.",
        ),
        "tokio-netstring 0.1.3" => entry
            .fails([Total], "the position of the first comma is used as the length of the payload: the slice goes past the part that was split off.")
            .fails([Linear], "each call prints the whole buffer."),
        "ldap3_proto 0.9.0" => entry.fails(
            [Split, Coalesce],
            "the limit is compared with the whole buffer before a message is decoded (`buf.len() > max_buf_size`): many short messages in one read are refused.",
        ),
        "postgres-protocol 0.6.12" => entry.fails(
            [Total],
            "`buf.reserve(total_len - buf.len())` trusts a length of up to 4 GiB from the wire.",
        ),
        "minifix 0.3.0" => entry.fails([Linear], "`find_complete_message` starts at the first byte of the buffer for every chunk."),
        "hl7-mllp-codec 0.4.0" => entry
            .fails([Total], "a footer before the header of a message is not expected: `advance` goes past the part that was split off.")
            .fails([End], "the bytes of an unfinished message are moved into the codec, and the default `decode_eof` sees an empty buffer.")
            .fails([Linear], "each chunk restarts the search for a footer at the first byte of the buffer.")
            .accepted([Split, Coalesce, Alone], "the default build assumes one message on the wire at a time, and searches for the footer from the end of the buffer; the feature `noncompliance` does not."),
        "easy-modbus 0.0.5 TCP server" => entry.fails(
            [Total, Split],
            "the code checks that the head of 8 bytes has arrived, but not the rest: `copy_to_bytes` of an incomplete frame panics.",
        ),
        "easy-modbus 0.0.5 RTU server" => entry.fails(
            [Total, Split, Prompt, Quiet, End],
            "the first two bytes are taken from the buffer before it returns `Ok(None)`, and are missing in the next call.",
        ),
        // Text.
        "vte 0.13.0" => entry.accepted([End], NO_END_CALL),
        "vte 0.15.0" => entry
            .fails([Split, Prompt], "`advance_partial_utf8` completes a character that was cut with up to three more bytes; when that window ends inside the next character, it prints only the first character and counts all valid bytes as used: the bytes between are lost. This is a regression: version 0.13.0 keeps the laws.")
            .fixed_in("vte 0.13.0", [Split, Prompt])
            .accepted([End], NO_END_CALL),
        "base64 0.22.1 DecoderReader" => entry.accepted([Split], READ_BEFORE_ERROR),
        "ppp 2.3.0" => entry.fails(
            [Split],
            "a text header that ends before its last port is an error for which `is_incomplete` is false, though that function is documented to show when to read more.",
        ),
        "snap 1.0.0" => entry
            .fails([Total], "the length of a chunk is used without a check that it is at least 4, the size of its checksum (BurntSushi/rust-snappy#29; fixed in 1.0.1, which cannot be in one lock file with it).")
            .fails([End], "a stream that ends inside the head of a chunk counts as one that ends before it."),
        // HTTP and its kin.
        "lsp-codec 0.3.0" => entry
            .fails([Total], "`expect(\"invalid utf8 data\")` on bytes from the wire.")
            .fails([Split, Prompt], "the search continues where it stopped, by pairs of bytes: a carriage return at the end of a chunk is never seen together with its line feed.")
            .fails([End], "header lines are moved from the buffer into the state, and the default `decode_eof` sees an empty buffer."),
        "lsp-server-tokio 0.4.0" => entry
            .fails([End], "the head is moved from the buffer into `content_length`, and the default `decode_eof` sees an empty buffer.")
            .fails([Linear], FROM_START),
        // Multipart.
        "mpart-async 0.4.0" => entry
            .fails([Awake, Quiet, Split], "a first chunk that is shorter than the boundary gives `Pending` although the body was `Ready`: no waker is left to wake the task.")
            .fails([Total, Coalesce], "an empty part is returned for ever.")
            .fixed_in("mpart-async 0.7.0", [Awake, Quiet, Total, Coalesce])
            .fails([End], "a stream that ends after a boundary ends cleanly."),
        "mpart-async 0.7.0" => entry
            .accepted([Split], "the part of a body that is returned before an unexpected end depends on the cuts; whole bodies do not."),
        "multipart-stream 0.1.2" => entry.fails(
            [Split],
            "`max_header_bytes` applies only to headers whose end has not arrived: longer ones pass when they arrive at once.",
        ),
        // Server-sent events.
        "eventsource-stream 0.2.3" => entry
            .fails([Total, Split], "`&string[1..]` skips a byte order mark as one byte, but it has three.")
            .fails([Linear], "each chunk parses an unfinished line from its first byte.")
            .accepted([End], UNFINISHED_EVENT),
        "sse-stream 0.1.4" => entry
            .fails([Split], "a carriage return at the end of a chunk ends the line, and the line feed in the next chunk counts as an empty line, which ends the event.")
            .fails([Linear], "each chunk copies an unfinished line.")
            .fails([Alone], "the fields before a line that is not UTF-8 stay, and are part of the next event.")
            .fixed_in("sse-stream 0.3.0", [Split, Linear])
            .accepted([End], UNFINISHED_EVENT),
        "sse-stream 0.3.0" | "sse-codec 0.3.2" => entry.accepted([End], UNFINISHED_EVENT),
        "async-sse 5.1.0" => entry
            .fails([Split], "a carriage return at the end of a chunk ends the line, and the line feed in the next chunk counts as an empty line, which ends the event.")
            .accepted([End], UNFINISHED_EVENT),
        "tokio_sse_codec 0.0.2" => entry
            .fails([Split, Prompt], "after a line, `src[1]` is expected to be the line feed after a carriage return; when it has not arrived yet, the carriage return counts as a field.")
            .fails([Quiet], "a `retry` that is not a number gives `Ok(None)` although the buffer holds more: the driver waits for bytes that it does not need.")
            .accepted([End], UNFINISHED_EVENT),
        // WebSocket.
        "tungstenite 0.30.0" | "soketto 0.8.1" | "fastwebsockets 0.10.0" | "fastwebsockets 0.10.0 FragmentCollector" => {
            entry.accepted([End], NO_CLOSE_FRAME)
        }
        "websocket-codec 0.5.2" => entry
            .fails([Total], "`src.reserve(frame_len.min(0x4000_0000) + 512)` trusts a length from the wire: a head of ten bytes allocates 1 GiB.")
            .fails([End], "the first fragments of a message are moved into the codec, and the default `decode_eof` sees an empty buffer."),
        // XML.
        "quick-xml 0.25.0" => entry
            .fails([Split], "the part of a `<!DOCTYPE` before the end of a chunk is not kept for the next chunk.")
            .fails([End], "a `<` at the end of the stream is ignored.")
            .fixed_in("quick-xml 0.42.0", [End]),
        "quick-xml 0.34.0" => entry
            .fails([Prompt, Split], "text that ends at the end of a chunk is skipped, together with the bytes that follow (tafia/quick-xml#774).")
            .fixed_in("quick-xml 0.35.0", [Prompt]),
        "quick-xml 0.35.0" => entry
            .fails([Split], "the part of a `<!DOCTYPE` before the end of a chunk is not kept for the next chunk."),
        "quick-xml 0.39.1" => entry
            .fails([Split], "a `<` at the end of a chunk counts as markup that never ends (tafia/quick-xml#939)."),
        "quick-xml 0.42.0" | "quick-xml 0.42.0 async" => entry.fails(
            [Split],
            "a byte-order mark is removed only when all its three bytes are in the first read; otherwise it is text.",
        ),
        // JSON.
        "asynchronous-codec 0.7.0 JsonCodec" => entry
            .fails([Split], "a number at the end of a buffer counts as complete; the documentation of serde_json says that values must delimit themselves, and that of this crate does not.")
            .fails([Linear], "each chunk parses an unfinished value from its first byte."),
        "asynchronous-codec 0.7.0 JsonCodec, polled on" => entry
            .fails([Split], "`FramedRead` does not end with the first error of its decoder, and the decoder takes no byte: it returns the same error for ever (tokio-util did the same until 0.6.9, tokio-rs/tokio#4166).")
            .fails([Linear], "each chunk parses an unfinished value from its first byte."),
        "jsonrpc-server-utils 18.0.0 brackets" => entry
            .fails([Split, Quiet], "a message that is not UTF-8 gives `Ok(None)` although the buffer holds more.")
            .fails([Linear], FROM_START),
        "jsonrpc-server-utils 18.0.0 lines" => entry.fails([Linear], FROM_START),
        // Redis.
        "redis-protocol 6.0.0 Resp2" => entry
            .fails([Total], "nested arrays are parsed by recursion without a limit: 64 KiB of them overflow a stack of 1 MiB.")
            .fails([Linear], FROM_START),
        "redis-protocol 6.0.0 Resp3" => entry
            .fails([Total], "nested arrays are parsed by recursion without a limit: 64 KiB of them overflow a stack of 1 MiB.")
            .fails([Split, Coalesce, Quiet, Alone], "the head of a streamed value is moved into the codec and gives `Ok(None)`, although the buffer already holds the rest.")
            .fails([End], "the head of a streamed value is moved into the codec, and the default `decode_eof` sees an empty buffer.")
            .fails([Linear], FROM_START),
        "beyond-resp 0.1.1" => entry.fails(
            [Split, Coalesce, Prompt, End, Alone],
            "the limit of a frame is compared with the whole buffer: frames within the limit are refused when they arrive together.",
        ),
        "resp-rs 0.3.0 RESP 2" | "resp-rs 0.3.0 RESP 3" => entry
            .accepted([Split], "after an error it drops all bytes that it holds, as its source says: the messages that a program loses which goes on depend on the reads.")
            .fails([Linear], FROM_START),
        "redis 0.21.5" => entry
            .fails([Total], "nested arrays are parsed by recursion without a limit (redis-rs/redis-rs#724).")
            .fixed_in("redis 0.22.3", [Total])
            .fails([Split], UNKNOWN_TYPE)
            .fails([Linear], FROM_START)
            .accepted([End], WAITS_FOR_VALUE),
        "redis 0.22.3" => {
            entry.fails([Split], UNKNOWN_TYPE).fails([Linear], FROM_START).accepted([End], WAITS_FOR_VALUE)
        }
        "resp 1.0.3" => entry.fails([Total], "nested arrays are parsed by recursion without a limit: 64 KiB of them overflow a stack of 1 MiB."),
        // MQTT.
        "mqttbytes 0.6.0 v5" => entry.fails(
            [Split, Quiet],
            "an error inside a complete packet is the same `InsufficientBytes` that requests more bytes, and the packet is already taken from the buffer: a malformed packet is dropped silently, and the next one waits for more bytes.",
        ),
        "mqtt-v5 0.1.1" => entry
            .fails([Total], "the multiplier of a variable length is multiplied once more before it is checked.")
            .fails([Linear], "each chunk decodes an unfinished packet again, and copies its texts."),
        "mqttrs 0.4.1" => entry.fails(
            [Total, Split],
            "the fields of a packet are read from the whole buffer instead of the packet: a topic that is longer than its packet reads into the next one, or panics.",
        ),
        "mqtt-frame 0.1.5" => entry.fails([Total], "fields are read with `bytes::Buf`, which panics, without a check that their bytes have arrived."),
        // Queues.
        "ironmq-codec 0.1.1" => entry.fails(
            [Total, Split],
            "the code checks that the head of 8 bytes has arrived, but not the body: `split_to` of an incomplete frame panics.",
        ),
        "tokio-stomp 0.4.0" => entry
            .fails([Split], "the line feed that may follow a frame is consumed only when the buffer already holds it: otherwise an end of the stream after it is an error.")
            .fails([Linear], "each chunk restarts the search for the end of the head at its first byte, and lists every byte before it."),
        "iridium-stomp 0.3.2" => entry
            .fails([Total], "`pos + content_len + 1` overflows with a `content-length` from the wire.")
            .fails([Split], "the line feed that may follow a frame is consumed only when the buffer already holds it, and is a heartbeat otherwise.")
            .fails([Linear], FROM_START)
            .fixed_in("iridium-stomp 0.6.0", [Total]),
        "iridium-stomp 0.6.0" => entry
            .fails([Split], "the line feed that may follow a frame is consumed only when the buffer already holds it, and is a heartbeat otherwise.")
            .fails([Linear], FROM_START),
        // Mail.
        "imap-codec 0.10.0 client" => entry
            .fails([Total], "a response code that its line does not end, as in `* OK [`, reaches `unreachable!()`.")
            .fails([Split, Coalesce, Prompt, Quiet], "where a literal is announced, it changes its state and returns `Ok(None)`, although the buffer already holds the literal.")
            .fails([Linear], FROM_START),
        "imap-codec 0.10.0 server" => entry.fails([Linear], FROM_START),
        "mailrs-imap-codec 1.1.0 literals" => entry
            .fails([Split], "the line end after a literal is consumed only when the buffer already holds it, and is an empty line otherwise.")
            .fails([Linear], FROM_START),
        "mailrs-smtp-codec 1.0.2 commands" => entry.fails(
            [Split],
            "the limit of a line is checked only before its end has arrived: a longer line passes when it arrives at once; otherwise the buffer is cleared, and the rest of the line is the next command.",
        ),
        "mailrs-smtp-codec 1.0.2 data" => entry.fails(
            [Split, Coalesce],
            "the limit of a message is compared with the whole buffer, with the commands after the message.",
        ),
        // Telnet.
        "libtelnet-rs 2.0.0" => entry
            .fails([Split], "an IAC at the end of a chunk is forgotten, and its command counts as data (not in its fork libmudtelnet).")
            .fails([Coalesce, Alone], "data after an escaped IAC is lost, unless a new chunk begins there.")
            .accepted([End], NO_END_CALL),
        "libmudtelnet 2.0.2" => entry
            .fails([Split, Coalesce, Alone], "data after an escaped IAC is lost, unless a new chunk begins there.")
            .fails([Linear], "each chunk searches an unfinished subnegotiation again from its first byte.")
            .accepted([End], NO_END_CALL),
        "nectar 0.4.0" => entry
            .fails([Total, Prompt], "`if *byte_index > buffer.len()` allows an index equal to the length, one past the last byte of an unfinished subnegotiation.")
            .fails([Split, Quiet], "an unfinished line is copied into the codec and also stays in the buffer, so it appears twice when the rest arrives.")
            .fails([End, Alone], "a command without an option stays in the buffer until more bytes follow, and an end of the stream there is an error.")
            .fails([Linear], "each chunk copies an unfinished line into the codec again."),
        "telnet-codec 0.1.0" => entry
            .fails([Bounded], "the configured limit is stored and never checked.")
            .fails([Linear], FROM_START),
        // Serial lines.
        "slip-codec 0.4.0" => entry
            .fails([Split, Bounded], "the count for the limit restarts in each call: a packet in two reads may be twice as long, and one in many reads has no limit.")
            .fails([End], "the bytes of an unfinished packet are moved into the codec, and the default `decode_eof` sees an empty buffer."),
        "serial-line-ip 0.5.0"
        | "pamoja-serial 0.2.0 SLIP"
        | "pamoja-serial 0.2.0 COBS"
        | "cobs_codec_rs 1.3.0"
        | "uf-crsf 0.7.0"
        | "sbus-rs 0.1.3"
        | "ld2450-proto 0.2.0"
        | "ublox 0.10.0" => entry.accepted([End], NO_END_CALL),
        "cobs_codec_rs 1.3.0 with a limit" => entry
            .accepted([Split, Prompt], "`max_frame_len` is documented as a bound on the buffered part of an unfinished frame: the same frame passes when it arrives at once. (It is not documented that the rest of a refused frame is then decoded as another frame.)")
            .accepted([End], NO_END_CALL),
        "postcard 1.2.0 CobsAccumulator" => entry
            .fails([Split], "when it is full and the chunk has no zero, it forgets that it is inside a frame: the rest of a frame that is too long is read as another frame.")
            .accepted([End], NO_END_CALL),
        "crsf 2.0.1" => entry
            .fails([Split, Coalesce, Alone], "`next_raw_packet` takes 64 bytes from its buffer, the longest packet, however long the packet is: later bytes of the same chunk are lost.")
            .accepted([End], NO_END_CALL),
        "midly 0.5.3" => entry.accepted([End], "`flush` returns the part that is a message so far; a status byte without data is not one."),
        "atat 0.25.0" => entry.fails(
            [Split, Coalesce],
            "a data prompt is recognised only at the end of the buffer, and then all bytes before it count as part of it; final responses are searched in the whole buffer, and not from its start.",
        ),
        _ => entry,
    }
}
