//! The laws for the protocols on the kit: each with conversations that its clients and servers have.
//!
//! A protocol adds a block with some of its messages and their answers.

use enjamb::Session;
use enjamb_law::{Sessions, laws};
use enjamb_protocols::Registry;

/// Returns a constructor of sessions of a built-in protocol.
macro_rules! sessions {
    ($name:literal) => {
        // One type for all protocols, so that the laws are compiled once.
        Sessions((|| Registry::builtin().resolve($name).unwrap().session(None)) as fn() -> Box<dyn Session>)
    };
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
