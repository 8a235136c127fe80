//! The report of `enjamb replay --html`: its numbers, in the file and in a browser.

#[path = "../../../crates/enjamb-capture/tests/requirements/mod.rs"]
mod requirements;
mod support;

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use enjamb::{Connection, Ending, Event, Message, Outcome, Session, Side, Span, Tap, Time};
use enjamb_capture::Recorder;
use enjamb_cli::Program;
use enjamb_protocols::Protocol;
use libtest_mimic::Trial;
use requirements::trial;
use serde_json::Value;
use support::{Process, enjamb, installed};

/// The tests. With `replay` as its first argument this program is `enjamb` with a protocol that
/// repeats whatever it receives.
fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("replay") {
        let parrot = Protocol::new("parrot", || Box::new(Parrot([0; 2])));
        return Program::new("parrots", "1.2.3").register(parrot).run();
    }
    let always: [(&str, fn()); 7] = [
        ("the_page_has_the_numbers_of_the_summary", the_page_has_the_numbers_of_the_summary),
        ("the_page_loads_nothing_and_shows_the_selection", the_page_loads_nothing_and_shows_the_selection),
        ("the_page_shows_damaged_and_unreadable_captures", the_page_shows_damaged_and_unreadable_captures),
        ("a_page_without_messages_is_complete", a_page_without_messages_is_complete),
        (
            "a_report_that_cannot_be_written_is_an_error_before_the_work",
            a_report_that_cannot_be_written_is_an_error_before_the_work,
        ),
        ("text_from_the_wire_is_escaped_in_the_page", text_from_the_wire_is_escaped_in_the_page),
        ("the_size_of_the_page_is_bounded", the_size_of_the_page_is_bounded),
    ];
    let in_a_browser = [
        trial(
            "a_browser_shows_the_numbers_of_the_summary",
            installed::chromium,
            a_browser_shows_the_numbers_of_the_summary,
        ),
        trial("a_browser_runs_no_script_from_the_wire", installed::chromium, a_browser_runs_no_script_from_the_wire),
    ];
    let always = always.into_iter().map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    requirements::run(always.chain(in_a_browser).collect())
}

/// A report, and the summary that was written with it.
struct Report {
    path: PathBuf,
    page: String,
    summary: Value,
}

fn report(folder: &Path, arguments: &[&str]) -> Report {
    let path = folder.canonicalize().unwrap().join("report.html");
    let output = enjamb()
        .args(["replay", "--summary", "--format", "json", "--html"])
        .arg(&path)
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(&path).unwrap();
    Report { path, page, summary: serde_json::from_slice(&output.stdout).unwrap() }
}

/// Returns the JSON in the page.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

/// Returns the numbers that are shown, with their places in the summary.
fn shown(page: &str) -> Vec<(String, u64)> {
    let parts = page.split("data-path=\"").skip(1);
    parts
        .map(|part| {
            let (path, rest) = part.split_once("\">").unwrap();
            let text = rest.split_once('<').unwrap().0;
            (path.to_owned(), text.replace(',', "").parse().unwrap_or_else(|error| panic!("{path}: {text}: {error}")))
        })
        .collect()
}

/// Checks that every number that is shown is that of the summary, and that the important ones are
/// shown.
fn check_numbers(page: &str, summary: &Value) {
    let shown = shown(page);
    for (path, number) in &shown {
        assert_eq!(summary.pointer(path).and_then(Value::as_u64), Some(*number), "{path}");
    }
    let mut wanted: Vec<String> =
        ["/connections", "/latency_us/p50", "/latency_us/p99", "/latency_us/max"].map(Into::into).into();
    for side in ["client", "server"] {
        for field in ["messages", "bytes", "ok", "failed", "malformed", "incomplete", "chunks", "gaps", "length/p50"] {
            wanted.push(format!("/{side}/{field}"));
        }
        wanted.push(format!("/{side}/kinds/0/messages"));
    }
    for list in ["errors", "endings"] {
        let length = summary[list].as_array().unwrap().len().min(20);
        wanted.extend((0..length).map(|place| format!("/{list}/{place}/count")));
    }
    for path in wanted {
        assert!(shown.iter().any(|(there, _)| *there == path), "{path} is not shown");
    }
}

fn sum(value: &Value) -> u64 {
    value.as_array().unwrap().iter().map(|part| part.as_u64().unwrap()).sum()
}

const CAPTURES: [&str; 4] = [
    "corpora/http1/errors.pcap",
    "corpora/redis/errors.pcap",
    "corpora/redis/pipeline-benchmark.pcapng",
    "corpora/redis/protocol-errors.pcap",
];

