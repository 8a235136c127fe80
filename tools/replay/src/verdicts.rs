//! What came of playing conversations to a live peer, over all of them.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use enjamb::Side;
use serde_json::json;

use crate::against::Played;
use crate::live::LiveArguments;
use crate::recorded::Recorded;
use crate::{FOUND_WANTING, NOTHING_READ};

/// Counts what was played and how it compares.
pub(crate) struct Verdicts {
    /// Whose messages are compared.
    side: Side,
    took: Duration,
    connections: usize,
    messages: usize,
    same: usize,
    differences: usize,
    differ: usize,
    /// Messages of which bytes are missing in the recording.
    holes: usize,
    /// How often a peer was silent that answered later or not at all.
    silences: usize,
    /// Connections that were not played, and why.
    not_played: Vec<String>,
    /// Connections that no client came for.
    not_asked_for: Vec<String>,
    /// Clients that came when all connections had been given.
    pub(crate) turned_away: usize,
}

impl Verdicts {
    pub(crate) fn new(side: Side, not_played: Vec<String>, took: Duration) -> Self {
        Self {
            side,
            took,
            connections: 0,
            messages: 0,
            same: 0,
            differences: 0,
            differ: 0,
            holes: 0,
            silences: 0,
            not_played,
            not_asked_for: Vec::new(),
            turned_away: 0,
        }
    }

    /// What messages of that side are called.
    fn noun(&self) -> &'static str {
        if self.side == Side::Server { "answer" } else { "message" }
    }

    /// Counts what came of a conversation, and writes where it differs.
    pub(crate) fn add(
        &mut self,
        recorded: &Recorded,
        played: &Played,
        live: &LiveArguments,
        as_json: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let comparison = played.compared(recorded, self.side, live);
        self.connections += 1;
        self.messages += comparison.messages;
        self.same += comparison.same;
        self.holes += comparison.holes;
        self.differences += comparison.differences.len();
        if let Played::Heard { silences, .. } = played {
            self.silences += silences;
        }
        if comparison.differences.is_empty() {
            return Ok(());
        }
        self.differ += 1;
        let conversation = &recorded.conversation;
        if as_json {
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

    /// No client came for this one.
    pub(crate) fn not_asked_for(&mut self, title: String) {
        self.not_asked_for.push(title);
    }

    /// Writes what was counted. `done` is what was done with the connections.
    pub(crate) fn finish(&self, done: &str, as_json: bool, out: &mut dyn Write) -> io::Result<()> {
        if as_json {
            let record = json!({
                "type": "comparison",
                "side": self.side.as_str(),
                "connections": self.connections,
                "connections_that_differ": self.differ,
                "messages": self.messages,
                "same": self.same,
                "differences": self.differences,
                "messages_with_holes": self.holes,
                "silences": self.silences,
                "not_played": self.not_played,
                "not_asked_for": self.not_asked_for,
                "turned_away": self.turned_away,
                "took_us": u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX),
            });
            return writeln!(out, "{record}");
        }
        let Self { connections, messages, same, differ, .. } = self;
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        writeln!(out, "{connections} connection{} {done} in {:.3} s", plural(*connections), self.took.as_secs_f64())?;
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
            let often = if self.silences == 1 { "once".to_owned() } else { format!("{} times", self.silences) };
            writeln!(out, "  {often} what the recording has next did not come in time, and was not waited for")?;
        }
        if self.holes > 0 {
            writeln!(out, "  {} not compared byte by byte, since bytes are missing in the recording", self.holes)?;
        }
        if self.turned_away > 0 {
            let clients =
                if self.turned_away == 1 { "1 client".to_owned() } else { format!("{} clients", self.turned_away) };
            writeln!(out, "  {clients} turned away: all recorded connections had been given")?;
        }
        for (titles, what) in [(&self.not_played, "not played"), (&self.not_asked_for, "no client came for")] {
            const MOST: usize = 10;
            for title in titles.iter().take(MOST) {
                writeln!(out, "  {what}: {title}")?;
            }
            if titles.len() > MOST {
                writeln!(out, "  {what}: {} more", titles.len() - MOST)?;
            }
        }
        Ok(())
    }

    /// 1 if anything differs, 3 if there was nothing that could be played.
    pub(crate) fn code(&self) -> ExitCode {
        if self.differences > 0 {
            ExitCode::from(FOUND_WANTING)
        } else if self.connections == 0 && self.not_asked_for.is_empty() {
            ExitCode::from(NOTHING_READ)
        } else {
            ExitCode::SUCCESS
        }
    }
}
