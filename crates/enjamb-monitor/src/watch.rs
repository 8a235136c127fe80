//! Connections under watch: a session for each, whose messages become records and counts.

mod account;
mod output;
mod unparsed;
mod waiting;
mod watched;

use std::collections::HashMap;
use std::sync::Arc;

use enjamb::{Connection, Event, Session, Tap, Time};

use crate::payload::{Redactor, Show};
use crate::statistics::Statistics;
pub use crate::watch::output::Output;
use crate::watch::watched::Pending;
pub use crate::watch::watched::Watched;

/// Opens a session for a connection.
pub type Opener = Arc<dyn Fn(&Connection) -> Box<dyn Session> + Send + Sync>;

/// The maximum number of requests of all connections of a [`Watch`] that may wait for their
/// answers: 24 MiB. Beyond it, the oldest quarter is forgotten at once, and their answers have no
/// latency.
const WAITING_TOTAL_MAX: usize = 1 << 20;

/// All connections of a source under watch: the tap that opens a session for each connection,
/// writes their messages and events as records, and counts them.
///
/// ```
/// use std::sync::Arc;
///
/// use enjamb::{Connection, Event, Side, Tap, Time};
/// use enjamb_monitor::{Record, Watch};
/// use enjamb_protocols::Registry;
///
/// let redis = Registry::builtin().resolve("redis").unwrap();
/// let mut kinds = Vec::new();
/// let mut watch = Watch::new(Arc::new(move |_: &Connection| redis.session(None)), |record: &Record<'_>| {
///     if let Record::Message { message, .. } = record {
///         kinds.push(message.kind.to_owned());
///     }
/// });
/// let ends = (([127, 0, 0, 1], 40_000).into(), ([127, 0, 0, 1], 6379).into());
/// let connection = Connection { number: 1, client: ends.0, server: ends.1 };
/// watch.event(&connection, Time::default(), Event::Open);
/// watch.event(&connection, Time::default(), Event::Chunk { side: Side::Client, bytes: b"PING\r\n" });
/// watch.event(&connection, Time::default(), Event::Chunk { side: Side::Server, bytes: b"+PONG\r\n" });
/// watch.event(&connection, Time::default(), Event::Done);
/// let (statistics, _) = watch.finish();
/// assert_eq!(statistics.messages(Side::Server), 1);
/// assert_eq!(kinds, ["PING", "reply"]);
/// ```
pub struct Watch<O> {
    open: Opener,
    connections: HashMap<u64, State, foldhash::fast::RandomState>,
    /// The number of requests of all connections that wait for their answers, and its maximum.
    waiting: usize,
    waiting_max: usize,
    statistics: Statistics,
    show: Option<Show>,
    redactor: Option<Redactor>,
    output: O,
}

/// The state of a connection of a source. It has no session before it needs one.
enum State {
    Pending(Pending),
    Open(Box<Watched>),
}

impl<O: Output> Watch<O> {
    /// Creates a watch that opens sessions by `open` and writes records to `output`.
    pub fn new(open: Opener, output: O) -> Self {
        Self {
            open,
            connections: HashMap::default(),
            waiting: 0,
            waiting_max: WAITING_TOTAL_MAX,
            statistics: Statistics::default(),
            show: None,
            redactor: None,
            output,
        }
    }

    /// Counts only the records that `output` wants, and not whole streams: see
    /// [`Statistics::of_selected`].
    #[must_use]
    pub fn selecting(mut self) -> Self {
        self.statistics = Statistics::of_selected();
        self
    }

    /// Gives the first bytes of each message to the output.
    #[must_use]
    pub fn showing(mut self, show: Option<Show>) -> Self {
        self.show = show;
        self
    }

    /// Overwrites the secrets in the bytes that are given to the output.
    #[must_use]
    pub fn redacting(mut self, redactor: Option<Redactor>) -> Self {
        self.redactor = redactor;
        self
    }

    /// Returns the counts so far.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Counts as one of several workers: see [`Statistics::as_part`]. Call it after
    /// [`selecting`](Self::selecting).
    #[must_use]
    pub fn sharing(mut self) -> Self {
        self.statistics = self.statistics.as_part();
        self
    }

    /// Begins step `step` of work that several workers share: see [`Statistics::step`].
    pub fn step(&mut self, step: u64) {
        self.statistics.step(step);
    }

    /// Returns the output.
    pub fn output_mut(&mut self) -> &mut O {
        &mut self.output
    }

    /// Ends the watch, and returns the counts and the output.
    pub fn finish(self) -> (Statistics, O) {
        (self.statistics, self.output)
    }

