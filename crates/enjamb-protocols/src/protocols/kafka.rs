//! Kafka (kafka.apache.org, "Kafka Protocol Guide").
//!
//! A message has a length of four bytes before it. A request names its API and version, and has a
//! number, by which its answer is found. An answer has nothing but this number, so its kind is that
//! of the request. The raw SASL tokens behind the first version of `SaslHandshake` have no header.

use std::borrow::Cow;

use enjamb::{Attribute, AttributeArgument, AttributeType, AttributeValue, Side};

use crate::kit::{Cursor, Fault, Frame, Next, Progress, Report, Requests, Role, Rules, Short};
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The protocol.
pub(super) fn protocol() -> Protocol {
    Protocol::of_rules(Kafka::default)
        .on_ports(&[9092])
        .about("Kafka: requests by API and version, answers by their number")
        .with_kinds("the API, such as `Fetch`, `SASL token`; `response`")
        .with_attributes(&[Attribute::new("client", AttributeType::Text, "the client id of a request")])
        .sniffed_by(sniff)
}

/// The rules of Kafka. The state is whether the client's messages may be SASL tokens.
#[derive(Debug, Default)]
struct Kafka {
    sends_tokens: bool,
}

/// The longest message, since lengths have a sign.
const LENGTH_MAX: u32 = i32::MAX as u32;

/// The names of the APIs, by their number.
const APIS: [&str; 81] = [
    "Produce",
    "Fetch",
    "ListOffsets",
    "Metadata",
    "LeaderAndIsr",
    "StopReplica",
    "UpdateMetadata",
    "ControlledShutdown",
    "OffsetCommit",
    "OffsetFetch",
    "FindCoordinator",
    "JoinGroup",
    "Heartbeat",
    "LeaveGroup",
    "SyncGroup",
    "DescribeGroups",
    "ListGroups",
    "SaslHandshake",
    "ApiVersions",
    "CreateTopics",
    "DeleteTopics",
    "DeleteRecords",
    "InitProducerId",
    "OffsetForLeaderEpoch",
    "AddPartitionsToTxn",
    "AddOffsetsToTxn",
    "EndTxn",
    "WriteTxnMarkers",
    "TxnOffsetCommit",
    "DescribeAcls",
    "CreateAcls",
    "DeleteAcls",
    "DescribeConfigs",
    "AlterConfigs",
    "AlterReplicaLogDirs",
    "DescribeLogDirs",
    "SaslAuthenticate",
    "CreatePartitions",
    "CreateDelegationToken",
    "RenewDelegationToken",
    "ExpireDelegationToken",
    "DescribeDelegationToken",
    "DeleteGroups",
    "ElectLeaders",
    "IncrementalAlterConfigs",
    "AlterPartitionReassignments",
    "ListPartitionReassignments",
    "OffsetDelete",
    "DescribeClientQuotas",
    "AlterClientQuotas",
    "DescribeUserScramCredentials",
    "AlterUserScramCredentials",
    "Vote",
    "BeginQuorumEpoch",
    "EndQuorumEpoch",
    "DescribeQuorum",
    "AlterPartition",
    "UpdateFeatures",
    "Envelope",
    "FetchSnapshot",
    "DescribeCluster",
    "DescribeProducers",
    "BrokerRegistration",
    "BrokerHeartbeat",
    "UnregisterBroker",
    "DescribeTransactions",
    "ListTransactions",
    "AllocateProducerIds",
    "ConsumerGroupHeartbeat",
    "ConsumerGroupDescribe",
    "ControllerRegistration",
    "GetTelemetrySubscriptions",
    "PushTelemetry",
    "AssignReplicasToDirs",
    "ListClientMetricsResources",
    "DescribeTopicPartitions",
    "ShareGroupHeartbeat",
    "ShareGroupDescribe",
    "ShareFetch",
    "ShareAcknowledge",
    "AddRaftVoter",
];

const PRODUCE: u16 = 0;
const CONTROLLED_SHUTDOWN: u16 = 7;
const SASL_HANDSHAKE: u16 = 17;

/// The highest version of an API that is expected. The highest one in use is 17 (`Fetch`).
const VERSION_MAX: u16 = 24;

/// The detail of a SASL token. Those of requests are their API and version.
const TOKEN: u64 = u64::MAX;

