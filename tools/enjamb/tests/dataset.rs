//! `enjamb replay --format parquet`: the records of the JSON lines, as a dataset.

mod support;

#[path = "../../../crates/enjamb-monitor/tests/support/dataset.rs"]
mod dataset;

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use support::{enjamb, of_type, root};

fn replayed(arguments: &[&str]) -> Output {
    enjamb().arg("replay").args(arguments).output().unwrap()
}

fn out(arguments: &[&str]) -> String {
    let output = replayed(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Writes a dataset of the records that `arguments` select, in a directory that ends with it.
fn write(arguments: &[&str]) -> (tempfile::TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dataset");
    let said = out(&[&["--format", "parquet", "--out", path.to_str().unwrap()], arguments].concat());
    (folder, path, said)
}

fn json_lines(arguments: &[&str]) -> Vec<Value> {
    let text = out(&[&["--format", "jsonl"], arguments].concat());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn summary_of(dataset: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(dataset.join("_summary.json")).unwrap()).unwrap()
}

/// The same without its histograms, which are only in datasets.
fn without_histograms(mut value: Value) -> Value {
    match &mut value {
        Value::Object(object) => {
            object.remove("histogram");
            object.values_mut().for_each(|value| *value = without_histograms(value.take()));
        }
        Value::Array(array) => array.iter_mut().for_each(|value| *value = without_histograms(value.take())),
        _ => {}
    }
    value
}

#[test]
fn every_record_of_the_json_lines_is_in_the_dataset() {
    for (arguments, least) in [
        (&["--jobs", "1", "corpora"][..], 1000),
        (&["--jobs", "3", "corpora"], 1000),
        (&["--show", "payload", "--show-max", "20", "corpora/redis", "corpora/http1/chunked.pcap"], 500),
        (&["--show", "hex", "corpora/redis/binary-values.pcap"], 10),
        (&["--protocol", "client=lines server=any:0a|00 max=1M", "corpora/redis/errors.pcap"], 10),
        (&["--filter", "outcome != \"ok\"", "corpora"], 50),
        (&["--side", "server", "--conn", "2-9", "corpora"], 5),
        (&["--filter", "kind == \"none such\"", "corpora"], 0),
    ] {
        let mut records = json_lines(arguments);
        let counted = records.pop().unwrap();
        let (_folder, path, said) = write(arguments);
        let count = enjamb::units::format_count(records.len() as u64);
        assert!(said.starts_with(&format!("{count} records in {}\n", path.display())), "{said}");
        assert!(records.len() >= least, "{arguments:?}: {}", records.len());
        let partitions = dataset::read(&path);
        let without_captures = partitions.into_iter().map(|(protocol, records)| {
            let records: Vec<Value> = records.into_iter().map(|(_, record)| record).collect();
            (protocol, records)
        });
        let mut found: Vec<_> = without_captures.collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(found, dataset::by_protocol(records), "{arguments:?}");
        assert_eq!(without_histograms(summary_of(&path)), counted, "{arguments:?}");
    }
}

#[test]
fn the_column_capture_names_the_file_of_the_connection() {
    let captures = ["corpora/redis/errors.pcap", "corpora/http1/chunked.pcap", "corpora/redis/monitor.pcap"];
    for jobs in ["1", "3"] {
        captures_are_named(jobs, &captures);
    }
}

fn captures_are_named(jobs: &str, captures: &[&str]) {
    let (_folder, path, _) = write(&[&["--jobs", jobs], captures].concat());
    let mut base = 0;
    let mut expected = Vec::new();
    for capture in captures {
        let records = json_lines(&[*capture]);
        let connections = of_type(&records, "connection").len() as u64 / 2;
        expected.extend((base + 1..=base + connections).map(|number| (number, (*capture).to_owned())));
        base += connections;
    }
    let mut found: Vec<(u64, String)> = dataset::read(&path)
        .into_iter()
        .flat_map(|(_, records)| records)
        .map(|(capture, record)| (record["conn"].as_u64().unwrap(), capture.unwrap()))
        .collect();
    found.sort();
    found.dedup();
    assert_eq!(found, expected);
}

#[test]
fn the_files_do_not_depend_on_the_number_of_threads() {
    // Several rounds of work for the threads.
    let captures = ["corpora"; 12];
    let written = |jobs: &str| {
        let (folder, path, _) = write(&[&["--jobs", jobs], &captures[..]].concat());
        let names =
            ["__HIVE_DEFAULT_PARTITION__", "http1", "redis"].map(|name| format!("protocol={name}/part-00000.parquet"));
        let files = names.iter().map(String::as_str).chain(["_summary.json"]);
        let read = |file: &str| (file.to_owned(), std::fs::read(path.join(file)).unwrap());
        (folder, files.map(read).collect::<Vec<_>>())
    };
    let ((_one, alone), (_other, shared)) = (written("1"), written("3"));
    for ((name, alone), (_, shared)) in alone.iter().zip(&shared) {
        assert!(!alone.is_empty() && alone == shared, "{name}");
    }
}

#[test]
fn the_histograms_add_up_to_the_quantiles() {
    let quantiles = |spread: &Value| {
        let histogram = spread["histogram"].as_array().unwrap();
        let histogram: Vec<[u64; 2]> =
            histogram.iter().map(|pair| [pair[0].as_u64().unwrap(), pair[1].as_u64().unwrap()]).collect();
        let count: u64 = histogram.iter().map(|[_, count]| count).sum();
        assert_eq!(count, spread["count"]);
        for (name, part) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)] {
            let rank = ((count as f64 * part).ceil() as u64).max(1);
            let mut seen = 0;
            let reached = histogram.iter().find(|[_, count]| {
                seen += count;
                seen >= rank
            });
            assert_eq!(reached.unwrap()[0], spread[name], "{name}");
        }
    };
    for jobs in ["1", "3"] {
        let (_folder, path, _) = write(&["--jobs", jobs, "corpora"]);
        let summary = summary_of(&path);
        quantiles(&summary["duration_us"]);
        quantiles(&summary["latency_us"]);
        quantiles(&summary["client"]["length"]);
        quantiles(&summary["server"]["length"]);
        summary["latency_us_by_kind"].as_array().unwrap().iter().for_each(quantiles);
    }
}

