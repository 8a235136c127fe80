//! `enjamb corpus`: the extracted conversations are those of the captures, and the written tests
//! compile and run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use enjamb::Transcript;
use enjamb_law::{Cutting, Grammar, Script};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn enjamb(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_enjamb")).args(arguments).current_dir(root()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Extracts, and reads the results: the files by name, and the output.
fn extract(arguments: &[&str]) -> (BTreeMap<String, String>, String) {
    let folder = tempfile::tempdir().unwrap();
    extract_into(folder.path(), arguments)
}

fn extract_into(folder: &Path, arguments: &[&str]) -> (BTreeMap<String, String>, String) {
    let ran = enjamb(&[&["corpus", "extract", "--out", folder.to_str().unwrap()], arguments].concat());
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let files = std::fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap())
    });
    (files.collect(), text(&ran.stdout))
}

/// Returns a transcript as a file for a tool to read.
fn file(body: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("conversation.txt");
    std::fs::write(&path, format!("enjamb transcript 1\n{body}")).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

#[test]
fn an_extracted_file_is_a_seed_a_transcript_and_a_replay_input() {
    let folder = tempfile::tempdir().unwrap();
    let (files, said) = extract_into(folder.path(), &["corpora/redis", "corpora/http1"]);
    assert!(files.len() > 50, "{} files", files.len());
    assert!(said.contains(&format!("{} files written", files.len())), "{said}");
    for (name, body) in &files {
        let transcript = Transcript::parse(body).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!((1..=1200).contains(&transcript.payload_len()), "{name}");
        assert!(body.contains("\n# exercises:\n#   "), "{name}");
        assert_eq!(name.split('-').next(), transcript.protocol.as_deref(), "{name}");
        let case = Script::read(body.as_bytes()).case(&Grammar::default());
        assert_eq!(case.input, Cutting::from(&transcript), "{name}");
    }
    let (again, said) = extract_into(folder.path(), &["corpora/redis", "corpora/http1"]);
    assert_eq!(again, files);
    assert!(said.contains(": 0 files written") && said.contains("files that existed, and was not changed"), "{said}");

    // They replay, under other cuts too, and extracting from them gives the same transcripts.
    let folder = folder.path().to_str().unwrap();
    let ran = enjamb(&["replay", "--recut", "one-cut", folder]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stdout));
    assert!(text(&ran.stdout).contains(&format!("{} transcripts", files.len())));
    assert_eq!(extract(&[folder]).0, files);
}

#[test]
fn the_order_of_the_captures_makes_no_difference() {
    let (one, _) =
        extract(&["corpora/redis/errors.pcap", "corpora/redis/collections.pcap", "corpora/http1/errors.pcap"]);
    let (other, _) =
        extract(&["corpora/http1/errors.pcap", "corpora/redis/collections.pcap", "corpora/redis/errors.pcap"]);
    assert_eq!(one, other);
}

/// Every message of the captures is in some file: its side, kind, outcome and code. Conversations
/// whose protocol is not known are left out.
#[test]
fn every_kind_of_message_in_the_captures_is_extracted() {
    let kinds = |capture: &str| -> BTreeSet<String> {
        let ran = enjamb(&["replay", "--format", "jsonl", capture]);
        let records = text(&ran.stdout);
        let records = records.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let messages = records.filter(|record| record["type"] == "message" && record["protocol"] != "opaque");
        messages
            .map(|m| format!("{} {} {} {} {}", m["side"], m["kind"], m["outcome"], m["code"], m["reason"]))
            .collect()
    };
    for folder in ["corpora/redis", "corpora/http1"] {
        let out = tempfile::tempdir().unwrap();
        extract_into(out.path(), &[folder]);
        let wanted = kinds(folder);
        assert!(wanted.len() > 10);
        assert_eq!(kinds(out.path().to_str().unwrap()), wanted, "{folder}");
    }
}

#[test]
fn a_long_conversation_becomes_a_few_independent_pieces() {
    let mut body = String::from("protocol redis\n");
    for at in 0..500 {
        let (command, reply) = if at % 100 == 99 { ("GET k", "$-1") } else { ("PING", "+PONG") };
        let _ = write!(body, "@{at} client\n  \"{command}\\r\\n\"\n@{at}.5 server\n  \"{reply}\\r\\n\"\n");
    }
    let (_kept, path) = file(&body);
    let (files, said) = extract(&["--max-size", "200", &path]);
    assert!(said.contains("1 conversation, "), "{said}");
    let [one] = &files.values().collect::<Vec<_>>()[..] else { panic!("one that takes all steps: {files:#?}") };
    assert!(one.contains("#   (client PING ok <16; server reply ok <16)+\n#   client GET ok <16\n"), "{one}");
    let (files, _) = extract(&["--max-size", "200", "--all", &path]);
    assert!((3..=6).contains(&files.len()), "pings, and a get among them in several places: {files:#?}");
    assert!(files.values().all(|file| Transcript::parse(file).unwrap().payload_len() <= 200));
}

