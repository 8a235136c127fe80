//! MySQL: the commands.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

/// The commands in these captures, by their number.
const COMMANDS: &[(&str, &str)] = &[
    ("1", "COM_QUIT"),
    ("2", "COM_INIT_DB"),
    ("3", "COM_QUERY"),
    ("4", "COM_FIELD_LIST"),
    ("9", "COM_STATISTICS"),
    ("14", "COM_PING"),
    ("22", "COM_STMT_PREPARE"),
    ("23", "COM_STMT_EXECUTE"),
    ("24", "COM_STMT_SEND_LONG_DATA"),
    ("25", "COM_STMT_CLOSE"),
    ("26", "COM_STMT_RESET"),
];

fn command(message: &OwnedMessage) -> Vec<String> {
    let known = COMMANDS.iter().find(|(_, kind)| *kind == message.kind);
    known.filter(|_| is_whole(message)).map(|(number, _)| (*number).to_owned()).into_iter().collect()
}

const fn commands(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "mysql.command", values: command, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[
    commands("mysql-mysql.pcap"),
    commands("mysql_with_gap.pcap"),
    commands("protocols/mysql-input.pcap"),
    commands("protocols/mysql-mysql-show-engine-innodb-status-no-password.pcap"),
    commands("protocols/mysql-selects_with_new_proto.pcap"),
    commands("corpora/mysql/commands.pcap"),
    commands("corpora/mysql/errors.pcap"),
    commands("corpora/mysql/pipelined.pcap"),
    commands("corpora/mysql/prepared.pcap"),
    Case {
        differs: &[("55", -1, "ours: it is the file of LOAD DATA LOCAL INFILE, whose first character is 7")],
        ..commands("corpora/mysql/queries.pcap")
    },
];
