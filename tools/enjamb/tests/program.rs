//! `enjamb` itself: help, completions, manual pages; and the example `own_session`, a program with
//! a name, a version and a protocol of its own. With one of its commands as the first argument,
//! this test is that program.

#[allow(dead_code, reason = "the main function of the example")]
#[path = "../examples/own_session.rs"]
mod own_session;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

use libtest_mimic::{Arguments, Trial};

const COMMANDS: [&str; 9] =
    ["replay", "proxy", "corpus", "protocols", "completions", "man", "help", "--version", "unknown-command"];

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|first| COMMANDS.contains(&&*first)) {
        return own_session::program().run();
    }
    let tests: [(&str, fn()); 8] = [
        ("help_states_the_exit_codes", help_states_the_exit_codes),
        ("there_is_a_completion_script_for_every_shell", there_is_a_completion_script_for_every_shell),
        ("there_is_a_manual_page_for_every_command", there_is_a_manual_page_for_every_command),
        ("sizes_and_durations_have_one_syntax", sizes_and_durations_have_one_syntax),
        ("a_program_of_ones_own_replays_its_protocol", a_program_of_ones_own_replays_its_protocol),
        ("a_program_of_ones_own_proxies_its_protocol", a_program_of_ones_own_proxies_its_protocol),
        ("a_program_of_ones_own_has_its_name_in_messages", a_program_of_ones_own_has_its_name_in_messages),
        ("a_program_of_ones_own_has_its_version_and_manual", a_program_of_ones_own_has_its_version_and_manual),
    ];
    let trials = tests.into_iter().map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn enjamb(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_enjamb")).args(arguments).current_dir(root()).output().unwrap()
}

fn own_session(arguments: &[&str]) -> Output {
    Command::new(std::env::current_exe().unwrap()).args(arguments).current_dir(root()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn help_states_the_exit_codes() {
    let help = enjamb(&["--help"]);
    for line in ["  0  done", "  1  done, and found", "  2  wrong usage", "  3  something could not be read"] {
        assert!(text(&help.stdout).contains(line), "{}", text(&help.stdout));
    }
}

fn there_is_a_completion_script_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = enjamb(&["completions", shell]);
        assert!(script.status.success());
        let script = text(&script.stdout);
        assert!(script.contains("enjamb") && script.contains("recut-max"), "{shell}: {script}");
    }
    assert_eq!(enjamb(&["completions", "csh"]).status.code(), Some(2));
}

fn there_is_a_manual_page_for_every_command() {
    let page = enjamb(&["man"]);
    assert!(text(&page.stdout).contains(".TH enjamb 1"), "{}", text(&page.stdout));
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("man1");
    let written = enjamb(&["man", "--out", out.to_str().unwrap()]);
    assert!(written.status.success() && written.stdout.is_empty());
    for command in ["", "-replay", "-proxy", "-corpus", "-corpus-extract", "-protocols", "-completions", "-man"] {
        let page = std::fs::read_to_string(out.join(format!("enjamb{command}.1"))).unwrap();
        assert!(page.contains(&format!(".TH enjamb{command} 1")), "{page}");
    }
    let replay = std::fs::read_to_string(out.join("enjamb-replay.1")).unwrap();
    assert!(replay.contains("hung") && replay.contains(".SH REASSEMBLY"), "{replay}");
    let failed = enjamb(&["man", "--out", "Cargo.toml"]);
    assert_eq!(failed.status.code(), Some(3));
    assert!(text(&failed.stderr).starts_with("enjamb: cannot write manual pages to Cargo.toml"));
}