#[test]
fn pieces_that_depend_on_others_are_left_out_and_counted() {
    let ping = "@1 client\n  \"PING\\r\\n\"\n@1 server\n  \"+PONG\\r\\n\"\n";
    let large = format!("@2 client\n  \"SET k {}\\r\\n\"\n@2 server\n  \"+OK\\r\\n\"\n", "x".repeat(300));
    let (_kept, path) = file(&format!("protocol redis\n{ping}{large}{ping}"));
    let (files, said) = extract(&["--max-size", "100", &path]);
    assert!(said.contains("1 part with more than 100 bytes") && said.contains("--max-size"), "{said}");
    assert_eq!(files.len(), 1, "the pings before and after it are the same: {files:#?}");
    assert!(said.contains("  1 piece with the signature of another one, which is smaller\n"), "{said}");
    // The kinds that are lost with it are named, and those that other files have are not.
    assert!(
        said.contains("  1 kind of message in the captures but in none of the files:\n    client SET ok\n"),
        "{said}"
    );
    let (_, said) = extract(&["--max-size", "1000", &path]);
    assert!(!said.contains("in none of the files"), "{said}");

    let (_kept, path) = file("@0 client\n  \"\\x00\\x01nobody\"\n@0 client closed\n@0 server closed\n");
    let (files, said) = extract(&[&path]);
    assert!(files.is_empty() && said.contains("1 conversation of no known protocol: --protocol names one"), "{said}");
    let (files, _) = extract(&["--protocol", "client=fixed:2 server=u8", &path]);
    assert!(files.keys().all(|name| name.starts_with("client-fixed-2-server-u8-")) && files.len() == 1, "{files:#?}");
}

#[test]
fn a_gap_is_kept_in_the_transcript_and_in_its_test() {
    let body = "protocol redis\n@1 client\n  \"GET k\\r\\n\"\n@1 server\n  \"$100\\r\\n\"\n@2 server gap 90\n@2 server\n  \"0123456789\\r\\n\"\n@3 client closed\n@3 server closed\n";
    let (_kept, path) = file(body);
    let (files, said) = extract(&[&path]);
    let [one] = &files.values().collect::<Vec<_>>()[..] else { panic!("{said}") };
    assert!(one.contains("#   server gap\n") && one.contains(" server gap 90\n"), "{one}");
    assert!(!said.contains("in none of the files"), "{said}");
    let (_kept, path) = file(one.strip_prefix("enjamb transcript 1\n").unwrap());
    let ran = enjamb(&["corpus", "to-test", &path]);
    let test = text(&ran.stdout);
    assert!(test.contains("server gap 90\n") && !test.contains("does not hold"), "{test}{}", text(&ran.stderr));
    assert!(
        test.contains("server reply at 0+108 ok answers #0: ") && test.contains("90 missing"),
        "what is missing is counted off: {test}"
    );
}

#[test]
fn show_lists_a_corpus() {
    let folder = tempfile::tempdir().unwrap();
    let (files, _) = extract_into(folder.path(), &["corpora/redis/errors.pcap", "corpora/http1/errors.pcap"]);
    let shown = enjamb(&["corpus", "show", folder.path().to_str().unwrap()]);
    assert_eq!(shown.status.code(), Some(0), "{}", text(&shown.stderr));
    let table = text(&shown.stdout);
    let mut lines = table.lines();
    assert_eq!(
        lines.next().unwrap().split_whitespace().collect::<Vec<_>>(),
        ["file", "protocol", "bytes", "chunks", "messages", "not", "ok", "kinds"]
    );
    let (mut bytes, mut rows) = (0, 0);
    for (line, (name, body)) in lines.zip(&files) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let transcript = Transcript::parse(body).unwrap();
        assert_eq!(words[..3], [name, transcript.protocol.as_deref().unwrap(), &transcript.payload_len().to_string()]);
        let exercised = body.lines().filter(|line| line.starts_with("#   ") && line.contains(" failed ")).count();
        assert_eq!(words[5] != "0", exercised > 0, "{line}: {body}");
        (bytes, rows) = (bytes + transcript.payload_len(), rows + 1);
    }
    assert!(rows == files.len() && rows > 10, "{table}");
    assert!(table.contains(&format!("\n{rows} transcripts, {bytes} bytes, ")), "{table}");
}

