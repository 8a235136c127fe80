//! Text protocols: the places where their framing is easily wrong, and hostile input.

use enjamb::Side::{self, Client, Server};
use enjamb::{Ending, Session};
use enjamb_protocols::Registry;

fn open(protocol: &str) -> Box<dyn Session> {
    Registry::builtin().resolve(protocol).unwrap().session(None)
}

/// Returns the messages of a whole conversation, in order. Every cut of it gives the same ones.
#[track_caller]
fn messages(protocol: &str, chunks: &[(Side, &[u8])]) -> Vec<String> {
    let whole = play(protocol, chunks, usize::MAX);
    for size in [1, 2, 3, 7] {
        assert_eq!(play(protocol, chunks, size), whole, "in chunks of {size}");
    }
    whole
}

fn play(protocol: &str, chunks: &[(Side, &[u8])], size: usize) -> Vec<String> {
    let mut session = open(protocol);
    let mut lines = Vec::new();
    let mut out = |message: &enjamb::Message<'_>| lines.push(message.to_owned().to_string());
    for (side, bytes) in chunks {
        for chunk in bytes.chunks(size) {
            session.feed(*side, chunk, &mut out);
        }
    }
    session.close(Client, Ending::Closed, &mut out);
    session.close(Server, Ending::Closed, &mut out);
    lines
}

#[track_caller]
fn assert_messages(protocol: &str, chunks: &[(Side, &[u8])], expected: &[&str]) {
    assert_eq!(messages(protocol, chunks), expected);
}

#[test]
fn a_reply_of_pop3_has_the_lines_that_its_command_asked_for() {
    assert_messages(
        "pop3",
        &[
            (Server, b"+OK <1.2@a>\r\n"),
            (Client, b"RETR 1\r\nDELE 1\r\nRETR 2\r\nLIST 2\r\n"),
            (Server, b"+OK 9 octets\r\n+OK\r\n..\r\n.x\r\n.\r\n+OK\r\n-ERR gone\r\n+OK 2 9\r\n"),
        ],
        &[
            "server greeting at 0+13 ok +OK: greeting +OK <1.2@a>",
            "client RETR at 0+8 ok: RETR 1",
            "client DELE at 8+8 ok: DELE 1",
            "client RETR at 16+8 ok: RETR 2",
            "client LIST at 24+8 ok: LIST 2",
            "server reply at 13+30 ok +OK answers #0: reply +OK 9 octets",
            "server reply at 43+5 ok +OK answers #1: reply +OK",
            "server reply at 48+11 failed -ERR answers #2: reply -ERR gone",
            "server reply at 59+9 ok +OK answers #3: reply +OK 2 9",
        ],
    );
}

#[test]
fn a_literal_of_imap_may_contain_lines_that_look_like_responses() {
    assert_messages(
        "imap",
        &[
            (Client, b"a1 APPEND x {29+}\r\n* 1 FETCH\r\na1 OK\r\n{5}\r\n123456\r\na2 FETCH 1 BODY[]\r\n"),
            (Server, b"a1 OK done\r\n* 1 FETCH (BODY[] {10}\r\n* OK {7}\r\n)\r\na2 OK done\r\n"),
        ],
        &[
            "client APPEND at 0+50 ok: APPEND x {29+}",
            "client FETCH at 50+19 ok: FETCH 1 BODY[]",
            "server response at 0+12 ok OK answers #0: response OK done",
            "server FETCH at 12+37 ok: FETCH 1",
            "server response at 49+12 ok OK answers #1: response OK done",
        ],
    );
}

#[test]
fn a_literal_of_imap_that_the_server_refuses_is_not_awaited() {
    assert_messages(
        "imap",
        &[
            (Client, b"a1 APPEND x {5}\r\n"),
            (Server, b"a1 NO [TRYCREATE] no\r\n"),
            (Client, b"a2 APPEND y {5}\r\n"),
            (Server, b"+ go\r\n"),
            (Client, b"a\r\n\r\nb {3}\r\n"),
            (Server, b"+ go\r\n"),
            (Client, b"* x\r\na3 NOOP\r\n"),
            (Server, b"a2 OK\r\na3 OK\r\n"),
        ],
        &[
            "client APPEND at 0+17 ok: APPEND x {5}",
            "server response at 0+22 failed NO answers #0: response NO [TRYCREATE] no",
            "client APPEND at 17+17 ok: APPEND y {5}",
            "server continuation at 22+6 ok answers #1: continuation",
            "client literal at 34+12 ok: literal",
            "server continuation at 28+6 ok answers #2: continuation",
            "client literal at 46+5 ok: literal",
            "client NOOP at 51+9 ok: NOOP",
            "server response at 34+7 ok OK answers #3: response OK",
            "server response at 41+7 ok OK answers #4: response OK",
        ],
    );
}

