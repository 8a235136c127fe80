//! The laws for the protocols on the kit: each with conversations that its clients and servers
//! have.
//!
//! A protocol adds a block with some of its messages and their answers.

use enjamb::Session;
use enjamb_law::{Sessions, laws};
use enjamb_protocols::Registry;

/// Returns a constructor of sessions of a built-in protocol.
macro_rules! sessions {
    ($name:literal) => {
        sessions_of($name)
    };
}

/// Returns a constructor of sessions. It has one type for all protocols, so the laws are compiled
/// once.
fn sessions_of(name: &'static str) -> Sessions<impl Fn() -> Box<dyn Session> + Send + Sync + 'static> {
    let protocol = Registry::builtin().resolve(name).unwrap();
    Sessions(move || protocol.session(None))
}

laws! {
    mod mqtt {
        subject: sessions!("mqtt"),
        messages: [
            b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a",
            b"\x32\x08\0\x03a/b\0\x01x",
            b"\x82\x08\0\x02\0\x03a/b\0",
            b"\xc0\0",
            b"\x30\x05\0\x03a/b",
        ],
        answers: [b"\x20\x02\0\0", b"\x40\x02\0\x01", b"\x90\x03\0\x02\0", b"\xd0\0", b""],
        tokens: ["\x10", "\0\x04MQTT", "\u{80}", "\x01"],
        limit: 16 << 10,
        converses: true,
    }
}

laws! {
    mod smtp {
        subject: sessions!("smtp"),
        messages: [
            "EHLO a\r\n",
            "MAIL FROM:<a@b>\r\n",
            "BDAT 3\r\nabc",
            "BDAT 0 LAST\r\n",
            "NOOP\r\n",
            "DATA\r\n",
        ],
        answers: ["250-a\r\n250-PIPELINING\r\n250 STARTTLS\r\n", "250 ok\r\n", "250 3 bytes\r\n", "550 no\r\n", "250 ok\r\n", "503 no\r\n"],
        tokens: ["\r\n", ".\r\n", "354 ", "STARTTLS\r\n", "220 ", "250-", "AUTH PLAIN\r\n", "334 \r\n"],
        limit: 16 << 10,
        converses: true,
    }
}

laws! {
    mod pop3 {
        subject: sessions!("pop3"),
        messages: ["USER a\r\n", "PASS b\r\n", "LIST\r\n", "LIST 1\r\n", "RETR 1\r\n", "AUTH\r\n", "QUIT\r\n"],
        answers: [
            "+OK\r\n",
            "-ERR [AUTH] no\r\n",
            "+OK 2\r\n1 7\r\n..\r\n.\r\n",
            "+OK 1 7\r\n",
            "+OK\r\n+OK\r\n-ERR x\r\n.\r\n",
            "-ERR\r\n",
            "+OK\r\n",
        ],
        tokens: ["\r\n", ".\r\n", "+OK ", "STLS\r\n", "AUTH PLAIN\r\n", "+ \r\n", "CAPA\r\n", "-ERR "],
        limit: 32 << 10,
        converses: true,
    }
}

laws! {
    mod imap {
        subject: sessions!("imap"),
        messages: [
            "a1 CAPABILITY\r\n",
            "a2 LOGIN a {3+}\r\nb\r\n {0+}\r\n\r\n",
            "a3 UID FETCH 1:2 (FLAGS)\r\n",
            "a4 APPEND x ~{4+}\r\n* a\n\r\n",
            "a5 NOOP\r\n",
        ],
        answers: [
            "* CAPABILITY IMAP4rev1 IDLE\r\na1 OK done {3}\r\n",
            "a2 NO [AUTHENTICATIONFAILED] no\r\n",
            "* 1 FETCH (BODY[] {9}\r\n* a\r\na3 O FLAGS ())\r\n* 2 FETCH (X ~{0}\r\n)\r\na3 OK done\r\n",
            "a4 BAD no\r\n",
            "* 3 EXISTS\r\na5 OK done\r\n",
        ],
        tokens: ["\r\n", "{3}\r\n", "{18446744073709551616}\r\n", "+ \r\n", "a6 IDLE\r\n", "DONE\r\n", "a7 STARTTLS\r\n", "a8 AUTHENTICATE PLAIN\r\n", "a9 COMPRESS DEFLATE\r\n", "OK", "* "],
        limit: 512 << 10,
        converses: true,
    }
}

laws! {
    mod ftp {
        subject: sessions!("ftp"),
        messages: ["USER a\r\n", "PASS b\r\n", "LIST\r\n", "FEAT\r\n", "QUIT\r\n"],
        answers: [
            "331 ok\r\n",
            "230-hi\r\n 331 x\r\n230 in\r\n",
            "150 comes\r\n226 done\r\n",
            "211-Features:\r\n UTF8\r\n211 End\r\n",
            "421 no\r\n",
        ],
        tokens: ["\r\n", "230-", "230 ", "AUTH TLS\r\n", "234 ", "150 ", "\u{ff}"],
        limit: 32 << 10,
        converses: true,
    }
}

laws! {
    mod irc {
        subject: sessions!("irc"),
        messages: ["NICK a\r\n", "USER a 0 * :b c\r\n", "PING :x y\r\n", "@a=b;c :n!u@h PRIVMSG #c :hi\r\n", "MODE #c\n"],
        answers: [
            ":s 001 a :hi\r\n:s NOTICE a :x\r\n",
            ":s 433 * a :used\r\n",
            ":s PONG s :x y\r\n",
            "PING :z\r\n",
            "ERROR :bye\r\n",
        ],
        tokens: [" ", ":", "\r\n", "STARTTLS\r\n", ":s 670 a :go\r\n", ":s 691 a :no\r\n", "@"],
        limit: 32 << 10,
        converses: true,
    }
}

laws! {
    mod memcached {
        subject: sessions!("memcached"),
        messages: [
            "set a 0 0 3\r\n\r\n1\r\n",
            "get a b\r\n",
            "set a 0 0 0 noreply\r\n\r\n",
            "incr a 1\r\n",
            "mg a v Oq1\r\n",
            "ms a 2 q\r\nab\r\n",
            "mn\r\n",
            b"\x80\x0c\0\x01\0\0\0\0\0\0\0\x01\0\0\0\x07\0\0\0\0\0\0\0\0a",
            b"\x80\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\0",
        ],
        answers: [
            "STORED\r\n",
            "VALUE a 0 3\r\n\r\n1\r\nVALUE b 0 0 7\r\n\r\nEND\r\n",
            "",
            "5\r\n",
            "VA 2 Oq1\r\nab\r\n",
            "",
            "MN\r\n",
            b"\x81\x0c\0\0\0\0\0\x01\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0",
            b"\x81\x10\0\x01\0\0\0\0\0\0\0\x02\0\0\0\x08\0\0\0\0\0\0\0\0ab\x81\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\0",
        ],
        tokens: ["\r\n", "set a 0 0 99999999999999999999\r\n", "\u{80}", "VALUE a 0 4294967296\r\n", " noreply\r\n", "END\r\n", "STAT a b\r\n", "HD\r\n"],
        limit: 32 << 10,
        converses: true,
    }
}

laws! {
    mod nats {
        subject: sessions!("nats"),
        messages: [
            "CONNECT {\"verbose\":false}\r\n",
            "SUB a 1\r\n",
            "PUB a _INBOX.1 5\r\nab\r\nc\r\n",
            "HPUB a 12 14\r\nNATS/1.0\r\n\r\nab\r\n",
            "PING\r\n",
            "PUB a 0\r\n\r\n",
        ],
        answers: [
            "INFO {\"server_id\":\"a\"}\r\n",
            "PING\r\n",
            "MSG _INBOX.1 1 2\r\nok\r\n",
            "HMSG _INBOX.2 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n",
            "PONG\r\n",
            "-ERR 'no'\r\n",
        ],
        tokens: ["\r\n", "PUB a 18446744073709551615\r\n", "{\"verbose\":true}", "+OK\r\n", "tls_required\":true", "\t"],
        limit: 32 << 10,
        converses: true,
    }
}

laws! {
    mod sip {
        subject: sessions!("sip"),
        messages: [
            "INVITE sip:a@b SIP/2.0\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContent-Length: 3\r\n\r\nabc",
            "ACK sip:a@b SIP/2.0\r\ni: 1\r\nCSeq: 1 ACK\r\nl: 0\r\n\r\n",
            "\r\n\r\n",
            "BYE sip:a@b SIP/2.0\r\nCall-ID: 1\r\nCSeq: 2 BYE\r\n\r\n",
        ],
        answers: [
            "SIP/2.0 100 Trying\r\nCall-ID: 1\r\nCSeq: 1  INVITE\r\n\r\nSIP/2.0 486 Busy\r\ni: 1\r\nCSeq: 1 INVITE\r\nl: 1\r\n\r\nx",
            "",
            "\r\n",
            "SIP/2.0 200 OK\r\nCall-ID: 1\r\nCSeq: 2 BYE\r\n\r\n",
        ],
        tokens: ["\r\n", "Content-Length: 99999999999999999999\r\n", "CSeq: 1 INVITE\r\n", "SIP/2.0", "\r\n\r\n"],
        limit: 32 << 10,
        converses: true,
    }
}

laws! {
    mod rtsp {
        subject: sessions!("rtsp"),
        messages: [
            "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n",
            "ANNOUNCE rtsp://a/b RTSP/1.0\r\nCSeq: 2\r\nContent-Length: 2\r\n\r\n$\n",
            b"$\x01\0\x03\r\n\r",
            "PLAY rtsp://a RTSP/1.0\nCSeq: 3\n\n",
        ],
        answers: [
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: PLAY\r\n\r\n",
            "RTSP/1.0 454 Session Not Found\r\nCSeq: 2\r\n\r\n",
            b"$\0\0\0$\0\0\x01R",
            "RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 1\r\n\r\nR",
        ],
        tokens: ["\r\n", "$", "\0", "RTSP/1.0", "Content-Length: 7\r\n"],
        limit: 32 << 10,
        converses: true,
    }
}

laws! {
    mod stomp {
        subject: sessions!("stomp"),
        messages: [
            "CONNECT\naccept-version:1.2\n\n\0",
            "\r\n",
            "SEND\r\ndestination:/a\r\nreceipt:7\r\ncontent-length:3\r\n\r\na\0b\0",
            "SEND\ndestination:/a\ncontent-length:0\n\n\0",
            "DISCONNECT\nreceipt:8\n\n\0",
        ],
        answers: [
            "CONNECTED\nversion:1.2\n\n\0\n",
            "\n",
            "RECEIPT\nreceipt-id:7\n\n\0\n",
            "MESSAGE\ndestination:/a\n\nhi\0",
            "ERROR\nreceipt-id:8\nmessage:no\n\nwhy\0",
        ],
        tokens: ["\n", "\0", "content-length:18446744073709551615\n", "receipt:9\n", "SEND\n"],
        limit: 64 << 10,
        converses: true,
    }
}

laws! {
    mod xmpp {
        subject: sessions!("xmpp"),
        messages: [
            "<?xml version='1.0'?>\n<stream:stream to='a' xmlns='jabber:client'>",
            "<iq type='get' id='1'><!-- > --><q a=\"/>\"/><![CDATA[</iq>]]></iq>",
            "<message to='a'><body>hi</body></message>",
            " ",
            "<presence/>",
            "</stream:stream>",
        ],
        answers: [
            "<stream:stream from='a'><stream:features><bind/></stream:features>",
            "<iq id='1' type='error'><error type='cancel'><item-not-found/></error></iq>",
            "",
            "\n",
            "<presence from='b'><x></x ></presence>",
            "<stream:error><conflict xmlns='x'/></stream:error></stream:stream>",
        ],
        tokens: ["<", ">", "</iq>", "<!--", "-->", "<![CDATA[", "]]>", "'", "\"", "<?", "<starttls/>", "<proceed/>", "<a>"],
        limit: 512 << 10,
        converses: true,
    }
}

laws! {
    mod telnet {
        subject: sessions!("telnet"),
        messages: [b"\xff\xfb\x18", b"\xff\xfa\x18\0a\xff\xff\xff\xf0", "root\r\n", b"a\xff\xff\r\0", b"\xff\xf1"],
        answers: [b"\xff\xfd\x18", b"\xff\xfa\x18\x01\xff\xf0", "login:\r\n", "\n", b"\xff\xf9"],
        tokens: ["\u{ff}", "\n", "\0", b"\xff\xfa", b"\xff\xf0"],
        limit: 32 << 10,
        converses: true,
        dependent: true,
    }
}

laws! {
    mod ssh {
        subject: sessions!("ssh"),
        messages: [
            "SSH-2.0-a\r\n",
            b"\0\0\0\x0c\x0a\x14\0\0\0\0\0\0\0\0\0\0",
            b"\0\0\0\x0c\x0a\x1e\0\0\0\0\0\0\0\0\0\0",
            b"\0\0\0\x0c\x0a\x01\0\0\0\x02\0\0\0\0\0\0",
        ],
        answers: [
            "hello\r\nSSH-2.0-b\n",
            b"\0\0\0\x0c\x0a\x14\0\0\0\0\0\0\0\0\0\0",
            b"\0\0\0\x0c\x0a\x1f\0\0\0\0\0\0\0\0\0\0",
            b"\0\0\0\x0c\x0a\x02\0\0\0\x02\0\0\0\0\0\0",
        ],
        tokens: ["SSH-", "\n", b"\0\0\0\x0c\x0a\x15\0\0\0\0\0\0\0\0\0\0", b"\xff\xff\xff\xff"],
        limit: 32 << 10,
        converses: true,
        dependent: true,
    }
}

laws! {
    mod hl7 {
        subject: sessions!("hl7"),
        messages: [
            "\x0bMSH|^~\\&|a|b|c|d|1||ADT^A01|17|P|2.3\rPID|1\r\x1c\r",
            "\x0bMSH|^~\\&|a|b|c|d|1||ORU^R01|18|P|2.3\rOBX|1|\x1c\x1c\r",
            "\r\n",
        ],
        answers: [
            "\x0bMSH|^~\\&|a|b|c|d|1||ACK|1|P|2.3\rMSA|CA|17\r\x1c\r\x0bMSH|^~\\&|a|b|c|d|1||ACK|2|P|2.3\rMSA|AA|17\r\x1c\r",
            "\x0bMSH|^~\\&|a|b|c|d|1||ACK^R01|3|P|2.3\rMSA|AE|18|no\r\x1c\r",
            "",
        ],
        tokens: ["\x0b", "\x1c", "\r", "MSH|", "MSA|", "|"],
        limit: 32 << 10,
        converses: true,
    }
}

laws! {
    mod fix {
        subject: sessions!("fix"),
        messages: [
            "8=FIX.4.2\x019=5\x0135=0\x0110=161\x01",
            "8=FIX.4.2\x019=12\x0135=1\x01112=ab\x0110=101\x01",
            "8=FIX.4.2\x019=11\x0135=D\x0111=ab\x0110=069\x01",
        ],
        answers: [
            "8=FIX.4.2\x019=5\x0135=0\x0110=161\x01",
            "8=FIX.4.2\x019=12\x0135=0\x01112=ab\x0110=100\x01",
            "8=FIX.4.2\x019=16\x0135=8\x0111=ab\x0139=2\x0110=026\x01",
        ],
        tokens: ["8=FIX.4.2\x01", "9=18446744073709551616\x01", "\x01", "10=", "35=8\x01"],
        limit: 64 << 10,
        converses: true,
    }
}

laws! {
    mod http2 {
        subject: sessions!("http2"),
        messages: [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0d",
            b"\0\0\x02\x01\x01\0\0\0\x01\x82\x86\0\0\x0b\x09\x04\0\0\0\x01\x84\x41\x08a.test:1",
            b"\0\0\x08\x06\0\0\0\0\0\x01\x02\x03\x04\x05\x06\x07\x08",
            b"\0\0\x03\0\x01\0\0\0\x01abc",
            b"\0\0\x04\x03\0\0\0\0\x03\0\0\0\x08",
        ],
        answers: [
            b"\0\0\0\x04\0\0\0\0\0",
            b"\0\0\0\x04\x01\0\0\0\0",
            b"\0\0\x01\x01\x04\0\0\0\x01\x8d\0\0\x02\0\x01\0\0\0\x01no",
            b"\0\0\x08\x06\x01\0\0\0\0\x01\x02\x03\x04\x05\x06\x07\x08",
            b"",
            b"\0\0\x09\x07\0\0\0\0\0\0\0\0\x01\0\0\0\x0bx",
        ],
        tokens: ["\0\0\x05\x01\x04\0\0\0\x01", "\0\0\x01\x09\0\0\0\0\x01", "\x40\x01a\x01b", "\x7f\x7f\x7f\x7f\x7f", "PRI"],
        limit: 256 << 10,
        converses: true,
        dependent: true,
    }
}

laws! {
    mod tls {
        subject: sessions!("tls"),
        messages: [
            b"\x16\x03\x01\0\x2f\x01\0\0\x2b\x03\x0312345678901234567890123456789012\0\0\x02\x13\x01\x01\0\0\0",
            b"\x16\x03\x03\0\x02\x10\0\x16\x03\x03\0\x04\0\x02xy",
            b"\x14\x03\x03\0\x01\x01",
            b"\x17\x03\x03\0\x03abc",
            b"\x15\x03\x03\0\x02\x01\0",
        ],
        answers: [
            b"\x16\x03\x03\0\x2a\x02\0\0\x26\x03\x0312345678901234567890123456789012\0\x13\x01\0",
            b"",
            b"\x14\x03\x03\0\x01\x01\x16\x03\x03\0\x05abcde",
            b"\x17\x03\x03\0\0",
            b"\x15\x03\x03\0\x02\x02\x28",
        ],
        tokens: ["\x16\x03\x03", "\x14\x03\x03\0\x01\x01", "\u{80}", "\0\0", "\x01"],
        limit: 64 << 10,
        converses: true,
        dependent: true,
    }
}

laws! {
    mod websocket {
        subject: sessions!("websocket"),
        messages: [
            b"\x81\x82\0\0\0\0hi",
            b"\x01\x81\0\0\0\0a",
            b"\x89\x81\x01\x02\x03\x04q",
            b"\x80\x81\0\0\0\0b",
            b"\x82\xfe\0\x7e\0\0\0\0abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuv",
            b"\x88\x82\0\0\0\0\x03\xe8",
        ],
        answers: [b"\x81\x01x", b"", b"\x8a\x01p", b"\xc1\x02\0\0", b"\x82\0", b"\x88\x02\x03\xe8"],
        tokens: ["\x01\x01", "\u{80}", "\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f", "{\"id\":1}"],
        limit: 256 << 10,
        converses: true,
        dependent: true,
    }
}

laws! {
    mod jsonrpc {
        subject: sessions!("jsonrpc"),
        messages: [
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}\n",
            "Content-Length: 26\r\n\r\n{\"method\":\"n\",\"params\":[]}",
            "[{\"id\":\"x\",\"method\":\"b\"}]\r\n",
            "{\"id\":3,\"method\":\"\u{1f600}\"}\n",
            "\n",
        ],
        answers: [
            "{\"id\":1,\"result\":0}\n",
            "",
            "[{\"id\":\"x\",\"error\":{\"code\":-1}}]\n",
            "Content-Length: 18\r\nA: b\r\n\r\n{\"id\":3,\"error\":7}",
            "\n",
        ],
        tokens: ["{\"id\":1", "Content-Length: ", "99999999999999999999", "[[[[", "\r\n\r\n", "\"\\\""],
        limit: 1 << 20,
        converses: true,
    }
}

