//! The laws for the protocols on the kit: each with conversations that its clients and servers have.
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
