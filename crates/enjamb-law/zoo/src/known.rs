//! What is known of the entries: which laws they break, and what in the source of the crate brings it about. A run that says something else
//! is told.

use enjamb_law::Law::{Alone, Awake, Bounded, Coalesce, End, Linear, Prompt, Quiet, RoundTrip, Split, Total};

use crate::entry::Entry;

/// Fed, and not told of the end.
const NOT_TOLD: &str = "it is fed, and there is no call that tells it that the stream has ended; whoever feeds it has to know by other means.";
const DROPPED: &str = "the standard has an event dropped that no empty line ended (HTML, 9.2.6).";
const NO_CLOSE: &str =
    "a WebSocket ends with a close frame (RFC 6455, 7.1): an end without one is the same error wherever it comes.";
const UNCLOSED: &str = "a body without its closing boundary is the same error wherever it ends.";
const FROM_START: &str = "for every chunk it looks for the end of the unfinished message from its first byte again.";
const UNKNOWN_TYPE: &str = "a value of no known type is an unexpected end of the stream when its first byte is alone in a read, and a parse error otherwise.";
const A_REPLY: &str = "`parse_value` waits for a value: an end of the stream is the same error wherever it comes.";
const READ_BEFORE_ERROR: &str = "what was decoded of a chunk is not given out when an error is in the same chunk, as with everything that implements `Read`.";