/// The names of errors, by their number.
const ERRORS: [&str; 90] = [
    "NONE",
    "OFFSET_OUT_OF_RANGE",
    "CORRUPT_MESSAGE",
    "UNKNOWN_TOPIC_OR_PARTITION",
    "INVALID_FETCH_SIZE",
    "LEADER_NOT_AVAILABLE",
    "NOT_LEADER_OR_FOLLOWER",
    "REQUEST_TIMED_OUT",
    "BROKER_NOT_AVAILABLE",
    "REPLICA_NOT_AVAILABLE",
    "MESSAGE_TOO_LARGE",
    "STALE_CONTROLLER_EPOCH",
    "OFFSET_METADATA_TOO_LARGE",
    "NETWORK_EXCEPTION",
    "COORDINATOR_LOAD_IN_PROGRESS",
    "COORDINATOR_NOT_AVAILABLE",
    "NOT_COORDINATOR",
    "INVALID_TOPIC_EXCEPTION",
    "RECORD_LIST_TOO_LARGE",
    "NOT_ENOUGH_REPLICAS",
    "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
    "INVALID_REQUIRED_ACKS",
    "ILLEGAL_GENERATION",
    "INCONSISTENT_GROUP_PROTOCOL",
    "INVALID_GROUP_ID",
    "UNKNOWN_MEMBER_ID",
    "INVALID_SESSION_TIMEOUT",
    "REBALANCE_IN_PROGRESS",
    "INVALID_COMMIT_OFFSET_SIZE",
    "TOPIC_AUTHORIZATION_FAILED",
    "GROUP_AUTHORIZATION_FAILED",
    "CLUSTER_AUTHORIZATION_FAILED",
    "INVALID_TIMESTAMP",
    "UNSUPPORTED_SASL_MECHANISM",
    "ILLEGAL_SASL_STATE",
    "UNSUPPORTED_VERSION",
    "TOPIC_ALREADY_EXISTS",
    "INVALID_PARTITIONS",
    "INVALID_REPLICATION_FACTOR",
    "INVALID_REPLICA_ASSIGNMENT",
    "INVALID_CONFIG",
    "NOT_CONTROLLER",
    "INVALID_REQUEST",
    "UNSUPPORTED_FOR_MESSAGE_FORMAT",
    "POLICY_VIOLATION",
    "OUT_OF_ORDER_SEQUENCE_NUMBER",
    "DUPLICATE_SEQUENCE_NUMBER",
    "INVALID_PRODUCER_EPOCH",
    "INVALID_TXN_STATE",
    "INVALID_PRODUCER_ID_MAPPING",
    "INVALID_TRANSACTION_TIMEOUT",
    "CONCURRENT_TRANSACTIONS",
    "TRANSACTION_COORDINATOR_FENCED",
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
    "SECURITY_DISABLED",
    "OPERATION_NOT_ATTEMPTED",
    "KAFKA_STORAGE_ERROR",
    "LOG_DIR_NOT_FOUND",
    "SASL_AUTHENTICATION_FAILED",
    "UNKNOWN_PRODUCER_ID",
    "REASSIGNMENT_IN_PROGRESS",
    "DELEGATION_TOKEN_AUTH_DISABLED",
    "DELEGATION_TOKEN_NOT_FOUND",
    "DELEGATION_TOKEN_OWNER_MISMATCH",
    "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED",
    "DELEGATION_TOKEN_AUTHORIZATION_FAILED",
    "DELEGATION_TOKEN_EXPIRED",
    "INVALID_PRINCIPAL_TYPE",
    "NON_EMPTY_GROUP",
    "GROUP_ID_NOT_FOUND",
    "FETCH_SESSION_ID_NOT_FOUND",
    "INVALID_FETCH_SESSION_EPOCH",
    "LISTENER_NOT_FOUND",
    "TOPIC_DELETION_DISABLED",
    "FENCED_LEADER_EPOCH",
    "UNKNOWN_LEADER_EPOCH",
    "UNSUPPORTED_COMPRESSION_TYPE",
    "STALE_BROKER_EPOCH",
    "OFFSET_NOT_AVAILABLE",
    "MEMBER_ID_REQUIRED",
    "PREFERRED_LEADER_NOT_AVAILABLE",
    "GROUP_MAX_SIZE_REACHED",
    "FENCED_INSTANCE_ID",
    "ELIGIBLE_LEADERS_NOT_AVAILABLE",
    "ELECTION_NOT_NEEDED",
    "NO_REASSIGNMENT_IN_PROGRESS",
    "GROUP_SUBSCRIBED_TO_TOPIC",
    "INVALID_RECORD",
    "UNSTABLE_OFFSET_COMMIT",
    "THROTTLING_QUOTA_EXCEEDED",
];