fn sizes_and_durations_have_one_syntax() {
    let capture = "corpora/redis/errors.pcap";
    for arguments in [
        &["replay", "--summary", "--max-held", "64K", "--patience-time", "250ms", capture][..],
        &["replay", "--summary", "--max-held-per-stream", "1m", "--patience-time", "60", capture],
        &["replay", "--show", "hex", "--show-max", "4K", capture],
        &["replay", "--recut", "coalesce", "--recut-max", "2K", "--hung-after", "1m", capture],
    ] {
        let ran = enjamb(arguments);
        assert_eq!(ran.status.code(), Some(0), "{arguments:?}: {}", text(&ran.stderr));
    }
    for (arguments, reason) in [
        (&["replay", "--max-held", "1.5M", capture][..], "a size is a whole number of its unit"),
        (&["replay", "--patience-time", "5 minutes", capture], "the unit of a duration is"),
        (&["replay", "--show", "hex", "--show-max", "65M", capture], "expected a size from 0 to 64M"),
        (&["replay", "--against", "x:1", "--timeout", "2d", capture], "the unit of a duration is"),
        (&["corpus", "extract", "--out", "x", "--max-size", "2M", capture], "expected a size from 1 to 1M"),
        (&["corpus", "extract", "--out", "x", "--hung-after", "1ms", capture], "expected a duration from 10ms to 24h"),
    ] {
        let ran = enjamb(arguments);
        assert_eq!(ran.status.code(), Some(2), "{arguments:?}");
        assert!(text(&ran.stderr).contains(reason), "{arguments:?}: {}", text(&ran.stderr));
    }
}

fn a_program_of_ones_own_replays_its_protocol() {
    let captures = ["corpora/redis/inline-commands.pcap", "corpora/redis/errors.pcap"];
    let ran = own_session(&[&["replay", "--protocol", "words", "--format", "jsonl"], &captures[..]].concat());
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let records = text(&ran.stdout).lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let messages: Vec<_> = records.filter(|record| record["type"] == "message").collect();
    assert!(messages.iter().any(|message| message["kind"] == "PING" && message["protocol"] == "words"));
    assert!(messages.iter().any(|message| message["outcome"] == "failed" && message["side"] == "server"));
    let ran = own_session(&[&["replay", "--protocol", "words", "--recut", "every-byte"], &captures[..]].concat());
    assert_eq!(ran.status.code(), Some(0), "the split law holds for it: {}", text(&ran.stdout));
}

fn a_program_of_ones_own_proxies_its_protocol() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let (mut socket, _) = upstream.accept().unwrap();
        socket.read_exact(&mut [0; 12]).unwrap();
        socket.write_all(b"+OK then\n").unwrap();
        assert_eq!(socket.read(&mut [0]).unwrap(), 0);
    });
    let mut proxy = Command::new(std::env::current_exe().unwrap())
        .args(["proxy", "--protocol", "words", "--listen", "127.0.0.1:0", "--upstream", &address])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(proxy.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    let listens = line.split_whitespace().find_map(|word| word.trim_end_matches(',').parse::<SocketAddr>().ok());
    let mut client = TcpStream::connect(listens.unwrap_or_else(|| panic!("no address in: {line}"))).unwrap();
    client.write_all(b"HELLO there\n").unwrap();
    client.read_exact(&mut [0; 9]).unwrap();
    drop(client);
    server.join().unwrap();
    assert!(Command::new("kill").args(["-INT", &proxy.id().to_string()]).status().unwrap().success());
    let output = proxy.wait_with_output().unwrap();
    let log = text(&output.stdout);
    assert!(output.status.success() && log.contains("HELLO there") && log.contains("+OK then"), "{log}");
}

fn a_program_of_ones_own_has_its_name_in_messages() {
    for (arguments, message) in [
        (&["replay", "nowhere.pcap"][..], "own-session replay: nowhere.pcap: "),
        (&["replay", "--protocol", "client=", "corpora"], "own-session replay: --protocol: "),
        (&["corpus", "to-test", "nowhere.txt"], "own-session corpus: nowhere.txt: "),
        (&["corpus", "show", "corpora/dictionaries"], "`own-session corpus extract` makes some"),
        (&["unknown-command"], "Usage: own-session [OPTIONS] <COMMAND>"),
        (&["replay", "--nonsense"], "Usage: own-session replay "),
    ] {
        let ran = own_session(arguments);
        assert!(text(&ran.stderr).contains(message), "{arguments:?}: {}", text(&ran.stderr));
    }
}

fn a_program_of_ones_own_has_its_version_and_manual() {
    assert_eq!(text(&own_session(&["--version"]).stdout), "own-session 1.2.3\n");
    let page = own_session(&["man"]);
    assert!(text(&page.stdout).contains(".TH own-session 1"), "{}", text(&page.stdout));
    assert!(text(&own_session(&["completions", "bash"]).stdout).contains("-F _own__session"));
    let protocols = own_session(&["protocols"]);
    assert!(text(&protocols.stdout).contains("\nwords "), "{}", text(&protocols.stdout));
}