#[test]
fn the_lines_behind_authenticate_and_idle_belong_to_their_commands() {
    assert_messages(
        "imap",
        &[
            (Client, b"a1 AUTHENTICATE PLAIN\r\n"),
            (Server, b"+ \r\n"),
            (Client, b"c2VjcmV0\r\n"),
            (Server, b"a1 OK in\r\n"),
            (Client, b"a2 IDLE\r\n"),
            (Server, b"+ idling\r\n* 4 EXISTS\r\n"),
            (Client, b"DONE\r\na3 NOOP\r\n"),
            (Server, b"a2 OK done\r\na3 OK done\r\n"),
        ],
        &[
            "client AUTHENTICATE at 0+23 ok: AUTHENTICATE PLAIN",
            "server continuation at 0+4 ok answers #0: continuation",
            "client authentication at 23+10 ok: authentication",
            "server response at 4+10 ok OK answers #1: response OK in",
            "client IDLE at 33+9 ok: IDLE",
            "server continuation at 14+10 ok answers #2: continuation",
            "server EXISTS at 24+12 ok: EXISTS 4",
            "client DONE at 42+6 ok: DONE",
            "client NOOP at 48+9 ok: NOOP",
            "server response at 36+12 ok OK answers #3: response OK done",
            "server response at 48+12 ok OK answers #4: response OK done",
        ],
    );
}

#[test]
fn lines_of_a_reply_of_ftp_may_begin_with_other_codes() {
    assert_messages(
        "ftp",
        &[
            (Server, b"220-hi\r\n331 x\r\n220-\r\n220 FTP\r\n"),
            (Client, b"RETR a\r\n"),
            (Server, b"150 comes\r\n226 done\r\n"),
            (Client, b"\xff\xf4\xff\xf2ABOR\r\nPASS a b\r\n"),
            (Server, b"225 none\r\n530 no\r\n"),
        ],
        &[
            "server greeting at 0+30 ok 220: greeting 220 hi",
            "client RETR at 0+8 ok: RETR a",
            "server reply at 30+11 ok 150 answers #0: reply 150 comes",
            "server reply at 41+10 ok 226 answers #0: reply 226 done",
            "client ABOR at 8+10 ok: ABOR",
            "client PASS at 18+10 ok: PASS",
            "server reply at 51+10 ok 225 answers #1: reply 225 none",
            "server reply at 61+8 failed 530 answers #2: reply 530 no",
        ],
    );
}

#[test]
fn a_pong_of_irc_answers_the_ping_with_its_text() {
    assert_messages(
        "irc",
        &[
            (Server, b":s 001 me :hi\r\nPING :a b\r\n:s 433 * me :used\r\n"),
            (Client, b"PONG :a b\r\n@t=1 :me!u@h PRIVMSG #c :x :y\r\nPASS secret\r\n"),
        ],
        &[
            "server numeric at 0+15 ok 001: numeric 001 hi",
            "server PING at 15+11 ok: PING a b",
            "server numeric at 26+19 failed 433: numeric 433 me",
            "client PONG at 0+11 ok answers #1: PONG a b",
            "client PRIVMSG at 11+31 ok: PRIVMSG #c",
            "client PASS at 42+13 ok: PASS",
        ],
    );
}

#[test]
fn a_value_of_memcached_may_contain_replies() {
    assert_messages(
        "memcached",
        &[
            (Client, b"set a 0 0 8\r\nEND\r\nget\r\nset b 0 0 1 noreply\r\nx\r\nget a b\r\nincr n 1\r\nget c\r\n"),
            (Server, b"STORED\r\nVALUE a 0 5\r\nEND\r\n\r\nVALUE b 0 1 9\r\nx\r\nEND\r\n8\r\nSERVER_ERROR oops\r\n"),
        ],
        &[
            "client set at 0+23 ok: set a",
            "client set at 23+24 ok: set b",
            "client get at 47+9 ok: get a",
            "client incr at 56+10 ok: incr n",
            "client get at 66+7 ok: get c",
            "server STORED at 0+8 ok answers #0: STORED",
            "server VALUE at 8+20 ok answers #2: VALUE a",
            "server VALUE at 28+18 ok answers #2: VALUE b",
            "server END at 46+5 ok answers #2: END",
            "server number at 51+3 ok answers #3: number 8",
            "server SERVER_ERROR at 54+19 failed SERVER_ERROR answers #4: SERVER_ERROR oops",
        ],
    );
}

