//! The laws for the protocols on the kit: each with conversations that its clients and servers have.
//!
//! A protocol adds a block with some of its messages and their answers.

use enjamb_law::{Sessions, laws};
use enjamb_protocols::Registry;

/// Returns a constructor of sessions of a built-in protocol.
macro_rules! sessions {
    ($name:literal) => {
        Sessions(|| Registry::builtin().resolve($name).unwrap().session(None))
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