/// The entry with what is known of it.
pub fn known(entry: Entry) -> Entry {
    match entry.name {
        // Lines.
        "tokio-util 0.3.1 LinesCodec" => entry
            .fails([Total], "an error about UTF-8 at the end of the stream leaves `next_index` where it was, and the next call indexes behind the buffer (tokio-rs/tokio#7011).")
            .fails([Split], "a line that is too long is refused again whenever it is asked for before new bytes come (tokio-rs/tokio#3555).")
            .fixed_in("tokio-util 0.6.10 LinesCodec", [Split]),
        "tokio-util 0.6.10 LinesCodec" => entry
            .fails([Total], "an error about UTF-8 at the end of the stream leaves `next_index` where it was, and the next call indexes behind the buffer (tokio-rs/tokio#7011).")
            .fixed_in("tokio-util 0.7.20 LinesCodec", [Total]),
        "tokio-util 0.7.20 LinesCodec" => {
            entry.documented([RoundTrip], "a line that ends in a carriage return cannot be written: `\\r\\n` ends a line too.")
        }
        "csv-core 0.1.13" => entry.fails(
            [Split],
            "a byte order mark is stripped only when all three bytes of it are in the first read; a first read of exactly these three leaves an empty input, which is taken for the end of the data.",
        ),
        // Lengths.
        "tokio-util 0.3.1 LengthDelimitedCodec"
        | "tokio-util 0.7.20 LengthDelimitedCodec"
        | "tokio-util 0.7.20 FramedRead, polled on" => entry.fails(
            [End],
            "`decode` takes the length off the buffer into its state, and the default `decode_eof` looks only whether the buffer is empty: a stream that ends behind a length is a clean end.",
        ),
        "futures_codec 0.3.4 LengthCodec" => entry
            .fails([Total, Split, Coalesce, Quiet, Alone], "`get_u64` takes the length off the buffer before the body is there, and `len - 8` then underflows or the length is lost (matthunz/futures-codec#34).")
            .fixed_in("futures_codec 0.4.1 LengthCodec", [Total, Split, Coalesce, Quiet, Alone]),
        "unsigned-varint 0.8.0 UviBytes" => entry.fails(
            [End],
            "`UviBytes::decode` takes the length off the buffer into its state, and the default `decode_eof` looks only whether the buffer is empty.",
        ),
        "tokio-netstring 0.1.3" => entry
            .fails([Total], "the position of the first comma is taken for the length of what is behind the colon: the slice goes past the part that was split off.")
            .fails([Linear], "each call prints all that is in the buffer."),
        "ldap3_proto 0.9.0" => entry.fails(
            [Split, Coalesce],
            "the limit is compared with all that lies in the buffer before a message is looked for (`buf.len() > max_buf_size`): many short messages in one read are refused.",
        ),
        "postgres-protocol 0.6.12" => entry.fails(
            [Total],
            "`buf.reserve(total_len - buf.len())` takes a length of up to 4 GiB from the wire at its word.",
        ),
        "minifix 0.3.0" => entry.fails([Linear], "`find_complete_message` begins at the first byte of the buffer for every chunk."),
        "hl7-mllp-codec 0.4.0" => entry
            .fails([Total], "a footer in front of the header of a message is not looked out for: `advance` goes past what was split off.")
            .fails([End], "the bytes of an unfinished message are moved into the codec, and the default `decode_eof` sees an empty buffer.")
            .fails([Linear], "for every chunk all that there is is searched for a footer.")
            .documented([Split, Coalesce, Alone], "the default build takes it that there is one message on the wire at a time, and looks for the footer from the end of what it has; the feature `noncompliance` does not."),
        "easy-modbus 0.0.5 TCP server" => entry.fails(
            [Total, Split],
            "the head of 8 bytes is asked for and the rest is not: `copy_to_bytes` of a frame that is not all there panics.",
        ),
        "easy-modbus 0.0.5 RTU server" => entry.fails(
            [Total, Split, Quiet, End],
            "the first two bytes are taken off the buffer before it says `Ok(None)`, and are gone when it is asked again.",
        ),
        // Text.
        "vte 0.13.0" => entry.documented([End], NOT_TOLD),
        "vte 0.15.0" => entry
            .fails([Split, Prompt], "`advance_partial_utf8` fills up a character that was cut with up to three more bytes; when that window ends inside the next character it prints the first character only, and counts all valid bytes as used: what is between is lost. A regression: version 0.13.0 keeps the laws.")
            .fixed_in("vte 0.13.0", [Split, Prompt])
            .documented([End], NOT_TOLD),
        "base64 0.22.1 DecoderReader" => entry.documented([Split], READ_BEFORE_ERROR),
        "ppp 2.3.0" => entry.fails(
            [Split],
            "a text header that ends in front of its last port is an error that is not incomplete, though `is_incomplete` is documented to tell when to read more.",
        ),
        "snap 1.0.0" => entry
            .fails([Total], "the length of a chunk is used without a look whether it is at least 4, the size of its checksum (BurntSushi/rust-snappy#29; put right in 1.0.1, which cannot be in one lock file with it).")
            .fails([End], "a stream that ends inside the head of a chunk is taken for one that ends before it."),
        // HTTP and its kin.
        "lsp-codec 0.3.0" => entry
            .fails([Total], "`expect(\"invalid utf8 data\")` on bytes from the wire.")
            .fails([Split, Prompt], "the search goes on from where it stopped by pairs of bytes: a carriage return that ends a chunk is never seen with its line feed.")
            .fails([End], "header lines are taken off the buffer into the state, and the default `decode_eof` sees an empty buffer."),
        "lsp-server-tokio 0.4.0" => entry
            .fails([End], "the head is taken off the buffer into `content_length`, and the default `decode_eof` sees an empty buffer.")
            .fails([Linear], FROM_START),
        // Multipart.
        "mpart-async 0.4.0" => entry
            .fails([Awake, Quiet, Split], "a first chunk that is shorter than the boundary is answered with `Pending` though the body was `Ready`: nobody is left to wake the task.")
            .fails([Total, Coalesce], "an empty part is given out for ever.")
            .fixed_in("mpart-async 0.7.0", [Awake, Quiet, Total, Coalesce])
            .fails([End], "a stream that ends behind a boundary is a clean end."),
        "mpart-async 0.7.0" => entry
            .documented([Split], "what of a body is given out in front of an end that is an error depends on the cuts; whole bodies do not.")
            .documented([End], UNCLOSED),
        "multer 3.1.0" => entry.documented([End], UNCLOSED),
        "multipart-stream 0.1.2" => entry,
        // Server-sent events.
        "eventsource-stream 0.2.3" => entry
            .fails([Total, Split], "a byte order mark is skipped as if it were one byte long, `&string[1..]`, and is three.")
            .fails([Linear], "an unfinished line is parsed from its first byte for every chunk.")
            .documented([End], DROPPED),
        "sse-stream 0.1.4" => entry
            .fails([Split], "a line whose carriage return ends a chunk is taken for ended, and the line feed in the next chunk for an empty line, which ends the event.")
            .fails([Linear], "an unfinished line is copied for every chunk.")
            .fixed_in("sse-stream 0.3.0", [Split, Linear])
            .documented([End], DROPPED),
        "sse-stream 0.3.0" | "sse-codec 0.3.2" => entry.documented([End], DROPPED),
        "async-sse 5.1.0" => entry
            .fails([Split], "a line whose carriage return ends a chunk is taken for ended, and the line feed in the next chunk for an empty line, which ends the event.")
            .documented([End], DROPPED),
        "tokio_sse_codec 0.0.2" => entry
            .fails([Split, Prompt], "in the state behind a line, `src[1]` is looked at for the line feed behind a carriage return; when it is not there yet, the carriage return is taken for a field.")
            .fails([Quiet], "a `retry` that is no number is answered with `Ok(None)` though there is more in the buffer: whoever drives it waits for bytes that it does not need.")
            .documented([End], DROPPED),
        // WebSocket.
        "tungstenite 0.30.0" | "soketto 0.8.1" | "fastwebsockets 0.10.0" | "fastwebsockets 0.10.0 FragmentCollector" => {
            entry.documented([End], NO_CLOSE)
        }
        "websocket-codec 0.5.2" => entry
            .fails([Total], "`src.reserve(frame_len.min(0x4000_0000) + 512)` for a length from the wire: a head of ten bytes asks for a GiB.")
            .fails([End], "the first fragments of a message are moved into the codec, and the default `decode_eof` sees an empty buffer."),
        // XML.
        "quick-xml 0.25.0" => entry
            .fails([Split], "what of a `<!DOCTYPE` is before the end of a chunk is not kept for the next.")
            .fails([End], "a `<` that nothing follows is taken for nothing.")
            .fixed_in("quick-xml 0.42.0", [Split, End]),
        "quick-xml 0.34.0" => entry
            .fails([Prompt, Split], "text that ends where a chunk ends is skipped, and with it what follows (tafia/quick-xml#774).")
            .fixed_in("quick-xml 0.35.0", [Prompt]),
        "quick-xml 0.35.0" => entry
            .fails([Split], "what of a `<!DOCTYPE` is before the end of a chunk is not kept for the next.")
            .fixed_in("quick-xml 0.42.0", [Split]),
        "quick-xml 0.39.1" => entry
            .fails([Split], "a `<` that ends a chunk is taken for markup that never ends (tafia/quick-xml#939).")
            .fixed_in("quick-xml 0.42.0", [Split]),
        // JSON.
        "asynchronous-codec 0.7.0 JsonCodec" => entry
            .fails([Split], "a number at the end of a buffer is taken for a whole one; that serde_json has values delimit themselves is documented there, and not here.")
            .fails([Linear], "an unfinished value is parsed from its first byte for every chunk."),
        "asynchronous-codec 0.7.0 JsonCodec, polled on" => entry
            .fails([Total, Split], "`FramedRead` does not end with the first error of its decoder, and the decoder takes no byte: it is polled for the same error for ever (tokio-util had the same until 0.6.9, tokio-rs/tokio#4166).")
            .fails([Linear], "an unfinished value is parsed from its first byte for every chunk."),
        "jsonrpc-server-utils 18.0.0 brackets" => entry
            .fails([Split, Quiet], "a message that is no text is answered with `Ok(None)` though there is more in the buffer.")
            .fails([Linear], FROM_START),
        "jsonrpc-server-utils 18.0.0 lines" => entry.fails([Linear], FROM_START),
        // Redis.
        "redis-protocol 6.0.0 Resp2" => entry
            .fails([Total], "arrays in arrays are parsed by recursion, of any depth: 64 KiB of them overflow a stack of 1 MiB.")
            .fails([Linear], FROM_START),
        "redis-protocol 6.0.0 Resp3" => entry
            .fails([Total], "arrays in arrays are parsed by recursion, of any depth: 64 KiB of them overflow a stack of 1 MiB.")
            .fails([Split, Coalesce, Quiet, Alone], "the head of a streamed value is put into the codec and answered with `Ok(None)`, though the rest is in the buffer already.")
            .fails([End], "the head of a streamed value is put into the codec, and the default `decode_eof` sees an empty buffer.")
            .fails([Linear], FROM_START),
        "beyond-resp 0.1.1" => entry.fails(
            [Split, Coalesce, End, Alone],
            "the limit of a frame is compared with all that lies in the buffer: frames that are within it are refused when they come together.",
        ),
        "resp-rs 0.3.0 RESP 2" | "resp-rs 0.3.0 RESP 3" => entry.fails([Linear], FROM_START),
        "redis 0.21.5" => entry
            .fails([Total], "arrays in arrays are parsed by recursion, of any depth (redis-rs/redis-rs#724).")
            .fixed_in("redis 0.22.3", [Total])
            .fails([Split], UNKNOWN_TYPE)
            .fails([Linear], FROM_START)
            .documented([End], A_REPLY),
        "redis 0.22.3" => {
            entry.fails([Split], UNKNOWN_TYPE).fails([Linear], FROM_START).documented([End], A_REPLY)
        }
        "resp 1.0.3" => entry.fails([Total], "arrays in arrays are parsed by recursion, of any depth: 64 KiB of them overflow a stack of 1 MiB."),
        // MQTT.
        "mqttbytes 0.6.0 v5" => entry.fails(
            [Quiet],
            "an error inside a packet that is all there is the same `InsufficientBytes` that asks for more, and the packet is off the buffer by then: a malformed packet is swallowed, and what follows waits for more bytes.",
        ),
        "mqtt-v5 0.1.1" => entry.fails([Total], "the multiplier of a variable length is multiplied once more before it is looked at."),
        "mqttrs 0.4.1" => entry.fails(
            [Total, Split],
            "the fields of a packet are read from all that is in the buffer, and not from the packet: a topic that is longer than its packet reads the next one, or panics.",
        ),
        "mqtt-frame 0.1.5" => entry.fails([Total], "fields are taken with `bytes::Buf`, which panics, and nobody asks before whether they are there."),
        // Queues.
        "ironmq-codec 0.1.1" => entry.fails(
            [Total, Split],
            "the head of 8 bytes is asked for and the body is not: `split_to` of a frame that is not all there panics.",
        ),
        "tokio-stomp 0.4.0" => entry
            .fails([Split], "the line feed that may follow a frame is eaten only when it is in the buffer already: otherwise an end of the stream behind it is an error.")
            .fails([Linear], "the end of the head is looked for from its first byte for every chunk, with a list of every byte in front of it."),
        "iridium-stomp 0.3.2" => entry
            .fails([Total], "`pos + content_len + 1` with a `content-length` from the wire.")
            .fails([Split], "the line feed that may follow a frame is eaten only when it is in the buffer already, and is a heartbeat otherwise.")
            .fails([Linear], FROM_START)
            .fixed_in("iridium-stomp 0.6.0", [Total]),
        "iridium-stomp 0.6.0" => entry
            .fails([Split], "the line feed that may follow a frame is eaten only when it is in the buffer already, and is a heartbeat otherwise.")
            .fails([Linear], FROM_START),
        // Mail.
        "imap-codec 0.10.0 client" => entry
            .fails([Coalesce, Prompt, Quiet], "where a literal is announced it changes its state and says `Ok(None)`, though the literal is in the buffer already.")
            .fails([Linear], FROM_START),
        "imap-codec 0.10.0 server" => entry.fails([Linear], FROM_START),
        "mailrs-imap-codec 1.1.0 literals" => entry
            .fails([Split], "the line end behind a literal is eaten only when it is in the buffer already, and is an empty line otherwise.")
            .fails([Linear], FROM_START),
        "mailrs-smtp-codec 1.0.2 commands" => entry.fails(
            [Split],
            "the limit of a line is looked at only while its end is not there: a longer line passes when it comes at once; otherwise the buffer is cleared, and the rest of the line is the next command.",
        ),
        "mailrs-smtp-codec 1.0.2 data" => entry.fails(
            [Split, Coalesce],
            "the limit of a message is compared with all that lies in the buffer, with the commands behind the message.",
        ),
        // Telnet.
        "libtelnet-rs 2.0.0" => entry
            .fails([Split], "an IAC that ends a chunk is forgotten, and its command is data (not so in its fork libmudtelnet).")
            .fails([Coalesce, Alone], "data behind an escaped IAC is lost, unless another chunk begins there.")
            .documented([End], NOT_TOLD),
        "libmudtelnet 2.0.2" => entry
            .fails([Split, Coalesce, Alone], "data behind an escaped IAC is lost, unless another chunk begins there.")
            .fails([Linear], "an unfinished subnegotiation is put back and looked through from its first byte for every chunk.")
            .documented([End], NOT_TOLD),
        "nectar 0.4.0" => entry
            .fails([Total, Prompt], "`if *byte_index > buffer.len()` lets the index be the length, one behind the last byte of an unfinished subnegotiation.")
            .fails([Split, Quiet], "an unfinished line is put into the codec and stays in the buffer too, and is there twice when the rest comes.")
            .fails([End, Alone], "a command without an option stays in the buffer until something follows it, and an end of the stream there is an error.")
            .fails([Linear], "an unfinished line is put into the codec again for every chunk."),
        "telnet-codec 0.1.0" => entry
            .fails([Bounded], "the limit that it is told is kept and never looked at.")
            .fails([Linear], FROM_START),
        // Serial lines.
        "slip-codec 0.4.0" => entry
            .fails([Split], "the limit is counted anew in each call: a packet that comes in two reads may be twice as long.")
            .fails([End], "the bytes of an unfinished packet are moved into the codec, and the default `decode_eof` sees an empty buffer."),
        "serial-line-ip 0.5.0"
        | "pamoja-serial 0.2.0 SLIP"
        | "pamoja-serial 0.2.0 COBS"
        | "cobs_codec_rs 1.3.0"
        | "uf-crsf 0.7.0"
        | "sbus-rs 0.1.3"
        | "ld2450-proto 0.2.0"
        | "ublox 0.10.0" => entry.documented([End], NOT_TOLD),
        "cobs_codec_rs 1.3.0 with a limit" => entry
            .documented([Split], "`max_frame_len` is documented as a bound of what is buffered of a frame that has not ended: the same frame passes when it comes at once. (That the rest of a refused frame is then decoded as another one is not.)")
            .documented([End], NOT_TOLD),
        "postcard 1.2.0 CobsAccumulator" => entry
            .fails([Split], "when it is full and no zero is in sight it forgets that it is inside a frame: the rest of a frame that is too long is read as another one.")
            .documented([End], NOT_TOLD),
        "crsf 2.0.1" => entry
            .fails([Split, Coalesce, Alone], "`next_raw_packet` takes the longest packet off its buffer, 64 bytes, however long the packet is: what came behind it in the same chunk is gone.")
            .documented([End], NOT_TOLD),
        "midly 0.5.3" => entry.documented([End], "`flush` gives out what is a message so far; a status byte without data is none."),
        "atat 0.25.0" => entry.fails(
            [Split, Coalesce],
            "a data prompt is seen only at the very end of what there is, and then everything in front of it is taken for part of it; final responses are looked for in all that there is, and not from its start.",
        ),
        _ => entry,
    }
}