#[test]
fn a_dataset_needs_a_new_or_empty_directory() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    let occupied = folder.path().to_str().unwrap();
    let file = folder.path().join("notes.txt");
    let errors = "corpora/redis/errors.pcap";
    for (arguments, code, says) in [
        (&["--format", "parquet", errors][..], 2, "--out DIR"),
        (&["--format", "parquet", "--out", occupied, errors], 2, "it contains notes.txt"),
        (&["--format", "parquet", "--out", file.to_str().unwrap(), errors], 2, "it is a file"),
        (&["--format", "parquet", "--out", "/proc/none/dataset", errors], 3, "cannot write the dataset to /proc/none"),
        (&["--format", "jsonl", "--out", "target/not-made", errors], 2, "--format parquet"),
        (&["--format", "parquet", "--out", "target/not-made", "--summary", errors], 2, "_summary.json"),
        (&["--format", "parquet", "--out", "target/not-made", "--recut", "one-cut", errors], 2, "--recut"),
    ] {
        let output = replayed(arguments);
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {err}");
        assert!(err.contains(says), "{arguments:?}: {err}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    assert!(!root().join("target/not-made").exists());
    assert_eq!(std::fs::read_to_string(file).unwrap(), "mine");
}

#[test]
fn a_full_disk_leaves_no_dataset() {
    let folder = tempfile::tempdir().unwrap();
    // The limit of a file's size is lower than the size of the output.
    let script = "ulimit -f 8; trap '' XFSZ; exec \"$@\"";
    let path = folder.path().join("dataset");
    let output = std::process::Command::new("bash")
        .args(["-c", script, "bash", env!("CARGO_BIN_EXE_enjamb"), "replay", "--format", "parquet", "--out"])
        .args([path.to_str().unwrap(), "corpora"])
        .current_dir(root())
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{err}");
    assert!(err.contains("cannot write the dataset to") && err.contains("File too large"), "{err}");
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0, "nothing is left");
}

#[test]
fn list_writes_the_names_of_the_inputs() {
    let listed = out(&["--list", "corpora"]);
    let names: Vec<&str> = listed.lines().collect();
    assert!(names.len() >= 41, "{names:?}");
    assert!(names.contains(&"corpora/redis/errors.pcap") && names.is_sorted(), "{names:?}");
    let output = replayed(&["--list", "corpora/redis/er*.pcap", "corpora/*.none"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "corpora/redis/errors.pcap\n");
    assert_eq!(output.status.code(), Some(3), "something of what was asked for is not there");
    assert!(String::from_utf8(output.stderr).unwrap().contains("corpora/*.none: nothing matches"));
}
