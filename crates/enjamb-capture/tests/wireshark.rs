//! Recordings, as Wireshark reads them.

mod requirements;

use std::process::Command;

use enjamb::{Connection, Ending, Event, Side, Tap, Time};
use enjamb_capture::{LONGEST_CHUNK, Recorder};
use requirements::{trials, tshark};

trials! {
    requires tshark: [tshark_finds_no_problem_in_a_recording_and_follows_its_streams];
}

fn connection(number: u64, client: &str, server: &str) -> Connection {
    Connection { number, client: client.parse().expect("an address"), server: server.parse().expect("an address") }
}

fn tshark_finds_no_problem_in_a_recording_and_follows_its_streams((): &()) {
    let mut recorder = Recorder::new(Vec::new());
    let mut sent = [Vec::new(), Vec::new()];
    for (number, client, server) in
        [(1, "192.0.2.1:40001", "192.0.2.2:9"), (2, "[2001:db8::1]:40001", "[2001:db8::2]:9")]
    {
        let connection = connection(number, client, server);
        let mut now = 1_700_000_000_000_000_000;
        let mut time = || {
            now += 1_000_000;
            Time::from_nanos(now)
        };
        recorder.event(&connection, time(), Event::Open);
        for step in 0..400usize {
            let side = Side::BOTH[usize::from(step % 3 == 0)];
            let size = [1, 2, 100, 1448, LONGEST_CHUNK][step % 5];
            let chunk: Vec<u8> = (0..size).map(|at| (at * 7 + step) as u8).collect();
            recorder.event(&connection, time(), Event::Chunk { side, bytes: &chunk });
            if number == 1 {
                sent[side.index()].extend_from_slice(&chunk);
            }
        }
        // More bytes of one side than are sent without an acknowledgement.
        for _ in 0..300 {
            let chunk = [5; LONGEST_CHUNK];
            recorder.event(&connection, time(), Event::Chunk { side: Side::Server, bytes: &chunk });
            if number == 1 {
                sent[Side::Server.index()].extend_from_slice(&chunk);
            }
        }
        if number == 1 {
            recorder.event(&connection, time(), Event::Close { side: Side::Client, ending: Ending::Closed });
            recorder.event(&connection, time(), Event::Close { side: Side::Server, ending: Ending::Closed });
        } else {
            recorder.event(&connection, time(), Event::Close { side: Side::Server, ending: Ending::Reset });
        }
        recorder.event(&connection, time(), Event::Done);
    }
    let file = tempfile::NamedTempFile::with_suffix(".pcapng").expect("a file");
    std::fs::write(file.path(), recorder.finish().expect("memory can be written")).expect("written");
    let tshark = |arguments: &[&str]| {
        let output = Command::new("tshark").arg("-r").arg(file.path()).args(arguments).output().expect("tshark runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let checks = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"];
    let wrong = tshark(&[&checks[..], &["-Y", "tcp.analysis.flags || _ws.malformed"]].concat());
    assert_eq!(wrong, "", "problems that tshark finds");
    let checksums = tshark(&[&checks[..], &["-Y", "tcp.checksum.status != 1"]].concat());
    assert_eq!(checksums, "", "packets with wrong checksums");
    let followed = tshark(&["-q", "-z", "follow,tcp,raw,0"]);
    let mut streams = [String::new(), String::new()];
    for line in followed.lines() {
        // tshark indents the lines of the second side.
        let side = usize::from(line.starts_with('\t'));
        let line = line.trim();
        if !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            streams[side].push_str(line);
        }
    }
    for side in Side::BOTH {
        let hex: String = sent[side.index()].iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(streams[side.index()] == hex, "the stream of the {side}, as tshark follows it");
    }
}