laws! {
    mod thrift {
        subject: sessions!("thrift"),
        messages: [
            b"\0\0\0\x11\x80\x01\0\x01\0\0\0\x04ping\0\0\0\x01\0",
            b"\x80\x01\0\x01\0\0\0\x03add\0\0\0\x07\x08\0\x01\0\0\0\x01\x0c\0\x02\x0b\0\x01\0\0\0\x02hi\0\x0f\0\x03\x0b\0\0\0\x01\0\0\0\x01a\0",
            b"\x82\x21\x05\x03add\x15\x02\x11\x1c\x18\x02hi\0\x1b\x01\x58\x0a\0\0",
            b"\x80\x01\0\x04\0\0\0\x03log\0\0\0\x02\0",
        ],
        answers: [
            b"\0\0\0\x11\x80\x01\0\x02\0\0\0\x04ping\0\0\0\x01\0",
            b"\x80\x01\0\x03\0\0\0\x03add\0\0\0\x07\x0b\0\x01\0\0\0\x02no\x08\0\x02\0\0\0\x01\0",
            b"\x82\x41\x05\x03add\x05\0\x04\0",
            b"",
        ],
        tokens: ["\x0c\0\x01", "\x0f\0\x01\x0b\x7f", "\x7f\x7f\x7f\x7f", "\u{80}", "\0\0\0\x11"],
        limit: 64 << 10,
        converses: true,
    }
}

