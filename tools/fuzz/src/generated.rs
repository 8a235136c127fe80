//! Seeds made from lists of numbers: the commands, types and errors that a protocol names.
//!
//! A fuzzer finds one number after the other, each with a seed of its own. One conversation with
//! all of them is shorter.

use enjamb::Side;

/// Returns the generated seeds of a target.
pub(crate) fn of(target: &str) -> Vec<(String, Vec<u8>)> {
    let seeds = match target {
        "split_web" => vec![("rtmp", chosen(4, &rtmp()))],
        "split_rpc" => vec![("smb-names", chosen(0, &smb())), ("sunrpc-names", chosen(2, &sunrpc()))],
        "split_tunnels" => vec![("tls-names", chosen(1, &tls_names())), ("tls-alerts", chosen(1, &tls_alerts()))],
        "split_directory" => vec![("dns-names", chosen(0, &dns()))],
        _ => Vec::new(),
    };
    seeds.into_iter().map(|(name, data)| (format!("generated-{name}"), data)).collect()
}

/// A script in its binary form.
#[derive(Default)]
struct Conversation {
    script: Vec<u8>,
    side: Option<Side>,
}

impl Conversation {
    fn send(&mut self, side: Side, bytes: &[u8]) {
        self.turn_to(side);
        for byte in bytes {
            self.script.push(*byte);
            if *byte == 0xff {
                self.script.push(0xff);
            }
        }
    }

    /// Sends zeros, which take five bytes of the script.
    fn send_zeros(&mut self, side: Side, length: u16) {
        self.turn_to(side);
        let [high, low] = length.to_be_bytes();
        self.script.extend([0xff, 5, 0, high, low]);
    }

    fn turn_to(&mut self, side: Side) {
        if self.side.replace(side).unwrap_or(Side::Client) != side {
            self.script.extend([0xff, 7]);
        }
    }
}

/// Returns the seed of a conversation of the family's protocol with this number.
fn chosen(protocol: u8, conversation: &Conversation) -> Vec<u8> {
    [&[protocol][..], &conversation.script].concat()
}

/// A connection with each type of message, two commands, and chunks of every format.
fn rtmp() -> Conversation {
    let mut it = Conversation::default();
    for side in Side::BOTH {
        it.send(side, &[3]);
        it.send_zeros(side, 1536);
    }
    for side in Side::BOTH {
        it.send_zeros(side, 1536);
    }
    let chunk = |kind: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).unwrap_or(u8::MAX);
        [&[3, 0, 0, 0, 0, 0, length, kind, 0, 0, 0, 0][..], payload].concat()
    };
    it.send(
        Side::Client,
        &chunk(20, b"\x02\x00\x07connect\x00\x3f\xf0\0\0\0\0\0\0\x03\x00\x03app\x02\x00\x04live\0\0\x09"),
    );
    for kind in [1, 2, 3, 4, 5, 6, 8, 9, 15, 16, 18, 19, 22, 99] {
        it.send(Side::Server, &chunk(kind, &[0, 0, 0, 80]));
    }
    it.send(Side::Server, &chunk(20, b"\x02\x00\x07_result\x00\x3f\xf0\0\0\0\0\0\0\x05"));
    it.send(Side::Client, &chunk(17, b"\0\x02\x00\x04play\x00\x40\0\0\0\0\0\0\0\x05\x02\x00\x01a"));
    it.send(
        Side::Server,
        &chunk(20, b"\x02\x00\x06_error\x00\x40\0\0\0\0\0\0\0\x03\0\x04code\x02\0\x06Failed\0\0\x09"),
    );
    it.send(
        Side::Server,
        &chunk(20, b"\x02\x00\x08onStatus\x00\0\0\0\0\0\0\0\0\x03\0\x05level\x02\0\x05error\0\0\x09"),
    );
    it.send(
        Side::Server,
        &chunk(20, b"\x02\x00\x08onStatus\x00\0\0\0\0\0\0\0\0\x03\0\x05level\x02\0\x06status\0\0\x09"),
    );
    // A message in two chunks, the other formats, numbers of two and three bytes, a long time.
    it.send(Side::Client, &[4, 0, 0, 0, 0, 0, 130, 9, 1, 0, 0, 0]);
    it.send_zeros(Side::Client, 128);
    it.send(Side::Client, &[0xc4, 0, 0, 0x44, 0, 0, 1, 0, 0, 1, 8, 7, 0x84, 0, 0, 2, 7]);
    it.send(Side::Client, &[0, 1, 0xff, 0xff, 0xff, 0, 0, 1, 8, 0, 0, 0, 0, 1, 2, 3, 4, 5]);
    it.send(Side::Client, &[1, 1, 2, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0]);
    it
}

