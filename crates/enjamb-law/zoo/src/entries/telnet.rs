//! Telnet.

use enjamb_law::{DebugText, Decoded, Never, Pushing, Subject as _};

use super::{DECODER, OLD_DECODER, PUSH};
use crate::entry::Entry;
use crate::old_decoder;
use crate::subject::any;

const COMMANDS: [&[u8]; 4] = [b"\xff\xfd\x01", b"\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0", b"\xff\xf1", b"a\xff\xffb"];

/// Makes an event of each byte of data, since the pieces of data follow the cuts.
fn data(bytes: &[u8]) -> Vec<DebugText> {
    bytes.iter().map(|byte| DebugText(format!("data {}", byte.escape_ascii()))).collect()
}

macro_rules! telnet {
    ($telnet:ident) => {
        any(Pushing::returning(
            || {
                let mut table = $telnet::compatibility::CompatibilityTable::new();
                table.support_local(31);
                table.support_remote(31);
                $telnet::Parser::with_support(table)
            },
            |parser, chunk| {
                Ok::<_, Never>(parser.receive(chunk).into_iter().map(|event| match event {
                    $telnet::events::TelnetEvents::DataReceive(bytes) => data(&bytes),
                    $telnet::events::TelnetEvents::DataSend(bytes) => {
                        vec![DebugText(format!("send {}", bytes.escape_ascii()))]
                    }
                    $telnet::events::TelnetEvents::IAC(iac) => vec![DebugText(format!("command {}", iac.command))],
                    $telnet::events::TelnetEvents::Negotiation(negotiation) => {
                        vec![DebugText(format!("negotiation {} {}", negotiation.command, negotiation.option))]
                    }
                    $telnet::events::TelnetEvents::Subnegotiation(subnegotiation) => {
                        vec![DebugText(format!(
                            "subnegotiation {} {}",
                            subnegotiation.option,
                            subnegotiation.buffer.escape_ascii()
                        ))]
                    }
                    _ => vec![DebugText("another".to_owned())],
                }))
            },
        )
        .flat_map(|events| events))
    };
}

pub fn entries() -> Vec<Entry> {
    vec![
        Entry::new("libtelnet-rs 2.0.0", "telnet", PUSH, || telnet!(libtelnet_rs)).messages(COMMANDS),
        Entry::new("libmudtelnet 2.0.2", "telnet", PUSH, || telnet!(libmudtelnet)).messages(COMMANDS),
        Entry::new("nectar 0.4.0", "telnet lines", DECODER, || any(Decoded::new(|| nectar::TelnetCodec::new(1024))))
            .messages([&b"hello\r\n"[..], b"\xff\xfd\x01", b"\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0", b"\xff\xf1"]),
        Entry::new("telnet-codec 0.1.0", "telnet", OLD_DECODER, || {
            let telnet = old_decoder!(tokio_util_06, bytes, || telnet_codec::TelnetCodec::new(64));
            any(telnet.flat_map(|event| match event {
                telnet_codec::TelnetEvent::Data(bytes) => data(&bytes),
                event => vec![DebugText(format!("{event:?}"))],
            }))
        })
        .messages([&b"\xff\xfd\x01"[..], b"\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0", b"\xff\xff", b"\xff\xf1", b"abc"])
        .limit(64),
    ]
}
