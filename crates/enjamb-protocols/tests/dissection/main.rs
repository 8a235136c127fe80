//! The messages of real captures, compared with a dissector that nobody here wrote: the fields that
//! tshark finds in each direction.
//!
//! The captures are those of `corpora/`, and those of other projects (`$ENJAMB_CAPTURES`), without
//! which their tests are ignored. The answers of tshark are in `answers.tsv`. Where tshark is
//! installed it is asked again; with `ENJAMB_UPDATE=1` its answers are written there. With
//! `ENJAMB_SHOW=1` all messages are printed.
//!
//! Each protocol has a file with its [`Case`]s.

#[path = "../../../enjamb-capture/tests/requirements/mod.rs"]
mod requirements;

mod amqp;
mod bgp;
mod cassandra;
mod dcerpc;
mod diameter;
mod dnp3;
mod dns;
mod enip;
mod ftp;
mod hl7;
mod http2;
mod iec104;
mod imap;
mod irc;
mod kafka;
mod kerberos;
mod ldap;
mod memcached;
mod modbus;
mod mongodb;
mod mqtt;
mod mysql;
mod opcua;
mod pop3;
mod postgres;
mod sip;
mod smb;
mod smtp;
mod ssh;
mod sunrpc;
mod tds;
mod telnet;
mod thrift;
mod tls;
mod tpkt;
mod websocket;
mod xmpp;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use enjamb::{Connection, OwnedMessage, Side};
use enjamb_capture::Options;
use enjamb_monitor::{Record, Watch};
use enjamb_protocols::Registry;
use libtest_mimic::{Completion, Failed, Trial};

/// A capture, a field of tshark, and the messages that have it.
pub(crate) struct Case {
    /// The path of the capture. One that begins with `corpora/` is part of the project.
    pub capture: &'static str,
    /// The argument of `--protocol`.
    pub protocol: &'static str,
    /// Further arguments for tshark, such as `-d tcp.port==1234,mqtt`.
    pub tshark: &'static [&'static str],
    /// The field.
    pub field: &'static str,
    /// Returns the values of the field in a message.
    pub values: fn(&OwnedMessage) -> Vec<String>,
    /// The values of which tshark finds more or fewer, the difference (ours minus tshark's), and
    /// who is right and why.
    pub differs: &'static [(&'static str, i64, &'static str)],
}

/// The values in each direction, named by the sender, and how often each occurs.
type Values = BTreeMap<String, BTreeMap<String, i64>>;

const CASES: &[&[Case]] = &[
    mqtt::CASES,
    smtp::CASES,
    postgres::CASES,
    mysql::CASES,
    mongodb::CASES,
    dns::CASES,
    kafka::CASES,
    amqp::CASES,
    cassandra::CASES,
    ldap::CASES,
    modbus::CASES,
    dnp3::CASES,
    iec104::CASES,
    bgp::CASES,
    tds::CASES,
    diameter::CASES,
    kerberos::CASES,
    opcua::CASES,
    enip::CASES,
    ftp::CASES,
    pop3::CASES,
    imap::CASES,
    irc::CASES,
    memcached::CASES,
    sip::CASES,
    ssh::CASES,
    telnet::CASES,
    xmpp::CASES,
    hl7::CASES,
    http2::CASES,
    tls::CASES,
    websocket::CASES,
    smb::CASES,
    thrift::CASES,
    sunrpc::CASES,
    tpkt::CASES,
    dcerpc::CASES,
];

fn main() -> ExitCode {
    let trials = CASES.iter().flat_map(|cases| cases.iter()).map(|case| {
        let name = format!("{} {}", case.capture, case.field);
        Trial::ignorable_test(name, || match path(case) {
            Ok(path) => check(case, &path).map(|()| Completion::Completed),
            Err(reason) => Ok(Completion::ignored_with(reason)),
        })
    });
    let trials = trials.collect();
    let updates = std::env::var_os("ENJAMB_UPDATE").is_some();
    if updates {
        update();
    }
    requirements::run(trials)
}

fn path(case: &Case) -> Result<PathBuf, String> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(case.capture);
    if case.capture.starts_with("corpora/") { Ok(own) } else { Ok(requirements::captures()?.join(case.capture)) }
}