    /// Gives an event to the session of a connection, which is opened if necessary.
    fn dispatch(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        let (statistics, output) = (&mut self.statistics, &mut self.output);
        let Some(state) = self.connections.get_mut(&connection.number) else { return };
        if let State::Pending(pending) = state {
            let watched = pending.open_session(connection, || (self.open)(connection), time, statistics, output);
            *state = State::Open(Box::new(watched.showing(self.show).redacting(self.redactor)));
        }
        if let State::Open(watched) = state {
            let before = watched.waiting().len();
            watched.event(time, event, statistics, output);
            self.waiting = self.waiting + watched.waiting().len() - before;
        }
        if self.waiting > self.waiting_max {
            self.forget_oldest();
        }
    }

    /// Forgets the oldest quarter of the requests that wait.
    fn forget_oldest(&mut self) {
        let mut requests: Vec<(Time, u64)> = Vec::with_capacity(self.waiting);
        for (number, state) in &mut self.connections {
            if let State::Open(watched) = state {
                requests.extend(watched.waiting().times().map(|time| (time, *number)));
            }
        }
        let forgotten = (requests.len() / 4).max(1);
        if forgotten < requests.len() {
            requests.select_nth_unstable(forgotten);
            requests.truncate(forgotten);
        }
        for (_, number) in requests {
            if let Some(State::Open(watched)) = self.connections.get_mut(&number)
                && watched.waiting().forget()
            {
                self.waiting -= 1;
            }
        }
    }
}

impl<O: Output> Tap for Watch<O> {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        let (statistics, output) = (&mut self.statistics, &mut self.output);
        match event {
            Event::Open => {
                let pending = Pending::open(connection, time, statistics, output);
                self.connections.insert(connection.number, State::Pending(pending));
            }
            Event::Chunk { .. } | Event::Gap { .. } | Event::Close { .. } => self.dispatch(connection, time, event),
            Event::Done => {
                let mut watched = match self.connections.remove(&connection.number) {
                    None => return,
                    Some(State::Open(watched)) => *watched,
                    // The session has the name of the protocol.
                    Some(State::Pending(pending)) => {
                        pending.open_session(connection, || (self.open)(connection), time, statistics, output)
                    }
                };
                self.waiting -= watched.waiting().len();
                watched.event(time, event, statistics, output);
            }
        }
    }

    fn pause(&mut self) {
        self.output.pause();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use enjamb::{Connection, Event, Session, Side, Tap, Time};
    use enjamb_protocols::Registry;

    use super::Watch;
    use crate::record::Record;

    #[test]
    fn requests_that_wait_are_limited_over_all_connections_and_the_oldest_lose_their_latency() {
        let redis = Registry::builtin().resolve("redis").unwrap();
        let open = move |_: &Connection| -> Box<dyn Session> { redis.session(None) };
        let mut latencies = Vec::new();
        let mut watch = Watch::new(Arc::new(open), |record: &Record<'_>| {
            if let Record::Message { connection, message, latency_us, .. } = record
                && message.side == Side::Server
            {
                latencies.push((connection.number, latency_us.is_some()));
            }
        });
        watch.waiting_max = 8;
        let ends = (([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], 2).into());
        let connection = |number| Connection { number, client: ends.0, server: ends.1 };
        let ping = |bytes| Event::Chunk { side: Side::Client, bytes };
        // Three requests on each of three connections: the ninth is one too many, and two are
        // forgotten.
        for number in 1..=3 {
            watch.event(&connection(number), Time::default(), Event::Open);
        }
        for (at, number) in [3, 1, 2, 3, 1, 2, 3, 1, 2].into_iter().enumerate() {
            watch.event(&connection(number), Time::from_nanos(at as u64 * 1000), ping(b"PING\r\n"));
            assert!(watch.waiting <= 8);
        }
        assert_eq!(watch.waiting, 7);
        for number in 1..=3 {
            for _ in 0..3 {
                let pong = Event::Chunk { side: Side::Server, bytes: b"+PONG\r\n" };
                watch.event(&connection(number), Time::from_nanos(1_000_000), pong);
            }
            watch.event(&connection(number), Time::from_nanos(1_000_000), Event::Done);
        }
        assert_eq!(watch.waiting, 0);
        drop(watch);
        let expected = [(1, [false, true, true]), (2, [true; 3]), (3, [false, true, true])];
        let expected: Vec<_> =
            expected.into_iter().flat_map(|(number, timed)| timed.map(|timed| (number, timed))).collect();
        assert_eq!(latencies, expected);
    }
}