laws! {
    mod sunrpc {
        subject: sessions!("sunrpc"),
        messages: [
            b"\x80\0\0\x28\0\0\0\x01\0\0\0\0\0\0\0\x02\0\x01\x86\xa3\0\0\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"\0\0\0\x08\0\0\0\x02\0\0\0\0\0\0\0\0\x80\0\0\x10\0\0\0\x02\0\x01\x86\xa3\0\0\0\x03\0\0\0\x03",
        ],
        answers: [
            b"\x80\0\0\x1c\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02",
            b"\x80\0\0\x14\0\0\0\x02\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x05",
        ],
        tokens: ["\0\0\0\0", "\x7f\x7f\x7f\x7f", "\u{80}\0\0\0", "\0\x01\x04"],
        limit: 64 << 10,
        converses: true,
    }
}

laws! {
    mod smb {
        subject: sessions!("smb"),
        messages: [
            b"\0\0\0@\xfeSMB@\0\0\0\0\0\0\0\x05\0\x01\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"\0\0\0 \xffSMBr\0\0\0\0\0\0@\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x07\0",
            b"\x85\0\0\0",
            b"\0\0\0\x08\xfdSMBabcd",
        ],
        answers: [
            b"\0\0\0@\xfeSMB@\0\0\0\x22\0\0\xc0\x05\0\x01\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"\0\0\0 \xffSMBr\0\0\0\0\x80\0@\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x07\0",
            b"",
            b"\0\0\0\x04junk",
        ],
        tokens: ["\0\0\0", "SMB", "\x40\0\0\0", "\x7f\x7f\x7f"],
        limit: 64 << 10,
        converses: true,
    }
}

