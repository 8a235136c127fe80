//! The JSON in which a process reports the counts of a capture.

use anyhow::Context;

use crate::captures::generate::Contents;

/// The counts that a process found in a capture.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) found: u64,
    pub(crate) expected: u64,
    pub(crate) unit: &'static str,
}

impl Counts {
    /// Parses `{"payload":BYTES}` or `{"requests":COUNT,"responses":COUNT}`.
    pub(crate) fn parse(json: &[u8], contents: &Contents) -> anyhow::Result<Self> {
        let report: serde_json::Value = serde_json::from_slice(json)?;
        let count = |name: &str| report[name].as_u64().with_context(|| format!("no {name} in {report}"));
        match count("payload") {
            Ok(found) => Ok(Self { found, expected: contents.payload, unit: "bytes of payload" }),
            Err(_) => {
                let found = count("requests")? + count("responses")?;
                Ok(Self { found, expected: contents.messages, unit: "messages" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENTS: Contents = Contents { bytes: 1000, messages: 7, payload: 500 };

    #[test]
    fn counts_are_compared_with_the_contents_of_the_capture() {
        let messages = Counts::parse(br#"{"requests":4,"responses":2}"#, &CONTENTS).expect("it is well-formed");
        assert_eq!(messages, Counts { found: 6, expected: 7, unit: "messages" });
        let payload = Counts::parse(br#"{"payload":500}"#, &CONTENTS).expect("it is well-formed");
        assert_eq!(payload, Counts { found: 500, expected: 500, unit: "bytes of payload" });
    }

    #[test]
    fn output_without_counts_is_an_error() {
        for output in ["", "500", "{}", r#"{"requests":4}"#, r#"{"payload":"500"}"#] {
            assert!(Counts::parse(output.as_bytes(), &CONTENTS).is_err(), "{output}");
        }
    }
}