fn the_page_has_the_numbers_of_the_summary() {
    let folder = tempfile::tempdir().unwrap();
    let Report { page, summary, .. } = report(folder.path(), &CAPTURES);
    check_numbers(&page, &summary);
    let data = data(&page);
    assert_eq!(data["summary"], summary);
    assert_eq!(data["captures"], serde_json::json!(CAPTURES));
    for side in ["client", "server"] {
        assert_eq!(sum(&data["over_time"][side]["messages"]), summary[side]["messages"]);
        let errors = ["failed", "malformed", "incomplete"].map(|name| summary[side][name].as_u64().unwrap());
        assert_eq!(sum(&data["over_time"][side]["errors"]), errors.iter().sum::<u64>());
    }
    for plot in [
        "Messages over time",
        "Connections",
        "Latency",
        "Latency by kind",
        "Errors",
        "Frame sizes",
        "Messages per segment",
        "Segments per message",
    ] {
        let (_, rest) = page.split_once(&format!("<h3>{plot}</h3>")).unwrap_or_else(|| panic!("{plot} is not there"));
        let plot_text = rest.split_once("</figure>").unwrap().0;
        assert!(plot_text.contains("<svg ") && plot_text.contains("<rect "), "{plot} is empty");
        assert!(!plot_text.contains("NaN") && !plot_text.contains("\"inf"), "{plot} has no place for a mark");
    }
}

fn the_page_loads_nothing_and_shows_the_selection() {
    let folder = tempfile::tempdir().unwrap();
    let Report { page, summary, .. } =
        report(folder.path(), &["--filter", "kind != \"<&>\" && side == \"client\"", CAPTURES[1]]);
    // The only script element is the data block, and all style is in the style sheet, which the
    // policy allows by hash.
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("<style>").count(), 1);
    for inline in ["style=", "onclick", "onload", "unsafe-inline"] {
        assert!(!page.contains(inline), "{inline}");
    }
    assert!(page.contains("default-src 'none'; style-src 'sha256-"));
    for loads in ["http://", "https://", "src=", "<link", "@import", "url("] {
        assert!(!page.contains(loads), "{loads}");
    }
    assert!(page.contains("--filter 'kind != "), "it says what was selected");
    assert_eq!(shown(&page).iter().find(|(path, _)| path == "/server/messages").unwrap().1, 0);
    assert_eq!(summary["server"]["messages"], 0);
}

fn the_page_shows_damaged_and_unreadable_captures() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(support::root().join(CAPTURES[1])).unwrap();
    let cut = folder.path().join("cut.pcap");
    std::fs::write(&cut, &whole[..whole.len() - 7]).unwrap();
    let Report { page, .. } = report(folder.path(), &[cut.to_str().unwrap(), "nowhere.pcap"]);
    let notes = page.split_once("Problems of the captures").unwrap().1.split_once("</div>").unwrap().0;
    assert!(notes.contains("cut.pcap") && notes.contains("byte") && notes.contains("nowhere.pcap"), "{notes}");
}

fn a_page_without_messages_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let Report { page, summary, .. } = report(folder.path(), &["--filter", "kind == \"nothing\"", CAPTURES[0]]);
    assert!(page.contains("There are no messages.") && !page.contains("NaN"));
    assert!(shown(&page).iter().all(|(path, number)| summary.pointer(path).unwrap().as_u64() == Some(*number)));
}