laws! {
    mod tpkt {
        subject: sessions!("tpkt"),
        messages: [
            b"\x03\0\0\x0e\x09\xe0\0\0\0\x01\0\xc0\x01\x0a",
            b"\x03\0\0\x19\x02\xf0\x80\x32\x01\0\0\x02\0\0\x08\0\0\xf0\0\0\x01\0\x01\x01\xe0",
            b"\x03\0\0\x07\x02\xf0\0",
        ],
        answers: [
            b"\x03\0\0\x0e\x09\xd0\0\x01\0\x02\0\xc0\x01\x0a",
            b"\x03\0\0\x1b\x02\xf0\x80\x32\x03\0\0\x02\0\0\x08\0\0\0\0\xf0\0\0\x01\0\x01\0\xf0",
            b"",
        ],
        tokens: ["\x03\0\0\x07", "\x02", "\x32\x03", "\x01\0\x08\0\x03\0\0\0", "\x7f\x7f"],
        limit: 64 << 10,
        converses: true,
    }
}

laws! {
    mod rtmp {
        subject: sessions!("rtmp"),
        messages: [
            format!("\x03{}{}", "0123456789abcdef".repeat(96), "fedcba9876543210".repeat(96)),
            String::from("\x03\0\0\0\0\0\x0d\x14\0\0\0\0\x02\0\x01a\0\0\0\0\0\0\0\0\0"),
            String::from("\x02\0\0\0\0\0\x04\x01\0\0\0\0\0\0\x01\0"),
        ],
        answers: [
            format!("\x03{}{}", "0123456789abcdef".repeat(96), "fedcba9876543210".repeat(96)),
            String::from("\x02\0\0\0\0\0\x04\x05\0\0\0\0\0\0\x01\0"),
            String::new(),
        ],
        tokens: ["\x03", "\x7f\x7f\x7f", "\0\0\x04\x01"],
        limit: 64 << 10,
        converses: true,
        dependent: true,
    }
}

