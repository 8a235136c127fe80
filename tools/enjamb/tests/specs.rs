//! Spec files on the command line: in the place of a protocol's name, beside `auto`, exported,
//! wrong.

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn enjamb(line: &str) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(env!("CARGO_BIN_EXE_enjamb"));
    command.args(line.split(' ')).current_dir(root).stdin(Stdio::null()).output().unwrap()
}

fn stdout(line: &str) -> String {
    let output = enjamb(line);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_spec_file_is_a_protocol() {
    let named = stdout("replay --protocol corpora/specs/meter.toml corpora/specs/meter.pcapng");
    assert!(named.contains("ERROR UNKNOWN_REGISTER no register"), "{named}");
    // `auto` recognises it, and the name is known.
    for line in ["replay --spec corpora/specs/meter.toml", "replay --protocol meter --spec corpora/specs/meter.toml"] {
        assert_eq!(stdout(&format!("{line} corpora/specs/meter.pcapng")), named, "{line}");
    }
    let filtered = stdout(
        "replay --spec corpora/specs/vendor.toml --filter vendor.object==\"/pump/2\" corpora/specs/vendor.pcapng",
    );
    assert!(filtered.contains("Write") && !filtered.contains("Notify"), "{filtered}");
    assert!(stdout("protocols --spec corpora/specs/meter.toml").contains("meter "));
    assert!(stdout("protocols corpora/specs/vendor.toml").contains("vendor.call_id"));
}

#[test]
fn a_spec_file_is_exported() {
    assert!(stdout("protocols export --wireshark corpora/specs/meter.toml").contains("dissect_tcp_pdus"));
    assert!(stdout("protocols export --dictionary corpora/specs/meter.toml").contains("\"MT\""));
    assert_eq!(enjamb("protocols export corpora/specs/meter.toml").status.code(), Some(2));
}

#[test]
fn a_wrong_spec_file_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong.toml");
    std::fs::write(&path, "name = \"wrong\"\n[messages.m]\nfelds = []\n").unwrap();
    let output = enjamb(&format!("replay --protocol {} corpora/specs/meter.pcapng", path.display()));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(
        error.contains("wrong.toml:3:1: a message has no key \"felds\"") && error.contains("\"fields\""),
        "{error}"
    );
    let missing = enjamb("replay --protocol no/such/file.toml corpora/specs/meter.pcapng");
    assert_eq!(missing.status.code(), Some(3));
}