fn a_report_that_cannot_be_written_is_an_error_before_the_work() {
    let output = enjamb().args(["replay", "--html", "nowhere/report.html", CAPTURES[0]]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere/report.html"));
}

/// Records `count` connections with 20 requests and replies each.
fn record(path: &Path, count: u16, request: &[u8], reply: &[u8]) {
    let mut recorder = Recorder::new(File::create(path).unwrap());
    for number in 1..=count {
        let connection = Connection {
            number: number.into(),
            client: SocketAddr::from(([192, 0, 2, 1], 1024 + number)),
            server: SocketAddr::from(([192, 0, 2, 2], 6379)),
        };
        let at = |micros: u64| Time::from_nanos((1_700_000_000_000_000 + u64::from(number) * 977 + micros) * 1000);
        recorder.event(&connection, at(0), Event::Open);
        for round in 0..20 {
            recorder.event(&connection, at(10 + round * 50), Event::Chunk { side: Side::Client, bytes: request });
            recorder.event(&connection, at(30 + round * 50), Event::Chunk { side: Side::Server, bytes: reply });
        }
        recorder.event(&connection, at(2000), Event::Close { side: Side::Client, ending: Ending::Closed });
        recorder.event(&connection, at(2000), Event::Close { side: Side::Server, ending: Ending::Closed });
        recorder.event(&connection, at(2000), Event::Done);
    }
    recorder.finish().unwrap();
}

/// The text that a hostile peer may send to the reader of the report.
const HOSTILE: &[u8] = b"<img/src=x/onerror=document.title='owned'>\"</script></title><script>document.title='owned'</script>&amp;\x1b[31m";

/// A protocol that treats every chunk as a message. The chunk itself is its kind, its code and its
/// reason.
struct Parrot([u64; 2]);

impl Session for Parrot {
    fn protocol(&self) -> &str {
        "parrot<i>"
    }

    fn feed(&mut self, side: Side, chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        let text = &*String::from_utf8_lossy(chunk);
        let offset = &mut self.0[side.index()];
        let span = Span { offset: *offset, length: chunk.len() as u64 };
        *offset = span.end();
        out(&Message {
            outcome: if side == Side::Server { Outcome::Malformed } else { Outcome::Ok },
            code: Some(text),
            reason: Some(text),
            answers: (side == Side::Server).then_some(0),
            summary: &text,
            ..Message::new("parrot<i>", side, text, span)
        });
    }

    fn gap(&mut self, _: Side, _: u64, _: &mut dyn FnMut(&Message<'_>)) {}

    fn close(&mut self, _: Side, _: Ending, _: &mut dyn FnMut(&Message<'_>)) {}

    fn held(&self) -> usize {
        0
    }
}

/// Returns the report of a capture whose every word is hostile.
fn hostile(folder: &Path) -> PathBuf {
    let folder = folder.canonicalize().unwrap();
    let (capture, page) = (folder.join("<img src=x>&amp;.pcapng"), folder.join("hostile.html"));
    record(&capture, 3, HOSTILE, HOSTILE);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["replay", "--summary", "--protocol", "parrot", "--html"])
        .args([&page, &capture])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    page
}

fn text_from_the_wire_is_escaped_in_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let page = std::fs::read_to_string(hostile(folder.path())).unwrap();
    let summary = &data(&page)["summary"];
    let sent = String::from_utf8_lossy(HOSTILE);
    assert_eq!(
        (&summary["client"]["kinds"][0]["kind"], &summary["errors"][0]["why"]),
        (&(*sent).into(), &(*sent).into())
    );
    assert!(
        !page.contains("<img") && !page.contains("<script>document") && !page.contains("<i>") && !page.contains('\x1b')
    );
    assert!(page.contains("<bdi>&lt;img/src=x/onerror=document.title='owned'&gt;"), "it is shown");
    check_numbers(&page, summary);
}

fn the_size_of_the_page_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.pcapng");
    record(&path, 5000, b"PING\r\n", b"+PONG\r\n");
    let Report { page, summary, .. } = report(folder.path(), &[path.to_str().unwrap()]);
    assert_eq!(summary["client"]["messages"], 100_000);
    assert!(page.len() < 1 << 20, "{} bytes", page.len());
    // Once for a screen and once for a phone.
    assert_eq!(page.matches("class=\"life\"").count(), 2 * 48);
    assert!(page.contains("The first 48 of 5,000 connections: 4,952 more are not drawn."));
}

/// Returns the document that a browser makes of a page. Nothing in it may violate the policy of the
/// page.
fn dom(page: &Path) -> String {
    let profile = tempfile::tempdir().unwrap();
    let (out, log) = (profile.path().join("dom.html"), profile.path().join("log.txt"));
    let child = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync", "--dump-dom"])
        .arg("--enable-logging=stderr")
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", page.display()))
        .stdout(File::create(&out).unwrap())
        .stderr(File::create(&log).unwrap())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut process = Process(child);
    let started = Instant::now();
    while process.0.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_secs(120), "the browser does not end");
        std::thread::sleep(Duration::from_millis(50));
    }
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(!log.contains("Content Security Policy"), "{log}");
    std::fs::read_to_string(&out).unwrap()
}

fn a_browser_shows_the_numbers_of_the_summary(&(): &()) {
    let folder = tempfile::tempdir().unwrap();
    let Report { path, page, summary } = report(folder.path(), &CAPTURES);
    let dom = dom(&path);
    check_numbers(&dom, &summary);
    assert_eq!(shown(&dom).len(), shown(&page).len());
    assert_eq!(data(&dom)["summary"], summary);
    assert!(page.matches("<title>").count() > 20, "marks have tooltips");
    for mark in ["<title>", "<rect ", "<line ", "<text "] {
        assert_eq!(dom.matches(mark).count(), page.matches(mark).count(), "{mark}");
    }
}

fn a_browser_runs_no_script_from_the_wire(&(): &()) {
    let folder = tempfile::tempdir().unwrap();
    let path = hostile(folder.path());
    let dom = dom(&path);
    check_numbers(&dom, &data(&dom)["summary"]);
    assert!(!dom.contains("<title>owned") && !dom.contains("<img"), "{dom}");
}