laws! {
    mod dcerpc {
        subject: sessions!("dcerpc"),
        messages: [
            b"\x05\0\x0b\x03\x10\0\0\0\x1c\0\0\0\x01\0\0\0\xd0\x16\xd0\x16\0\0\0\0\0\0\0\0",
            b"\x05\0\0\x03\x10\0\0\0\x18\0\0\0\x02\0\0\0\0\0\0\0\0\0\x03\0",
            b"\x05\0\x13\x03\x10\0\0\0\x10\0\0\0\x02\0\0\0",
        ],
        answers: [
            b"\x05\0\x0d\x03\x10\0\0\0\x12\0\0\0\x01\0\0\0\x08\0",
            b"\x05\0\x02\x03\x10\0\0\0\x10\0\0\0\x02\0\0\0",
            b"",
        ],
        tokens: ["\x05\0", "\x10\0\0\0", "\x03\x10", "\x7f\x7f"],
        limit: 128 << 10,
        converses: true,
    }
}

laws! {
    mod postgres {
        subject: sessions!("postgres"),
        messages: [
            b"\0\0\0\x10\0\x03\0\0user\0a\0\0",
            b"Q\0\0\0\x0dSELECT 1\0",
            b"P\0\0\0\x10\0SELECT 1\0\0\0",
            b"B\0\0\0\x0c\0\0\0\0\0\0\0\0",
            b"E\0\0\0\x09\0\0\0\0\0",
            b"S\0\0\0\x04",
        ],
        answers: [
            b"R\0\0\0\x08\0\0\0\0S\0\0\0\x08a\0b\0Z\0\0\0\x05I",
            b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I",
            b"1\0\0\0\x04",
            b"2\0\0\0\x04",
            b"E\0\0\0\x0cC42601\0\0",
            b"Z\0\0\0\x05I",
        ],
        tokens: ["Z\0\0\0\x05I", "Q\0\0\0", "\0\0\0\x04", "E\0\0\0", "\x7f", "S", "D\0\0\0"],
        limit: 16 << 10,
        converses: true,
    }
}