#[test]
fn quiet_commands_of_memcached_have_no_answers() {
    assert_messages(
        "memcached",
        &[
            (Client, b"mg a q v\r\nmg b q v\r\nmn\r\nmg c v\r\nmg d v O7\r\n"),
            (Server, b"VA 1\r\nx\r\nMN\r\nEN\r\nEN O7\r\n"),
        ],
        &[
            "client mg at 0+10 ok: mg a",
            "client mg at 10+10 ok: mg b",
            "client mn at 20+4 ok: mn",
            "client mg at 24+8 ok: mg c",
            "client mg at 32+11 ok: mg d",
            "server VA at 0+9 ok: VA",
            "server MN at 9+4 ok answers #2: MN",
            "server EN at 13+4 ok answers #3: EN",
            "server EN at 17+7 ok answers #4: EN",
        ],
    );
}

#[test]
fn a_payload_of_nats_may_contain_messages() {
    assert_messages(
        "nats",
        &[
            (Server, b"INFO {\"server_id\":\"a\"}\r\n"),
            (Client, b"CONNECT {\"pass\":\"secret\"}\r\nPUB a.b _INBOX.x 8\r\n\r\nPING\r\n\r\nPING\r\n"),
            (Server, b"PONG\r\nMSG _INBOX.x 1 0\r\n\r\n-ERR 'Unknown Subject'\r\n"),
        ],
        &[
            "server INFO at 0+24 ok: INFO",
            "client CONNECT at 0+27 ok: CONNECT",
            "client PUB at 27+30 ok: PUB a.b",
            "client PING at 57+6 ok: PING",
            "server PONG at 24+6 ok answers #2: PONG",
            "server MSG at 30+20 ok answers #1: MSG _INBOX.x",
            "server -ERR at 50+24 failed Unknown Subject: -ERR Unknown Subject",
        ],
    );
}

#[test]
fn responses_of_sip_are_found_by_call_and_number() {
    assert_messages(
        "sip",
        &[
            (Client, b"INVITE sip:a@b SIP/2.0\r\ni: 7\r\nCSeq: 1 INVITE\r\nl: 4\r\n\r\n\r\n\r\n\r\n\r\nOPTIONS sip:b SIP/2.0\r\nCSeq: 2 OPTIONS\r\nCall-ID: 7\r\n\r\n"),
            (Server, b"SIP/2.0 200 OK\r\nCall-ID: 7\r\nCSeq: 2 OPTIONS\r\n\r\nSIP/2.0 180 Ringing\r\nCall-ID:7\r\nCSeq: 1\tINVITE\r\n\r\nSIP/2.0 486 Busy\r\nCall-ID: 7\r\nCSeq: 1 INVITE\r\n\r\n"),
        ],
        &[
            "client INVITE at 0+58 ok: INVITE sip:a@b",
            "client keep-alive at 58+2 ok: keep-alive",
            "client keep-alive at 60+2 ok: keep-alive",
            "client OPTIONS at 62+54 ok: OPTIONS sip:b",
            "server response at 0+47 ok 200 answers #3: response 200 OK",
            "server response at 47+50 ok 180 answers #0: response 180 Ringing",
            "server response at 97+48 failed 486 answers #0: response 486 Busy",
        ],
    );
}

#[test]
fn binary_data_goes_between_the_messages_of_rtsp() {
    assert_messages(
        "rtsp",
        &[
            (Client, b"PLAY rtsp://a/b RTSP/1.0\r\nCSeq: 3\r\n\r\n"),
            (Server, b"$\0\0\x04RTSP$\x01\0\0RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 1\r\n\r\n$$\x02\0\x01\n"),
        ],
        &[
            "client PLAY at 0+37 ok: PLAY rtsp://a/b",
            "server interleaved at 0+8 ok: interleaved 0",
            "server interleaved at 8+4 ok: interleaved 1",
            "server response at 12+48 ok 200 answers #0: response 200 OK",
            "server interleaved at 60+5 ok: interleaved 2",
        ],
    );
}

#[test]
fn a_counted_body_of_stomp_may_contain_its_end() {
    assert_messages(
        "stomp",
        &[
            (Client, b"SEND\ndestination:/q\nreceipt:1\ncontent-length:5\n\na\0\n\nb\0\nSEND\ndestination:/r\n\nhi\0"),
            (Server, b"\nRECEIPT\nreceipt-id:1\n\n\0ERROR\nmessage:bad\n\n\0"),
        ],
        &[
            "client SEND at 0+54 ok: SEND /q",
            "client heart-beat at 54+1 ok: heart-beat",
            "client SEND at 55+24 ok: SEND /r",
            "server heart-beat at 0+1 ok: heart-beat",
            "server RECEIPT at 1+23 ok answers #0: RECEIPT",
            "server ERROR at 24+20 failed ERROR: ERROR bad",
        ],
    );
}