/// Each command of SMB 1, and each status.
fn smb() -> Conversation {
    let commands = [0x00..=0x10, 0x22..=0x34, 0x70..=0x81, 0xa0..=0xa5].into_iter().flatten();
    let low = [
        1, 2, 3, 4, 8, 0xd, 0xf, 0x10, 0x11, 0x16, 0x22, 0x23, 0x33, 0x34, 0x35, 0x3a, 0x3b, 0x43, 0x54, 0x55, 0x56,
        0x61, 0x64, 0x6a, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0x7f, 0x9a, 0xac, 0xad, 0xb0, 0xb5, 0xba, 0xbb, 0xc9,
        0xca, 0xcc, 0xd0, 0x101, 0x103, 0x120, 0x121, 0x128, 0x15b, 0x184, 0x193, 0x203, 0x20c, 0x225, 0x234, 0x257,
        0x275, 0x35c, 0xfff,
    ];
    let other = [0, 0x103, 0x10b, 0x10c, 0x8000_0005, 0x8000_0006, 0x8000_002d];
    let statuses = other.into_iter().chain(low.map(|low: u32| 0xc000_0000 | low));
    let mut it = Conversation::default();
    let packet = |command: u8, status: u32, flags: u8| {
        let mut packet = vec![0, 0, 0, 35, 0xff, b'S', b'M', b'B', command];
        packet.extend(status.to_le_bytes());
        packet.extend([flags, 1, 0x40]);
        packet.resize(4 + 35, 0);
        packet
    };
    for command in commands.clone() {
        it.send(Side::Client, &packet(command, 0, 0));
    }
    for (command, status) in commands.cycle().zip(statuses.clone()) {
        it.send(Side::Server, &packet(command, status, 0x80));
    }
    // The same in SMB 2.
    for status in statuses {
        let mut packet = vec![0, 0, 0, 73, 0xfe, b'S', b'M', b'B', 64, 0, 0, 0];
        packet.extend(status.to_le_bytes());
        packet.extend([3, 0, 1, 0, 1]);
        packet.resize(4 + 73, 0);
        it.send(Side::Server, &packet);
    }
    it.send(Side::Client, &[0x81, 0, 0, 0, 0x85, 0, 0, 0]);
    for code in [0x80, 0x81, 0x82, 0x83, 0x8f, 0] {
        it.send(Side::Server, &[0x83, 0, 0, 1, code]);
    }
    it
}

/// Calls of each program, and an answer with each error of NFS.
fn sunrpc() -> Conversation {
    let record = |words: &[u32]| {
        let mut record = (0x8000_0000 | (4 * words.len() as u32)).to_be_bytes().to_vec();
        record.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        record
    };
    let errors = [
        1, 2, 5, 6, 13, 17, 18, 19, 20, 21, 22, 27, 28, 30, 31, 63, 66, 69, 70, 71, 10001, 10002, 10003, 10004, 10005,
        10006, 10007, 10008, 10011, 10012, 10013, 10016, 10022, 10023, 10024, 10025, 10026, 10044, 10052, 10053, 9,
    ];
    let mut it = Conversation::default();
    for (id, error) in (1..).zip(errors) {
        it.send(Side::Client, &record(&[id, 0, 2, 100_003, 3, 1, 0, 0, 0, 0]));
        it.send(Side::Server, &record(&[id, 1, 0, 0, 0, 0, error]));
    }
    let programs = [
        (100_000, 2),
        (100_000, 4),
        (100_003, 2),
        (100_003, 4),
        (100_005, 3),
        (100_011, 1),
        (100_021, 4),
        (100_024, 1),
        (100_227, 3),
        (7, 1),
    ];
    for (id, (program, version)) in (100..).zip(programs) {
        it.send(Side::Client, &record(&[id, 0, 2, program, version, id % 2, 0, 0, 0, 0]));
        // Accepted, with each reason, and denied.
        let answer = [[0, 0, 0, id % 6, 2, 3], [1, id % 2, 2, 2, 0, 0]][usize::from(id > 106)];
        it.send(Side::Server, &record(&[&[id, 1], &answer[..]].concat()));
    }
    it
}

/// Each message of a handshake of TLS.
fn tls_names() -> Conversation {
    let mut it = Conversation::default();
    for kind in (0..=25).chain([67, 254, 99]) {
        let side = if matches!(kind, 0 | 2 | 3 | 4 | 6 | 8 | 11..=14 | 22 | 25) { Side::Server } else { Side::Client };
        it.send(side, &[22, 3, 3, 0, 4, kind, 0, 0, 0]);
    }
    it
}

/// Each alert of TLS, in each version.
fn tls_alerts() -> Conversation {
    let mut it = Conversation::default();
    for code in [
        10, 20, 21, 22, 30, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 60, 70, 71, 80, 86, 90, 100, 109, 110,
        111, 112, 113, 114, 115, 116, 120, 121, 7, 0,
    ] {
        it.send(Side::Server, &[21, 3, code % 5, 0, 2, 1, code]);
    }
    it
}

/// Queries of each type of record, and answers with each code.
fn dns() -> Conversation {
    let mut it = Conversation::default();
    let types = (1..=65u8).chain([99, 249, 250, 251, 252, 253, 254, 255]);
    for (id, kind) in (1..).zip(types) {
        let class = [1, 3, 4, 254, 255][usize::from(id % 5)];
        let question = [1, b'a', 0, 0, kind, 0, class];
        let operation = (id % 8) << 3;
        it.send(Side::Client, &[&[0, 19, 0, id, operation, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &question].concat());
        it.send(
            Side::Server,
            &[&[0, 19, 0, id, 0x81 | operation, 0x80 | (id % 24), 0, 1, 0, 0, 0, 0, 0, 0][..], &question].concat(),
        );
    }
    it
}