fn check(case: &Case, path: &Path) -> Result<(), Failed> {
    let mut expected = answer(case);
    if expected.is_none() || requirements::tshark().is_ok() {
        let asked = ask(case, path);
        if expected.as_ref().is_some_and(|expected| *expected != asked) {
            return Err(format!(
                "tshark's answer differs from answers.tsv:\n{}",
                difference(&asked, &expected.unwrap_or_default())
            )
            .into());
        }
        expected = Some(asked);
    }
    let Some(expected) = expected else { return Err("no answer of tshark is stored".into()) };
    if expected.values().all(BTreeMap::is_empty) {
        return Err("tshark finds nothing, so this proves nothing".into());
    }
    let ours = ours(case, path);
    let mut allowed = BTreeMap::new();
    for (value, difference, _) in case.differs {
        *allowed.entry((*value).to_owned()).or_insert(0) += difference;
    }
    let mut differences = BTreeMap::new();
    for direction in ours.keys().chain(expected.keys()) {
        let none = BTreeMap::new();
        let (ours, theirs) = (ours.get(direction).unwrap_or(&none), expected.get(direction).unwrap_or(&none));
        for value in ours.keys().chain(theirs.keys()) {
            let difference = ours.get(value).unwrap_or(&0) - theirs.get(value).unwrap_or(&0);
            if difference != 0 {
                differences.entry(value.clone()).or_insert_with(BTreeMap::new).insert(direction.clone(), difference);
            }
        }
    }
    let sums: BTreeMap<String, i64> =
        differences.iter().map(|(value, directions)| (value.clone(), directions.values().sum())).collect();
    if sums == allowed {
        return Ok(());
    }
    Err(format!("ours minus tshark's: {differences:#?}\nallowed: {allowed:?}").into())
}

fn difference(one: &Values, other: &Values) -> String {
    format!("{one:#?}\n{other:#?}")
}

/// Returns the values of the field in our messages.
fn ours(case: &Case, path: &Path) -> Values {
    let protocol = Registry::builtin().resolve(case.protocol).unwrap();
    let open = Arc::new(move |connection: &Connection| protocol.session(Some(connection.server.port())));
    let mut values = Values::new();
    let mut watch = Watch::new(open, |record: &Record<'_>| {
        if let Record::Message { connection, message, .. } = record {
            let sender = if message.side == Side::Client { connection.client } else { connection.server };
            let direction = values.entry(sender.to_string()).or_default();
            if std::env::var_os("ENJAMB_SHOW").is_some() {
                println!("{sender} {}", enjamb::Message::to_owned(message));
            }
            for value in (case.values)(&enjamb::Message::to_owned(message)) {
                *direction.entry(value).or_insert(0) += 1;
            }
        }
    });
    let report = enjamb_capture::open(path, &mut watch, &Options::default());
    assert!(report.error.is_none(), "{}: {:?}", path.display(), report.error);
    drop(watch.finish());
    values.retain(|_, values| !values.is_empty());
    values
}

/// Asks tshark.
fn ask(case: &Case, path: &Path) -> Values {
    let fields = ["ip.src", "ipv6.src", "tcp.srcport", case.field];
    let output = Command::new("tshark")
        .args([
            "-o",
            "tcp.reassemble_out_of_order:TRUE",
            "-n",
            "-T",
            "fields",
            "-E",
            "occurrence=a",
            "-E",
            "aggregator=\x1f",
        ])
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .args(case.tshark)
        .arg("-r")
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut values = Values::new();
    for line in text.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [v4, v6, port, found] = columns[..] else { continue };
        if found.is_empty() || port.is_empty() {
            continue;
        }
        // A tunnel has several addresses. The last one is the innermost.
        let last = |list: &str| list.rsplit('\x1f').next().unwrap_or_default().to_owned();
        let sender = if v6.is_empty() {
            format!("{}:{}", last(v4), last(port))
        } else {
            format!("[{}]:{}", last(v6), last(port))
        };
        let direction = values.entry(sender).or_default();
        for value in found.split('\x1f') {
            *direction.entry(value.to_owned()).or_insert(0) += 1;
        }
    }
    values
}

fn answers_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dissection/answers.tsv")
}

/// Returns the stored answer of tshark.
fn answer(case: &Case) -> Option<Values> {
    let text = std::fs::read_to_string(answers_path()).unwrap_or_default();
    let mut values = Values::new();
    for line in text.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [capture, field, sender, value, count] = columns[..] else { continue };
        if (capture, field) == (case.capture, case.field) {
            values.entry(sender.to_owned()).or_default().insert(value.to_owned(), count.parse().unwrap());
        }
    }
    (!values.is_empty()).then_some(values)
}

/// Writes tshark's answers for all cases whose capture is there. Keeps the others.
fn update() {
    let mut lines = Vec::new();
    for case in CASES.iter().flat_map(|cases| cases.iter()) {
        let asked = path(case).ok().map(|path| ask(case, &path)).or_else(|| answer(case));
        for (sender, values) in asked.unwrap_or_default() {
            for (value, count) in values {
                let mut line = String::new();
                write!(line, "{}\t{}\t{sender}\t{value}\t{count}", case.capture, case.field).unwrap();
                lines.push(line);
            }
        }
    }
    lines.sort();
    lines.dedup();
    std::fs::write(answers_path(), lines.join("\n") + "\n").unwrap();
}

/// Returns whether a message is one of the protocol, and whole.
pub(crate) fn is_whole(message: &OwnedMessage) -> bool {
    message.outcome != enjamb::Outcome::Incomplete && !matches!(message.kind.as_str(), "opaque" | "unparsed")
}