/// The answers that begin with an error, perhaps behind the time of throttling: the API, the first
/// version with such a time, and the first one whose header has tags.
const ERRORS_FIRST: &[(u16, u16, u16)] = &[
    // (1, 1, 12) with a session, from version 7 on, is in `error` below.
    (10, 1, 3),
    (11, 2, 6),
    (12, 1, 4),
    (13, 1, 4),
    (14, 1, 4),
    (16, 1, 3),
    (17, u16::MAX, u16::MAX),
    // The header of this answer never has tags, so that clients of all versions can read it.
    (18, u16::MAX, u16::MAX),
    (22, 0, 2),
    (25, 0, 3),
    (26, 0, 3),
    (29, 0, 2),
    (36, u16::MAX, 2),
    (38, u16::MAX, 2),
];

impl Rules for Kafka {
    const NAME: &'static str = "kafka";
    type Memo = ();

    fn next(&self, message: Progress<'_, ()>) -> Result<Next, Fault> {
        let [a, b, c, d, ..] = *message.head else { return Ok(Next::Bytes(4)) };
        match u32::from_be_bytes([a, b, c, d]) {
            length @ 0..=LENGTH_MAX => Ok(Next::Last(length.into())),
            _ => Err(Fault("the length of a message is negative")),
        }
    }

    fn read<'a>(&mut self, frame: &Frame<'a, ()>, requests: Requests<'_>) -> Result<Report<'a>, Fault> {
        let body = &frame.head[4..];
        match frame.side {
            Side::Client => self.request(body),
            Side::Server if requests.oldest() == Some(TOKEN) => {
                Ok(Report::new("SASL token").role(Role::Answer { last: true }))
            }
            Side::Server => answer(body, requests),
        }
    }

    fn begins(&self, side: Side, bytes: &[u8]) -> Sniff {
        match side {
            Side::Client => begins_request(bytes),
            // An answer is nothing but a length and a number. Two that follow each other are sure,
            // if both are small.
            Side::Server => {
                let Some((length, rest)) = small(bytes, 8) else { return begins_small(bytes) };
                let Some(next) = rest.get(length - 4..) else { return Sniff::More };
                match small(next, 4) {
                    Some(_) => Sniff::Yes,
                    None => begins_small(next),
                }
            }
        }
    }

    fn broken_kind(&self, side: Side, _: &[u8]) -> &'static str {
        if side == Side::Client { "request" } else { "response" }
    }

    fn attribute<'s>(
        &'s self,
        frame: &'s Frame<'_, ()>,
        report: &'s Report<'_>,
        name: &str,
        _: AttributeArgument<'_>,
    ) -> Option<AttributeValue<'s>> {
        let client = report.subject.splitn(2, |byte| *byte == b' ').nth(1);
        (name == "client" && frame.side == Side::Client).then(|| client.map(AttributeValue::text)).flatten()
    }

    fn lost(&mut self, _: Side) {
        self.sends_tokens = false;
    }
}

/// Returns the length and the rest behind it and behind the first four bytes, if it is less than
/// 64 KiB and the four bytes are a small number, as those of most clients.
fn small(bytes: &[u8], least: usize) -> Option<(usize, &[u8])> {
    match bytes {
        [0, 0, high, low, 0, _, _, _, rest @ ..] => {
            Some((usize::from(u16::from_be_bytes([*high, *low])), rest)).filter(|(length, _)| *length >= least)
        }
        _ => None,
    }
}

fn begins_small(bytes: &[u8]) -> Sniff {
    match bytes {
        [] | [0] | [0, 0] => Sniff::More,
        [0, 0, ..] if bytes.len() < 5 => Sniff::More,
        [0, 0, _, _, 0, ..] if bytes.len() < 8 => Sniff::More,
        _ => Sniff::No,
    }
}