#[test]
fn markup_in_quotes_and_comments_ends_no_stanza_of_xmpp() {
    assert_messages(
        "xmpp",
        &[
            (Client, b"<?xml version='1.0'?> <stream:stream to='h' a='>'><iq type='set' id='a'><!-- </iq> > --><x y='</iq>'/><iq><![CDATA[</iq>]>]]></iq></iq> <message to=\"b\"/></stream:stream>"),
            (Server, b"<stream:stream from='h'><iq id='a' type='error'><error type='auth'><forbidden/></error></iq>"),
        ],
        &[
            "client stream at 0+50 ok: stream h",
            "client iq at 50+85 ok: iq set",
            "client whitespace at 135+1 ok: whitespace",
            "client message at 136+17 ok: message b",
            "client stream-end at 153+16 ok: stream-end",
            "server stream at 0+24 ok answers #0: stream h",
            "server iq at 24+68 failed forbidden answers #1: iq forbidden error",
        ],
    );
}

#[test]
fn end_tags_of_xmpp_fit_their_start_tags() {
    let lines = messages("xmpp", &[(Client, b"<iq id='1'><a></b></iq><presence/>")]);
    assert_eq!(lines[0], "client iq at 0+18 malformed (an end tag does not fit its start tag): iq", "{lines:?}");
    assert_eq!(lines.last().unwrap(), "client presence at 23+11 ok: presence", "{lines:?}");
    let deep = "<a>".repeat(100_000);
    let lines = messages("xmpp", &[(Client, deep.as_bytes())]);
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[test]
fn data_of_telnet_ends_before_a_command() {
    assert_messages(
        "telnet",
        &[
            (Server, b"\xff\xfd\x18hi\r\nlogin: \xff\xfb\x01\xff\xfa\x18\x01\xff\xff\xff\xf0pass"),
            (Client, b"\xff\xfb\x18root\r\0se\xff\xffcret\r\n\xff\xf1"),
        ],
        &[
            "server DO at 0+3 ok: DO TERMINAL-TYPE",
            "server data at 3+4 ok: data hi",
            "server data at 7+7 ok: data login: ",
            "server WILL at 14+3 ok: WILL ECHO",
            "server SB at 17+8 ok: SB TERMINAL-TYPE",
            "client WILL at 0+3 ok: WILL TERMINAL-TYPE",
            "client data at 3+6 ok: data",
            "client data at 9+2 ok: data",
            "client data at 11+8 ok: data",
            "client NOP at 19+2 ok: NOP",
            "server data at 25+4 ok: data pass",
        ],
    );
}

#[test]
fn each_side_of_ssh_is_encrypted_behind_its_own_newkeys() {
    const KEXINIT: &[u8] = b"\0\0\0\x0c\x0a\x14\0\0\0\0\0\0\0\0\0\0";
    const NEWKEYS: &[u8] = b"\0\0\0\x0c\x0a\x15\0\0\0\0\0\0\0\0\0\0";
    assert_messages(
        "ssh",
        &[
            (Server, b"welcome\r\nSSH-2.0-b\r\n"),
            (Client, b"SSH-2.0-a\r\n"),
            (Client, KEXINIT),
            (Client, NEWKEYS),
            (Client, b"????"),
            (Server, KEXINIT),
            (Server, b"\xff\xff\xff\xff\x0a!!!"),
        ],
        &[
            "server line at 0+9 ok: line welcome",
            "server version at 9+11 ok: version SSH-2.0-b",
            "client version at 0+11 ok: version SSH-2.0-a",
            "client KEXINIT at 11+16 ok: KEXINIT",
            "client NEWKEYS at 27+16 ok: NEWKEYS",
            "server KEXINIT at 20+16 ok: KEXINIT",
            "server packet at 36+5 malformed (the length of a packet is impossible): packet",
            "client opaque at 43+4 ok: not parsed",
            "server unparsed at 41+3 incomplete (after a malformed message): not parsed",
        ],
    );
}

#[test]
fn an_acknowledgement_of_hl7_answers_by_control_id() {
    assert_messages(
        "hl7",
        &[
            (Client, b"\x0bMSH|^~\\&|a|b|c|d|1||ADT^A01|17|P|2.3\rPID|1|\x1c|\r\x1c\r"),
            (Server, b"\x0bMSH|^~\\&|a|b|c|d|1||ACK^A01|1|P|2.3\rMSA|AE|17|no\r\x1c\r"),
        ],
        &["client ADT at 0+49 ok: ADT A01", "server ACK at 0+52 failed AE answers #0: ACK AE A01"],
    );
}

#[test]
fn lengths_and_checksums_of_fix_are_verified() {
    let lines = messages(
        "fix",
        &[
            (Client, b"8=FIX.4.2\x019=12\x0135=1\x01112=ab\x0110=101\x01"),
            (Client, b"8=FIX.4.2\x019=12\x0135=1\x01112=ac\x0110=101\x01"),
            (Server, b"8=FIX.4.2\x019=12\x0135=0\x01112=ab\x0110=100\x01"),
            (Client, b"8=FIX.4.2\x019=11\x0135=1\x01112=ab\x0110=108\x018=FIX.4.2\x019=5\x0135=0\x0110=161\x01"),
        ],
    );
    assert_eq!(lines[0], "client TestRequest at 0+34 ok: TestRequest");
    assert_eq!(lines[1], "client TestRequest at 34+34 malformed (the checksum is wrong): TestRequest");
    assert_eq!(lines[2], "server Heartbeat at 0+34 ok answers #0: Heartbeat");
    assert_eq!(
        lines[3],
        "client TestRequest at 68+33 malformed (a message does not end where its length says): TestRequest"
    );
    assert_eq!(lines.last().unwrap(), "client Heartbeat at 102+26 ok: Heartbeat", "{lines:?}");
}

#[test]
fn impossible_lengths_and_endless_heads_cost_bounded_memory() {
    let huge = "18446744073709551615";
    let repeated: &[(&str, Side, String, &str)] = &[
        ("pop3", Client, "USER ".to_owned(), "a"),
        ("imap", Client, format!("a1 APPEND x {{{huge}+}}\r\n"), "a"),
        ("imap", Client, "a1 X {99999999999999999999999+}\r\n".to_owned(), "a1 X {0+}\r\n"),
        ("imap", Server, "* 1 FETCH (".to_owned(), "x {1}\r\n"),
        ("ftp", Server, "220-\r\n".to_owned(), "x\r\n"),
        ("irc", Client, "@".to_owned(), "a"),
        ("memcached", Client, format!("set a 0 0 {huge}\r\n"), "a"),
        ("memcached", Client, "get ".to_owned(), "key "),
        ("memcached", Client, "\u{80}".to_owned(), "\0"),
        ("nats", Client, format!("PUB a {huge}\r\n"), "a"),
        ("sip", Client, format!("INVITE sip:a SIP/2.0\r\nCSeq: 1 INVITE\r\nContent-Length: {huge}\r\n\r\n"), "a"),
        ("sip", Client, "INVITE sip:a SIP/2.0\r\n".to_owned(), "a: b\r\n"),
        ("rtsp", Server, "RTSP/1.0 200 OK\r\n".to_owned(), "a: b\r\n"),
        ("stomp", Client, format!("SEND\ncontent-length:{huge}\n\n"), "a"),
        ("stomp", Client, "SEND\n".to_owned(), "a:b\n"),
        ("stomp", Client, "SEND\n\n".to_owned(), "a"),
        ("xmpp", Client, "<iq a='".to_owned(), ">"),
        ("xmpp", Client, "<iq><![CDATA[".to_owned(), "]"),
        ("xmpp", Client, "<iq>".to_owned(), "<a>b</a>"),
        ("telnet", Client, "\u{ff}".to_owned(), "a"),
        ("ssh", Client, "SSH-2.0-".to_owned(), "a"),
        ("ssh", Server, String::new(), "a\n"),
        ("hl7", Client, "\x0bMSH|".to_owned(), "|"),
        ("fix", Client, format!("8=FIX.4.2\x019={huge}\x01"), "a"),
        ("fix", Client, "8=FIX.4.2".to_owned(), "9"),
    ];
    for (protocol, side, beginning, more) in repeated {
        let mut session = open(protocol);
        session.feed(*side, beginning.as_bytes(), &mut |_| {});
        let chunk = more.repeat(4096);
        for _ in 0..64 {
            session.feed(*side, chunk.as_bytes(), &mut |_| {});
            assert!(session.held() <= 256 << 10, "{protocol} {beginning:?}: {}", session.held());
        }
        session.close(*side, Ending::Closed, &mut |_| {});
    }
}
