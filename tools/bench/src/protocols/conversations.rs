//! Conversations of protocols: what a client and a server usually send, as bytes.

use enjamb::Side;

/// A conversation. After its opening, the same exchange is repeated.
pub(crate) struct Conversation {
    /// The name of the protocol.
    pub(crate) protocol: &'static str,
    /// A phrase that describes the exchange.
    pub(crate) about: &'static str,
    pub(crate) opening: Vec<Turn>,
    pub(crate) exchange: Vec<Turn>,
}

/// The messages that a side sends in one write.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    pub(crate) side: Side,
    pub(crate) messages: Vec<Vec<u8>>,
}

fn client(messages: impl IntoIterator<Item = Vec<u8>>) -> Turn {
    Turn { side: Side::Client, messages: messages.into_iter().collect() }
}

fn server(messages: impl IntoIterator<Item = Vec<u8>>) -> Turn {
    Turn { side: Side::Server, messages: messages.into_iter().collect() }
}

/// Numbers of exchanges in flight.
const IDS: std::ops::RangeInclusive<u8> = 1..=16;

/// Makes all conversations.
pub(crate) fn all() -> Vec<Conversation> {
    vec![
        mqtt(),
        postgres(),
        mysql(),
        dns(),
        tls(),
        imap(),
        ldap(),
        smtp(),
        ftp(),
        memcached(),
        nats(),
        kafka(),
        sip(),
        modbus(),
        mongodb(),
        amqp(),
        websocket(),
        smb(),
    ]
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn text(line: &str) -> Vec<u8> {
    line.as_bytes().to_vec()
}

fn mqtt() -> Conversation {
    let publish = |id: u8| {
        let body =
            join(&[b"\0\x0dplant/7/level\0", &[id], br#"{"time":"2026-11-30T11:44:50Z","level":13.5,"unit":"mm"}"#]);
        join(&[&[0x32, body.len() as u8], &body])
    };
    Conversation {
        protocol: "mqtt",
        about: "PUBLISH of 74 bytes at QoS 1, and PUBACK",
        opening: vec![client([text("\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04test")]), server([text("\x20\x02\0\0")])],
        exchange: vec![client(IDS.map(publish)), server(IDS.map(|id| vec![0x40, 2, 0, id]))],
    }
}

fn postgres() -> Conversation {
    let message = |kind: u8, body: &[u8]| join(&[&[kind], &(body.len() as u32 + 4).to_be_bytes(), body]);
    let column = |name: &str, kind: u32| {
        join(&[name.as_bytes(), b"\0\0\0\x40\0\0\x01", &kind.to_be_bytes(), b"\0\x04\xff\xff\xff\xff\0\0"])
    };
    let columns = join(&[b"\0\x03", &column("id", 23), &column("title", 25), &column("price", 1700)]);
    let row = |id: u8| {
        let value = |value: &str| join(&[&(value.len() as u32).to_be_bytes(), value.as_bytes()]);
        let id = format!("{id:05}");
        message(b'D', &join(&[b"\0\x03", &value(&id), &value("Pride and Prejudice"), &value("12.50")]))
    };
    let mut answer = vec![message(b'T', &columns)];
    answer.extend(IDS.map(row));
    answer.extend([message(b'C', b"SELECT 16\0"), message(b'Z', b"I")]);
    Conversation {
        protocol: "postgres",
        about: "a Query of 64 bytes, and 16 rows of 43 bytes",
        opening: vec![
            client([text("\0\0\0\x21\0\x03\0\0user\0root\0database\0shop\0\0")]),
            server([message(b'R', &[0; 4]), message(b'Z', b"I")]),
        ],
        exchange: vec![
            client([message(b'Q', b"SELECT id, title, price FROM book WHERE price < 20 ORDER BY\0")]),
            server(answer),
        ],
    }
}

fn mysql() -> Conversation {
    let packet = |number: u8, body: &[u8]| join(&[&(body.len() as u32).to_le_bytes()[..3], &[number], body]);
    let column = |name: &str| {
        join(&[
            b"\x03def\x04shop\x04book\x04book",
            &[name.len() as u8],
            name.as_bytes(),
            b"\0\x0c\x21\0\x40\0\0\0\xfd\0\0\0\0\0",
        ])
    };
    let mut answer = vec![packet(1, &[3])];
    answer.extend(["id", "title", "price"].iter().zip(2..).map(|(name, number)| packet(number, &column(name))));
    answer.push(packet(5, b"\xfe\0\0\x22\0"));
    answer.extend(IDS.map(|id| packet(id + 5, b"\x0500001\x13Pride and Prejudice\x0512.50")));
    answer.push(packet(22, b"\xfe\0\0\x22\0"));
    let login = join(&[&[0x05, 0xa2, 0, 0, 0, 0, 0, 1, 33], &[0; 23], b"root\0\0"]);
    Conversation {
        protocol: "mysql",
        about: "a COM_QUERY of 64 bytes, and 16 rows of 36 bytes",
        opening: vec![
            server([packet(0, b"\x0a8.0.36\0\x01\0\0\0abcdefgh\0\x00\xa2\x21\x02\0\0\0\0")]),
            client([packet(1, &login)]),
            server([packet(2, b"\0\0\0\x02\0\0\0")]),
        ],
        exchange: vec![
            client([packet(0, b"\x03SELECT id, title, price FROM book WHERE price < 20 ORDER BY")]),
            server(answer),
        ],
    }
}

fn dns() -> Conversation {
    let message = |id: u8, flags: &[u8], answers: &[u8]| {
        let count = (answers.len() / 16) as u8;
        let body = join(&[
            &[0, id],
            flags,
            &[0, 1, 0, count, 0, 0, 0, 0],
            b"\x03www\x07example\x03com\0\0\x01\0\x01",
            answers,
        ]);
        join(&[&(body.len() as u16).to_be_bytes(), &body])
    };
    let answers = b"\xc0\x0c\0\x01\0\x01\0\0\x01\x2c\0\x04\xc0\0\x02\x07".repeat(2);
    Conversation {
        protocol: "dns",
        about: "queries of 35 bytes, and their answers of 67 bytes",
        opening: vec![],
        exchange: vec![
            client(IDS.map(|id| message(id, &[1, 0], &[]))),
            server(IDS.map(|id| message(id, &[0x81, 0x80], &answers))),
        ],
    }
}

fn tls() -> Conversation {
    let record = |kind: u8, length: u16| join(&[&[kind, 3, 3], &length.to_be_bytes(), &vec![0x5a; length.into()]]);
    let change = || text("\x14\x03\x03\0\x01\x01");
    Conversation {
        protocol: "tls",
        about: "records of 300 bytes, and of 1400 bytes",
        opening: vec![client([change()]), server([change()])],
        exchange: vec![client([record(23, 300)]), server(IDS.map(|_| record(23, 1400)))],
    }
}

fn imap() -> Conversation {
    let fetch = |id: u8| {
        let mail =
            "From: a@example.org\r\nSubject: enjambment\r\n\r\n".to_owned() + &"A line of a mail.\r\n".repeat(16);
        text(&format!("* {id} FETCH (FLAGS (\\Seen) BODY[] {{{}}}\r\n{mail})\r\n", mail.len()))
    };
    let mut answer: Vec<_> = IDS.map(fetch).collect();
    answer.push(text("a7 OK Fetch completed (0.001 + 0.000 secs).\r\n"));
    Conversation {
        protocol: "imap",
        about: "a FETCH, and 16 mails of 348 bytes as literals",
        opening: vec![server([text("* OK IMAP ready\r\n")])],
        exchange: vec![client([text("a7 FETCH 1:16 (FLAGS BODY[])\r\n")]), server(answer)],
    }
}

fn ldap() -> Conversation {
    let sequence = |tag: u8, body: &[u8]| join(&[&[tag, 0x81, body.len() as u8], body]);
    let string = |text: &[u8]| join(&[&[4, text.len() as u8], text]);
    let message = |id: u8, operation: &[u8]| sequence(0x30, &join(&[&[2, 1, id], operation]));
    let search = |id: u8| {
        let filter = join(&[b"\xa3\x0a", &string(b"cn"), &string(b"Anna")]);
        let body = join(&[
            &string(b"dc=example,dc=org"),
            b"\x0a\x01\x02\x0a\x01\0\x02\x01\0\x02\x01\0\x01\x01\0",
            &filter,
            b"\x30\0",
        ]);
        message(id, &sequence(0x63, &body))
    };
    let attribute = |name: &[u8], value: &[u8]| {
        let values = join(&[&[0x31, value.len() as u8 + 2], &string(value)]);
        sequence(0x30, &join(&[&string(name), &values]))
    };
    let attributes =
        join(&[&attribute(b"objectClass", b"person"), &attribute(b"cn", b"Anna"), &attribute(b"sn", b"Ansel")]);
    let entry = |id: u8| {
        let body = join(&[&string(b"cn=Anna,dc=example,dc=org"), &sequence(0x30, &attributes)]);
        message(id, &sequence(0x64, &body))
    };
    let done = |id: u8| message(id, b"\x65\x07\x0a\x01\0\x04\0\x04\0");
    Conversation {
        protocol: "ldap",
        about: "a searchRequest of 65 bytes, an entry of 117 bytes, and the end",
        opening: vec![],
        exchange: vec![client(IDS.map(search)), server(IDS.flat_map(|id| [entry(id), done(id)]))],
    }
}

fn smtp() -> Conversation {
    let mail =
        "Subject: enjambment\r\n\r\n".to_owned() + &"A line of a mail, and not a long one.\r\n".repeat(16) + ".\r\n";
    Conversation {
        protocol: "smtp",
        about: "MAIL, RCPT and DATA, a mail of 650 bytes, and their replies",
        opening: vec![
            server([text("220 mail.example ESMTP\r\n")]),
            client([text("EHLO me\r\n")]),
            server([text("250-mail.example\r\n250 PIPELINING\r\n")]),
        ],
        exchange: vec![
            client([text("MAIL FROM:<a@x.example>\r\n"), text("RCPT TO:<b@mail.example>\r\n"), text("DATA\r\n")]),
            server([text("250 OK\r\n"), text("250 Accepted\r\n"), text("354 End with a dot\r\n")]),
            client([text(&mail)]),
            server([text("250 OK id=1xXzfW-00077W-1u\r\n")]),
        ],
    }
}

fn ftp() -> Conversation {
    Conversation {
        protocol: "ftp",
        about: "commands of 22 bytes, and replies of 28 bytes",
        opening: vec![server([text("220 FTP ready\r\n")])],
        exchange: vec![client([text("SIZE folder/file.txt\r\n")]), server([text("550 folder/file.txt: Not here\r\n")])],
    }
}

fn memcached() -> Conversation {
    let value = text(&format!("VALUE key:000042 0 100\r\n{}\r\n", "x".repeat(100)));
    Conversation {
        protocol: "memcached",
        about: "gets of 16 bytes, and values of 100 bytes",
        opening: vec![],
        exchange: vec![
            client(IDS.map(|_| text("get key:000042\r\n"))),
            server(IDS.flat_map(|_| [value.clone(), text("END\r\n")])),
        ],
    }
}

fn nats() -> Conversation {
    let payload = "x".repeat(64);
    Conversation {
        protocol: "nats",
        about: "PUB and MSG, with payloads of 64 bytes",
        opening: vec![
            server([text("INFO {\"server_id\":\"N\",\"version\":\"2.9\"}\r\n")]),
            client([text("CONNECT {}\r\n")]),
        ],
        exchange: vec![
            client(IDS.map(|_| text(&format!("PUB plant.7.level 64\r\n{payload}\r\n")))),
            server(IDS.map(|_| text(&format!("MSG plant.7.level 1 64\r\n{payload}\r\n")))),
        ],
    }
}

fn kafka() -> Conversation {
    let message = |body: &[u8]| join(&[&(body.len() as u32).to_be_bytes(), body]);
    let fetch = |id: u8| message(&join(&[&[0, 1, 0, 4, 0, 0, 0, id], b"\0\x08consumer", &[0; 60]]));
    let answer = |id: u8| message(&join(&[&[0, 0, 0, id], &[0; 400]]));
    Conversation {
        protocol: "kafka",
        about: "Fetch requests of 82 bytes, and responses of 408 bytes",
        opening: vec![],
        exchange: vec![client(IDS.map(fetch)), server(IDS.map(answer))],
    }
}

fn sip() -> Conversation {
    let head = "Via: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK776asdhds\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\n\
        Call-ID: a84b4c76e66710@pc33.example.org\r\nCSeq: 7 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
    Conversation {
        protocol: "sip",
        about: "OPTIONS of 240 bytes, and responses of 225 bytes",
        opening: vec![],
        exchange: vec![
            client([text(&format!("OPTIONS sip:b@x SIP/2.0\r\n{head}"))]),
            server([text(&format!("SIP/2.0 200 OK\r\n{head}"))]),
        ],
    }
}

fn modbus() -> Conversation {
    let request = |id: u8| vec![0, id, 0, 0, 0, 6, 1, 3, 0, 10, 0, 10];
    let response = |id: u8| join(&[&[0, id, 0, 0, 0, 23, 1, 3, 20], &[0; 20]]);
    Conversation {
        protocol: "modbus",
        about: "reads of ten registers: 12 bytes, and 29 bytes",
        opening: vec![],
        exchange: vec![client(IDS.map(request)), server(IDS.map(response))],
    }
}

fn mongodb() -> Conversation {
    let message = |id: u8, to: u8, document: &[u8]| {
        let length = 21 + document.len() as u32;
        join(&[&length.to_le_bytes(), &[id, 0, 0, 0, to, 0, 0, 0], &2013_u32.to_le_bytes(), &[0; 5], document])
    };
    let find = b"\x2d\0\0\0\x02find\0\x05\0\0\0book\0\x02$db\0\x05\0\0\0shop\0\x10limit\0\x10\0\0\0\0";
    let answer = b"\x11\0\0\0\x01ok\0\0\0\0\0\0\0\xf0\x3f\0";
    Conversation {
        protocol: "mongodb",
        about: "OP_MSG with a command of 45 bytes, and with a reply of 17 bytes",
        opening: vec![],
        exchange: vec![client(IDS.map(|id| message(id, 0, find))), server(IDS.map(|id| message(id + 32, id, answer)))],
    }
}

fn amqp() -> Conversation {
    let frame = |kind: u8, body: &[u8]| join(&[&[kind, 0, 1], &(body.len() as u32).to_be_bytes(), body, b"\xce"]);
    let publish = |_: u8| {
        [
            frame(1, b"\0\x3c\0\x28\0\0\x08exchange\x0dplant.7.level\0"),
            frame(2, b"\0\x3c\0\0\0\0\0\0\0\0\0\x40\0\0"),
            frame(3, &[b'x'; 64]),
        ]
    };
    Conversation {
        protocol: "amqp",
        about: "Basic.Publish with a body of 64 bytes, and Basic.Ack",
        opening: vec![client([text("AMQP\0\0\x09\x01")])],
        exchange: vec![
            client(IDS.flat_map(publish)),
            server(IDS.map(|id| frame(1, &[0, 60, 0, 80, 0, 0, 0, 0, 0, 0, 0, id, 0]))),
        ],
    }
}

fn websocket() -> Conversation {
    let masked = join(&[&[0x81, 0x80 | 64, 1, 2, 3, 4], &[b'A'; 64]]);
    let plain = join(&[&[0x81, 64], &[b'x'; 64]]);
    Conversation {
        protocol: "websocket",
        about: "text messages of 64 bytes, masked and plain",
        opening: vec![],
        exchange: vec![client(IDS.map(|_| masked.clone())), server(IDS.map(|_| plain.clone()))],
    }
}

fn smb() -> Conversation {
    let message = |command: u8, flags: u8, id: u8, body: usize| {
        let mut header = vec![0; 64 + body];
        header[..6].copy_from_slice(b"\xfeSMB\x40\0");
        (header[12], header[16], header[24]) = (command, flags, id);
        join(&[&(header.len() as u32).to_be_bytes(), &header])
    };
    Conversation {
        protocol: "smb",
        about: "READ requests of 117 bytes, and 1 KiB of a file",
        opening: vec![],
        exchange: vec![client(IDS.map(|id| message(8, 0, id, 49))), server(IDS.map(|id| message(8, 1, id, 16 + 1024)))],
    }
}