impl Kafka {
    fn request<'a>(&mut self, body: &'a [u8]) -> Result<Report<'a>, Fault> {
        let mut fields = Cursor::new(body);
        let header =
            |fields: &mut Cursor<'a>| -> Result<_, Short> { Ok((fields.u16()?, fields.u16()?, fields.u32()?)) };
        let header = header(&mut fields);
        let known = header.ok().filter(|(api, version, _)| {
            usize::from(*api) < APIS.len() && *version <= VERSION_MAX && client_id(*api, *version, fields).is_ok()
        });
        if self.sends_tokens && known.is_none() {
            return Ok(Report::new("SASL token").role(Role::Request).detail(TOKEN));
        }
        let (api, version, number) = header?;
        let client = client_id(api, version, fields)?;
        if api == SASL_HANDSHAKE {
            self.sends_tokens = version == 0;
        } else if known.is_some() {
            self.sends_tokens &= api == 18;
        }
        let name = APIS.get(usize::from(api)).copied();
        let mut subject = format!("v{version}").into_bytes();
        if name.is_none() {
            subject = format!("{api} v{version}").into_bytes();
        }
        if let Some((client, _)) = client.filter(|(client, _)| !client.is_empty()) {
            subject.push(b' ');
            subject.extend_from_slice(client);
        }
        let report = Report::new(name.unwrap_or("request")).subject(subject);
        let silent = api == PRODUCE && client.is_some_and(|(_, body)| wants_no_answer(version, body));
        let detail = u64::from(api) << 16 | u64::from(version);
        Ok(if silent { report } else { report.role(Role::RequestWithId(number.into())).detail(detail) })
    }
}

/// A client id, and the body behind it.
type Client<'a> = (&'a [u8], &'a [u8]);

/// Returns the client id of a request, and the body behind the header. The first version of the
/// header has none.
fn client_id(api: u16, version: u16, fields: Cursor<'_>) -> Result<Option<Client<'_>>, Fault> {
    let mut fields = fields;
    if api == CONTROLLED_SHUTDOWN && version == 0 {
        return Ok(None);
    }
    let length = fields.i16()?;
    let client = match usize::try_from(length) {
        Ok(length) => fields.take(length)?,
        Err(_) if length == -1 => &[],
        Err(_) => return Err(Fault("the length of the client id is negative")),
    };
    if client.iter().any(u8::is_ascii_control) {
        return Err(Fault("the client id has control characters"));
    }
    Ok(Some((client, fields.rest())))
}

/// Returns whether the body of a `Produce` asks for no acknowledgement, and so for no answer.
fn wants_no_answer(version: u16, body: &[u8]) -> bool {
    let mut fields = Cursor::new(body);
    let acks = |fields: &mut Cursor<'_>| -> Option<i16> {
        match version {
            0..=2 => {}
            3..=8 => {
                let transaction = fields.i16().ok()?;
                fields.take(usize::try_from(transaction).unwrap_or(0)).ok()?;
            }
            // Tags of the header, and a short string whose length has one added.
            _ => {
                if fields.u8().ok()? != 0 {
                    return None;
                }
                let length = fields.u8().ok()?;
                fields.take(usize::from(length).saturating_sub(1)).ok()?;
            }
        }
        fields.i16().ok()
    };
    acks(&mut fields) == Some(0)
}

fn answer<'a>(body: &'a [u8], requests: Requests<'_>) -> Result<Report<'a>, Fault> {
    let mut fields = Cursor::new(body);
    let number = u64::from(fields.u32()?);
    let role = Role::AnswerWithId { id: number, last: true };
    let Some(detail) = requests.with_id(number) else { return Ok(Report::new("response").role(role)) };
    let [api, version] = [detail >> 16, detail & 0xffff].map(|part| u16::try_from(part).unwrap_or(u16::MAX));
    let report = Report::new("response").role(role);
    let report = match APIS.get(usize::from(api)) {
        Some(name) => report.subject(name.as_bytes()),
        None => report,
    };
    Ok(match error(api, version, fields) {
        None | Some(0) => report,
        Some(code) => match usize::try_from(code).ok().and_then(|code| ERRORS.get(code)) {
            Some(name) => report.failed(*name),
            None => report.failed(Cow::Owned(code.to_string())),
        },
    })
}

/// Returns the error with which an answer begins.
fn error(api: u16, version: u16, fields: Cursor<'_>) -> Option<i16> {
    let mut fields = fields;
    const FETCH: u16 = 1;
    let (throttles, has_tags) = match api {
        FETCH if version >= 7 => (true, version >= 12),
        _ => {
            let (_, throttles, tags) = ERRORS_FIRST.iter().find(|(known, ..)| *known == api)?;
            // From version 4 on, `FindCoordinator` answers for several keys.
            if api == 10 && version >= 4 {
                return None;
            }
            (version >= *throttles, version >= *tags)
        }
    };
    if has_tags && fields.u8().ok()? != 0 {
        return None;
    }
    if throttles {
        fields.u32().ok()?;
    }
    fields.i16().ok()
}

