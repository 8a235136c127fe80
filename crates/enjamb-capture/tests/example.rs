//! The example reads a capture.

use std::path::Path;

#[path = "../examples/read_capture.rs"]
#[allow(dead_code, reason = "`main` is not called here")]
mod read_capture;

#[test]
fn the_example_returns_the_payload_of_a_capture() {
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpora/http1/chunked.pcap");
    let (lines, error) = read_capture::lines(&capture);
    assert!(error.is_none(), "{error:?}");
    assert!(lines[0].starts_with("#1 client: \"GET /page.ssi HTTP/1.1\\r\\n"), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("#3 server: \"HTTP/1.1 200 OK")), "{lines:?}");
}