laws! {
    mod mysql {
        subject: sessions!("mysql"),
        messages: [
            b"\x0d\0\0\0\x03SELECT 1 + 1",
            b"\x09\0\0\0\x16SELECT ?",
            b"\x0a\0\0\0\x17\x01\0\0\0\0\x01\0\0\0",
            b"\x01\0\0\0\x0e",
            b"\x05\0\0\0\x19\x01\0\0\0",
        ],
        answers: [
            b"\x01\0\0\x01\x01\x04\0\0\x02\x03def\x05\0\0\x03\xfe\0\0\x02\0\x02\0\0\x04\x011\x05\0\0\x05\xfe\0\0\x02\0",
            b"\x0c\0\0\x01\0\x01\0\0\0\0\0\0\0\0\0\0",
            b"\x07\0\0\x01\0\0\0\x02\0\0\0",
            b"\x0b\0\0\x01\xff\x28\x04#42000no",
            b"",
        ],
        tokens: ["\x01\0\0\x01", "\u{7f}", "\x05\0\0\x02", "\x03def", "SELECT", "\0\0\0"],
        limit: 16 << 10,
        converses: true,
    }
}

laws! {
    mod mongodb {
        subject: sessions!("mongodb"),
        messages: [
            b"\x26\0\0\0\x07\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0\x11\0\0\0\x02find\0\x02\0\0\0a\0\0",
            b"\x22\0\0\0\x08\0\0\0\0\0\0\0\xd5\x07\0\0\0\0\0\0a\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"\x18\0\0\0\x09\0\0\0\0\0\0\0\xd2\x07\0\0\0\0\0\0a.b\0",
        ],
        answers: [
            b"\x26\0\0\0\x01\0\0\0\x07\0\0\0\xdd\x07\0\0\0\0\0\0\0\x11\0\0\0\x01ok\0\0\0\0\0\0\0\xf0\x3f\0",
            b"\x24\0\0\0\x02\0\0\0\x08\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"",
        ],
        tokens: ["\x10\0\0\0", "\0\0\0\0", "\x7f", "ok\0", "\x01"],
        limit: 16 << 10,
        converses: true,
    }
}