/// Returns whether a request begins here: API, version and client id are possible.
fn begins_request(bytes: &[u8]) -> Sniff {
    let (length, rest) = match bytes {
        [0, a, b, c, rest @ ..] => (usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c), rest),
        [0, ..] | [] => return Sniff::More,
        _ => return Sniff::No,
    };
    if length < 10 {
        return Sniff::No;
    }
    match rest {
        [0, api, ..] if usize::from(*api) >= APIS.len() => return Sniff::No,
        [0, _, 0, version, ..] if u16::from(*version) > VERSION_MAX => return Sniff::No,
        [0, _, 0, _, _, _, _, _, high, low, client @ ..] => {
            let client_length = match u16::from_be_bytes([*high, *low]) {
                // No client id, which most clients have: the number must be small, too.
                0 | 0xffff if rest[1] > 0 && rest[4] == 0 && length < 1 << 16 => return Sniff::Yes,
                length @ 1..=255 => usize::from(length),
                _ => return Sniff::No,
            };
            let client = &client[..client.len().min(client_length)];
            if client_length + 10 > length || !client.iter().all(|byte| matches!(byte, b'!'..=b'~')) {
                return Sniff::No;
            }
            // The first letters are sure enough.
            return if client.len() >= client_length.min(4) { Sniff::Yes } else { Sniff::More };
        }
        [] | [0] | [0, _] | [0, _, 0, ..] => {}
        _ => return Sniff::No,
    }
    Sniff::More
}

/// Returns whether the first bytes of a connection are Kafka: those of a request.
fn sniff(side: Side, first: &[u8]) -> Sniff {
    if side == Side::Client { begins_request(first) } else { Sniff::No }
}

#[cfg(test)]
mod tests {
    use enjamb::{Session, Side};

    use crate::kit::Conversation;
    use crate::protocols::testing::summaries;

    #[test]
    fn an_answer_of_eight_bytes_and_the_rest_is_one_answer() {
        let lines = summaries(
            super::Kafka::default(),
            &[
                (Side::Client, b"\0\0\0\x0b\0\x12\0\0\0\0\0\x07\0\x01a\0\0\0\x0b\0\x0c\0\x04\0\0\0\x08\0\x01a"),
                (Side::Server, b"\0\0\0\x0b\0\0\0\x08"),
                (Side::Server, b"\0\0\0\0\0\0\x19"),
                (Side::Server, b"\0\0\0\x06\0\0\0\x07\0\x23"),
            ],
        );
        let expected = [
            "ApiVersions v0 a",
            "Heartbeat v4 a",
            "response UNKNOWN_MEMBER_ID Heartbeat #1",
            "response UNSUPPORTED_VERSION ApiVersions #0",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_produce_without_acknowledgement_has_no_answer() {
        let lines = summaries(
            super::Kafka::default(),
            &[
                (Side::Client, b"\0\0\0\x0d\0\0\0\x02\0\0\0\x01\0\x01a\0\0"),
                (Side::Client, b"\0\0\0\x0f\0\0\0\x03\0\0\0\x01\0\x01a\xff\xff\0\x01"),
                (Side::Server, b"\0\0\0\x06\0\0\0\x01\0\0"),
            ],
        );
        assert_eq!(lines, ["Produce v2 a", "Produce v3 a", "response Produce #1"]);
    }

    #[test]
    fn raw_tokens_are_secret_and_in_order() {
        let lines = summaries(
            super::Kafka::default(),
            &[
                (Side::Client, b"\0\0\0\x12\0\x11\0\0\0\0\0\x01\0\x01a\0\x05PLAIN"),
                (Side::Server, b"\0\0\0\x0a\0\0\0\x01\0\0\0\0\0\0"),
                (Side::Client, b"\0\0\0\x09\0user\0pwd"),
                (Side::Server, b"\0\0\0\0"),
                (Side::Client, b"\0\0\0\x0b\0\x12\0\0\0\0\0\x02\0\x01a"),
                (Side::Server, b"\0\0\0\x06\0\0\0\x02\0\0"),
            ],
        );
        let expected = [
            "SaslHandshake v0 a",
            "response SaslHandshake #0",
            "SASL token",
            "SASL token #1",
            "ApiVersions v0 a",
            "response ApiVersions #2",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn lengths_are_checked() {
        let lines = summaries(
            super::Kafka::default(),
            &[(Side::Client, b"\xff\xff\xff\xff\0\0"), (Side::Server, b"\0\0\0\x02ab")],
        );
        assert_eq!(lines, ["request", "response"]);
        let mut session = Conversation::new(super::Kafka::default());
        session.feed(Side::Client, b"\x7f\xff\xff\xff\0\0\0\0", &mut |_| {});
        session.feed(Side::Client, &[0; 1 << 16], &mut |_| {});
        assert!(session.held() < 5000);
    }
}
