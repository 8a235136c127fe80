//! The report of playing conversations to a live peer.

use std::io::{self, Write};
use std::time::Duration;

use enjamb::Side;
use enjamb_sources::Exit;
use serde_json::json;

use crate::live::arguments::LiveArguments;
use crate::live::performance::Performance;
use crate::live::recorded_conversation::RecordedConversation;
use crate::setup::Setup;

/// The maximum number of connections that are named in a list.
const NAMED_MAX: usize = 10;

/// Counts conversations and differences, and writes them.
pub(crate) struct LiveReport {
    /// The side whose messages are compared.
    side: Side,
    as_json: bool,
    secrets: bool,
    duration: Duration,
    connections: usize,
    messages: usize,
    same: usize,
    differences: usize,
    /// The number of connections with a difference.
    differ: usize,
    /// The number of messages with bytes missing in the recording.
    with_gaps: usize,
    /// The number of times that the player gave up waiting for a peer.
    silences: usize,
    /// Connections that were not played, and the reasons.
    not_played: Vec<String>,
    /// Connections for which no client came.
    not_asked_for: Vec<String>,
    /// The number of clients that came after all connections had been given to others.
    pub(crate) turned_away: usize,
}

impl LiveReport {
    /// Creates a report about the messages of `side`. `duration` is the time that playing took.
    pub(crate) fn new(side: Side, not_played: Vec<String>, duration: Duration, setup: &Setup<'_>) -> Self {
        Self {
            side,
            as_json: setup.is_json(),
            secrets: setup.output.secrets,
            duration,
            connections: 0,
            messages: 0,
            same: 0,
            differences: 0,
            differ: 0,
            with_gaps: 0,
            silences: 0,
            not_played,
            not_asked_for: Vec::new(),
            turned_away: 0,
        }
    }

    /// Returns the word for a message of the compared side.
    fn noun(&self) -> &'static str {
        if self.side == Side::Server { "answer" } else { "message" }
    }

    /// Counts a conversation, and writes its differences.
    pub(crate) fn add(
        &mut self,
        recorded: &RecordedConversation,
        performance: &Performance,
        arguments: &LiveArguments,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let comparison = performance.compare(recorded, self.side, arguments, self.secrets);
        self.connections += 1;
        self.messages += comparison.messages;
        self.same += comparison.same;
        self.with_gaps += comparison.with_gaps;
        self.differences += comparison.differences.len();
        if let Performance::Played { silences, .. } = performance {
            self.silences += silences;
        }
        if comparison.differences.is_empty() {
            return Ok(());
        }
        self.differ += 1;
        let conversation = &recorded.conversation;
        if self.as_json {
            for mut record in comparison.to_json() {
                record["conn"] = conversation.connection.number.into();
                record["input"] = (*conversation.source).into();
                record["protocol"] = recorded.protocol.name().into();
                record["side"] = self.side.as_str().into();
                writeln!(out, "{record}")?;
            }
            return Ok(());
        }
        let title = format!("{}, {}", conversation.title(), recorded.protocol.name());
        comparison.show(&title, self.noun(), out)?;
        writeln!(out)
    }

    /// Notes a connection for which no client came.
    pub(crate) fn not_asked_for(&mut self, title: String) {
        self.not_asked_for.push(title);
    }

    /// Writes the counts. `done` is a participle for the connections, such as "served".
    pub(crate) fn finish(&self, done: &str, out: &mut dyn Write) -> io::Result<()> {
        if self.as_json {
            let record = json!({
                "type": "comparison",
                "side": self.side.as_str(),
                "connections": self.connections,
                "connections_that_differ": self.differ,
                "messages": self.messages,
                "same": self.same,
                "differences": self.differences,
                "messages_with_holes": self.with_gaps,
                "silences": self.silences,
                "not_played": self.not_played,
                "not_asked_for": self.not_asked_for,
                "turned_away": self.turned_away,
                "took_us": u64::try_from(self.duration.as_micros()).unwrap_or(u64::MAX),
            });
            return writeln!(out, "{record}");
        }
        let Self { connections, messages, same, differ, .. } = self;
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        writeln!(
            out,
            "{connections} connection{} {done} in {:.3} s",
            plural(*connections),
            self.duration.as_secs_f64()
        )?;
        let whose = if self.side == Side::Server { "from the server" } else { "from the clients" };
        writeln!(out, "  {messages} {}{} {whose} in the recording, {same} the same", self.noun(), plural(*messages))?;
        if *differ > 0 {
            let Self { differences, .. } = self;
            writeln!(
                out,
                "  {differences} difference{} on {differ} connection{}",
                plural(*differences),
                plural(*differ)
            )?;
        }
        if self.silences > 0 {
            let times = if self.silences == 1 { "once".to_owned() } else { format!("{} times", self.silences) };
            writeln!(out, "  {times} the peer's next message did not come within the timeout")?;
        }
        if self.with_gaps > 0 {
            let count = self.with_gaps;
            writeln!(out, "  {count} not compared byte by byte, since bytes are missing in the recording")?;
        }
        if self.turned_away > 0 {
            let clients =
                if self.turned_away == 1 { "1 client".to_owned() } else { format!("{} clients", self.turned_away) };
            writeln!(out, "  {clients} turned away: all recorded connections had been given")?;
        }
        for (titles, label) in [(&self.not_played, "not played"), (&self.not_asked_for, "no client came for")] {
            for title in titles.iter().take(NAMED_MAX) {
                writeln!(out, "  {label}: {title}")?;
            }
            if titles.len() > NAMED_MAX {
                writeln!(out, "  {label}: {} more", titles.len() - NAMED_MAX)?;
            }
        }
        Ok(())
    }

    /// Returns [`Exit::FoundWanting`] if anything differs, [`Exit::Unavailable`] if nothing could
    /// be played.
    pub(crate) fn exit(&self) -> Exit {
        if self.differences > 0 {
            Exit::FoundWanting
        } else if self.connections == 0 && self.not_asked_for.is_empty() {
            Exit::Unavailable
        } else {
            Exit::Done
        }
    }
}