#[test]
fn errors_name_the_place_and_the_remedy() {
    let (kept, wrong) = file("@0 nobody\n");
    let (_kept, unnamed) = file("@0 client\n  \"x\"\n");
    let (_kept, unknown) = file("protocol mymq\n@0 client\n  \"x\"\n");
    let (_kept, silent) = file("protocol redis\n@0 client closed\n");
    let empty = tempfile::tempdir().unwrap();
    let empty = empty.path().to_str().unwrap();
    let out = kept.path().join("out");
    let out = out.to_str().unwrap();
    for (arguments, code, said) in [
        (&["extract", "--out", out, "--protocol", "client=", "corpora/redis"][..], 2, "--protocol: "),
        (&["extract", "--out", out, "nowhere.pcap"], 3, "nowhere.pcap: "),
        (&["extract", "--out", out, &wrong], 3, "line 2, column 1: the side is not"),
        (&["extract", "--out", "README.md", "corpora/redis"], 3, "--out: README.md"),
        (&["extract", "corpora/redis"], 2, "--out"),
        (&["extract", "--out", out, empty], 3, "there is neither a capture nor a transcript in this directory"),
        (&["extract", "--out", out, "*.nothing"], 3, "nothing matches this pattern"),
        (&["extract", "--out", out, "README.md"], 3, "README.md: expected a capture"),
        (&["show", empty], 3, "there are no transcripts to show: `enjamb corpus extract` makes some"),
        (&["show", &wrong], 3, "line 2, column 1: the side is not"),
        (&["show", &unknown], 3, "conversation.txt: "),
        (&["to-test", &silent], 2, "it has no byte of payload, so there is nothing to test"),
        (&["to-test", "nowhere.txt"], 3, "nowhere.txt: "),
        (&["to-test", &wrong], 3, "conversation.txt: line 2, column 1: the side is not"),
        (&["to-test", &unnamed], 2, "it does not name its protocol: use --protocol"),
        (&["to-test", &unknown], 2, "use --protocol to name another"),
        (&["to-test", "corpora/redis/errors.pcap"], 3, "line 1, column "),
    ] {
        let ran = enjamb(&[&["corpus"], arguments].concat());
        assert_eq!(ran.status.code(), Some(code), "{arguments:?}: {}", text(&ran.stderr));
        assert!(text(&ran.stderr).contains(said), "{arguments:?}: {}", text(&ran.stderr));
    }
}

/// Runs a crate of another project with this test in it.
fn cargo_test(folder: &Path, test: &str) -> Output {
    let root = root().canonicalize().unwrap();
    let workspace = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    // The profiles of the workspace are the same, so that its compiled dependencies are used.
    let profiles = &workspace[workspace.find("[profile.").unwrap()..];
    let path = |name: &str| format!("{name} = {{ path = {:?} }}\n", root.join("crates").join(name));
    let dependencies: String = ["enjamb", "enjamb-law", "enjamb-protocols"].map(path).concat();
    let manifest = format!(
        "[package]\nname = \"somebody-elses\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dev-dependencies]\n{dependencies}\n{profiles}"
    );
    std::fs::create_dir_all(folder.join("tests")).unwrap();
    std::fs::create_dir_all(folder.join("src")).unwrap();
    std::fs::write(folder.join("src/lib.rs"), "").unwrap();
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(folder.join("tests/regressions.rs"), test).unwrap();
    std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    Command::new(env!("CARGO"))
        .args(["test", "--offline", "--quiet", "--test", "regressions"])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap()
}

#[test]
fn the_test_of_a_transcript_compiles_and_fails_when_the_messages_change() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().to_str().unwrap();
    extract_into(out.path(), &["corpora/redis/binary-values.pcap", "corpora/http1/chunked.pcap"]);
    extract_into(
        out.path(),
        &["--protocol", "client=lines server=delimiter:0d0a", "corpora/redis/inline-commands.pcap"],
    );
    let mut files: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().to_str().unwrap().to_owned()).collect();
    files.sort();
    assert!(files.len() >= 5, "{files:?}");
    let arguments: Vec<&str> = ["corpus", "to-test"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let ran = enjamb(&arguments);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let tests = text(&ran.stdout);
    assert_eq!(tests.matches("#[test]").count(), files.len());

    let crate_folder = tempfile::tempdir().unwrap();
    let tested = cargo_test(crate_folder.path(), &tests);
    let said = format!("{}{}", text(&tested.stdout), text(&tested.stderr));
    assert!(tested.status.success(), "{said}\n{tests}");
    assert!(said.contains(&format!("{} passed", files.len())), "{said}");
    assert!(!said.contains("warning"), "{said}");

    let other = tests.replacen(" ok", " failed", 1);
    assert_ne!(other, tests);
    let tested = cargo_test(crate_folder.path(), &other);
    assert!(text(&tested.stdout).contains("1 failed"), "{}{}", text(&tested.stdout), text(&tested.stderr));
}
