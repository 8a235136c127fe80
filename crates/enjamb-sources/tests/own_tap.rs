//! The example `own_tap`, over captures of this project.

#[allow(dead_code, reason = "the main function of the example")]
#[path = "../examples/own_tap.rs"]
mod own_tap;

use std::path::Path;

#[test]
fn the_example_counts_the_bytes_of_every_connection() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpora");
    let mut out = Vec::new();
    own_tap::run(&[corpora.join("redis/errors.pcap"), corpora.join("http1/chunked.pcap")], &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("#1 127.0.0.1:") && lines[0].ends_with(" bytes, 0 missing"), "{text}");
    let connections = lines.iter().filter(|line| line.starts_with('#')).count();
    assert!(connections > 6, "the connections of both captures: {text}");
    assert!(lines[connections].starts_with("2 captures, "), "{text}");
}