laws! {
    mod dns {
        subject: sessions!("dns"),
        messages: [
            b"\0\x16\0\x01\x01\0\0\x01\0\0\0\0\0\0\x01a\x02bc\0\0\x01\0\x01",
            b"\0\x16\0\x02\x01\0\0\x01\0\0\0\0\0\0\x01a\x02bc\0\0\x1c\0\x01",
        ],
        answers: [
            b"\0\x16\0\x01\x81\x83\0\x01\0\0\0\0\0\0\x01a\x02bc\0\0\x01\0\x01",
            b"\0\x16\0\x02\x81\x80\0\x01\0\0\0\0\0\0\x01a\x02bc\0\0\x1c\0\x01",
        ],
        tokens: ["\0\x0c", "\0\x01\0\x01", "\x7f", "\x01a"],
        limit: 80 << 10,
        converses: true,
    }
}

laws! {
    mod kafka {
        subject: sessions!("kafka"),
        messages: [
            b"\0\0\0\x0b\0\x12\0\0\0\0\0\x07\0\x01a",
            b"\0\0\0\x0b\0\x0c\0\x04\0\0\0\x08\0\x01a",
            b"\0\0\0\x0d\0\0\0\x02\0\0\0\x01\0\x01a\0\0",
        ],
        answers: [b"\0\0\0\x06\0\0\0\x07\0\x23", b"\0\0\0\x0b\0\0\0\x08\0\0\0\0\0\0\x19", b""],
        tokens: ["\0\0\0\x0b", "\0\x11\0\0", "\x7f", "\0\0\0\x07"],
        limit: 16 << 10,
        converses: true,
    }
}

laws! {
    mod amqp {
        subject: sessions!("amqp"),
        messages: [
            b"AMQP\0\0\x09\x01",
            b"\x01\0\x01\0\0\0\x08\0\x3c\0\x46\0\0\x01q\xce",
            b"\x01\0\x02\0\0\0\x05\0\x14\0\x0a\0\xce",
            b"\x03\0\x01\0\0\0\x03abc\xce",
            b"\x08\0\0\0\0\0\0\xce",
        ],
        answers: [
            b"",
            b"\x01\0\x01\0\0\0\x05\0\x3c\0\x48\0\xce",
            b"\x01\0\x02\0\0\0\x04\0\x14\0\x0b\xce",
            b"",
            b"\x08\0\0\0\0\0\0\xce",
        ],
        tokens: ["\x01\0\x01", "\0\x0a", "\x7f", "AMQP", "\x08\0\0"],
        limit: 16 << 10,
        converses: true,
    }
}

laws! {
    mod ldap {
        subject: sessions!("ldap"),
        messages: [
            b"\x30\x10\x02\x01\x01\x60\x0b\x02\x01\x03\x04\x01a\x80\x03pwd",
            b"\x30\x0c\x02\x01\x02\x63\x84\0\0\0\x03\x04\x01b",
            b"\x30\x05\x02\x01\x07\x42\0",
        ],
        answers: [
            b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x31\x04\0\x04\0",
            b"\x30\x0a\x02\x01\x02\x64\x05\x04\x01c\x30\0\x30\x0c\x02\x01\x02\x65\x07\x0a\x01\0\x04\0\x04\0",
            b"",
        ],
        tokens: ["0\x05", "\x02\x01\x01", "\x7f", "\0\0\0", "c", "\x04"],
        limit: 16 << 10,
        converses: true,
    }
}

laws! {
    mod cassandra {
        subject: sessions!("cassandra"),
        messages: [
            b"\x04\0\0\x02\x05\0\0\0\0",
            b"\x04\0\0\x01\x07\0\0\0\x0f\0\0\0\x08SELECT 1\0\x01\0",
        ],
        answers: [
            b"\x84\x08\0\x02\0\0\0\0\x0d\0\x01\0\x01w\0\0\x22\0\0\x02no",
            b"\x84\0\0\x01\x08\0\0\0\x04\0\0\0\x01",
        ],
        tokens: ["\x04\0\0\x01", "\x05\0\0", "\x7f", "\x07\0\0\0"],
        limit: 16 << 10,
        converses: true,
    }
}

laws! {
    mod modbus {
        subject: sessions!("modbus"),
        messages: [
            b"\0\x01\0\0\0\x06\x01\x03\0\x0a\0\x01",
            b"\0\x02\0\0\0\x06\x02\x06\0\x0b\0\x01",
        ],
        answers: [b"\0\x01\0\0\0\x05\x01\x03\x02\0\0", b"\0\x02\0\0\0\x03\x02\x86\x02"],
        tokens: ["\0\x01\0\0\0\x06", "\x03", "\x7f", "\0"],
        limit: 16 << 10,
        converses: true,
    }
}

