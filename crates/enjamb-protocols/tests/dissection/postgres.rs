//! PostgreSQL: the types of messages.

use enjamb::{OwnedMessage, Side};

use crate::{Case, is_whole};

/// The names of tshark, and ours.
const TYPES: &[(&str, &str)] = &[
    ("Authentication request", "Authentication"),
    ("Backend key data", "BackendKeyData"),
    ("Bind", "Bind"),
    ("Bind completion", "BindComplete"),
    ("Cancel request", "CancelRequest"),
    ("Close", "Close"),
    ("Close completion", "CloseComplete"),
    ("Command completion", "CommandComplete"),
    ("Copy completion", "CopyDone"),
    ("Copy data", "CopyData"),
    ("Copy failure", "CopyFail"),
    ("CopyIn response", "CopyInResponse"),
    ("CopyOut response", "CopyOutResponse"),
    ("Data row", "DataRow"),
    ("Describe", "Describe"),
    ("Empty query", "EmptyQueryResponse"),
    ("Error", "ErrorResponse"),
    ("Execute", "Execute"),
    ("Flush", "Flush"),
    ("Function call", "FunctionCall"),
    ("No data", "NoData"),
    ("Notice", "NoticeResponse"),
    ("Notification", "NotificationResponse"),
    ("Parameter description", "ParameterDescription"),
    ("Parameter status", "ParameterStatus"),
    ("Parse", "Parse"),
    ("Parse completion", "ParseComplete"),
    ("Portal suspended", "PortalSuspended"),
    ("Ready for query", "ReadyForQuery"),
    ("Row description", "RowDescription"),
    ("SASLInitialResponse message", "SASLInitialResponse"),
    ("SASLResponse message", "SASLResponse"),
    ("SSL request", "SSLRequest"),
    ("Simple query", "Query"),
    ("Startup message", "StartupMessage"),
    ("Sync", "Sync"),
    ("Termination", "Terminate"),
];

fn message_type(message: &OwnedMessage) -> Vec<String> {
    if message.side == Side::Client && message.kind == "PasswordMessage" {
        return vec!["Password message".to_owned()];
    }
    let known = TYPES.iter().find(|(_, kind)| *kind == message.kind);
    known.filter(|_| is_whole(message)).map(|(name, _)| (*name).to_owned()).into_iter().collect()
}

const fn case(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "pgsql.type", values: message_type, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[
    case("pgsql_rt.pcap"),
    case("postgresql-psql-create-insert-select-delete-drop.pcap"),
    case("protocols/pgsql-TLPW-Jason-copyfrom-small.pcap"),
    case("protocols/pgsql-input.pcap"),
    case("protocols/pgsql-psql-insert-fail-drop-fail.pcap"),
    case("corpora/postgres/authentication.pcap"),
    case("corpora/postgres/copy.pcap"),
    Case {
        differs: &[
            ("Startup message", 1, "ours: it has the form of one, and version 9.0, which the server refuses"),
            ("Unknown", -1, "ours: it is the same message"),
        ],
        ..case("corpora/postgres/errors.pcap")
    },
    case("corpora/postgres/extended.pcap"),
    case("corpora/postgres/notify.pcap"),
    case("corpora/postgres/pipelined.pcap"),
    case("corpora/postgres/simple-queries.pcap"),
];