laws! {
    mod dnp3 {
        subject: sessions!("dnp3"),
        messages: [b"\x05\x64\x05\xc0\x01\0\0\x04\xe9\x21"],
        answers: [b"\x05\x64\x05\xc0\x01\0\0\x04\xe9\x21"],
        tokens: ["\x05d", "\x05d\x7f", "\0\0", "\x7f"],
        limit: 16 << 10,
        converses: true,
    }
}

laws! {
    mod iec104 {
        subject: sessions!("iec104"),
        messages: [b"h\x04\x07\0\0\0", b"h\x0e\0\0\0\0d\x01\x06\0\x01\0\0\0\0\x14", b"h\x04\x01\0\x02\0"],
        answers: [b"h\x04\x0b\0\0\0", b"h\x0e\0\0\x02\0d\x01G\0\x01\0\0\0\0\x14", b""],
        tokens: ["h\x04", "h\x0e", "\0\0", "\x7f"],
        limit: 16 << 10,
        converses: true,
    }
}

laws! {
    mod bgp {
        subject: sessions!("bgp"),
        messages: [b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\x13\x04", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\x15\x03\x06\x02", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\x17\x05\0\x01\0\x01"],
        answers: [b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\x13\x04", b"", b""],
        tokens: ["\0\x13\x04", "\0\x15", "\x7f"],
        limit: 16 << 10,
        converses: true,
    }
}

laws! {
    mod tds {
        subject: sessions!("tds"),
        messages: [b"\x01\x01\0\x10\0\0\x01\0S\0E\0L\0E\0", b"\x01\x01\0\x08\0\0\x01\0"],
        answers: [b"\x04\0\0\x09\x00\x33\x01\0\x81\x04\x01\0\x09\x00\x33\x02\0\xaa", b"\x04\x01\0\x19\x00\x33\x01\0\xaa\x0f\0f\0\0\0\x01\x10\x02\0n\0o\0\0\0"],
        tokens: ["\x01\x01\0", "\x04\x01\0", "\0\x08", "\x7f", "\x17\x03"],
        limit: 16 << 10,
        converses: true,
    }
}

laws! {
    mod diameter {
        subject: sessions!("diameter"),
        messages: [b"\x01\0\0\x14\x80\0\x01\x18\0\0\0\0\0\0\0\x07\0\0\0\x01", b"\x01\0\0\x14\x80\0\x01\x18\0\0\0\0\0\0\0\x08\0\0\0\x01"],
        answers: [b"\x01\0\0 \0\0\x01\x18\0\0\0\0\0\0\0\x07\0\0\0\x01\0\0\x01\x0c@\0\0\x0c\0\0\x0b\xbb", b"\x01\0\0\x14 \0\x01\x18\0\0\0\0\0\0\0\x08\0\0\0\x01"],
        tokens: ["\x01\0\0\x14", "\0\x01\x18", "\x7f", "\0\0"],
        limit: 16 << 10,
        converses: true,
    }
}

laws! {
    mod kerberos {
        subject: sessions!("kerberos"),
        messages: [b"\0\0\0\x04j\x020\0", b"\0\0\0\x04l\x020\0"],
        answers: [b"\0\0\0\x09~\x070\x05\xa6\x03\x02\x01\x19", b"\0\0\0\x04m\x020\0"],
        tokens: ["\0\0\0\x04", "j\x02", "\x7f"],
        limit: 16 << 10,
        converses: true,
    }
}

laws! {
    mod opcua {
        subject: sessions!("opcua"),
        messages: [b"HELF!\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0a", b"MSGF\x1c\0\0\0\x01\0\0\0\x01\0\0\0\x09\0\0\0\x05\0\0\0\x01\0w\x02", b"MSGF\x1c\0\0\0\x01\0\0\0\x01\0\0\0\x09\0\0\0\x06\0\0\0\x01\0\x0f\x02"],
        answers: [b"ACKF\x1c\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", b"MSGC\x1c\0\0\0\x01\0\0\0\x01\0\0\0\x09\0\0\0\x05\0\0\0\x01\0z\x02MSGF\x1c\0\0\0\x01\0\0\0\x01\0\0\0\x09\0\0\0\x05\0\0\0rest", b"MSGA\x1c\0\0\0\x01\0\0\0\x01\0\0\0\x09\0\0\0\x06\0\0\0\0\0\x0b\x80"],
        tokens: ["MSGF", "MSGC", "HELF", "\x08\0\0\0", "\x7f"],
        limit: 16 << 10,
        converses: true,
    }
}

laws! {
    mod enip {
        subject: sessions!("enip"),
        messages: [b"e\0\x04\0\x07\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0", b"o\0\x12\0\x07\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\xb2\0\x02\0L\x02"],
        answers: [b"e\0\x04\0\x07\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0", b"o\0\x14\0\x07\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\xb2\0\x04\0\xcc\0\x05\0"],
        tokens: ["e\0\x04\0", "o\0", "\0\0\0\0", "\x7f"],
        limit: 16 << 10,
        converses: true,
    }
}
