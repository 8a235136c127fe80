//! The pairing of replies with commands.
//!
//! Replies come in the order of the commands, one each. So pairing is a queue of outstanding
//! commands. Commands in a row that get the same kind of reply are counted, not listed. The rest of
//! this file is about the commands that do not get one plain reply:
//!
//! * `SUBSCRIBE` and its kin get one confirmation for each channel, even while replies are switched
//!   off. An `UNSUBSCRIBE` without channels gets one for each subscription, and the subscriptions
//!   are counted from the confirmations.
//! * Pushes answer nothing. In RESP3 they have their own type. In RESP2 they are arrays, and only
//!   the subscriptions distinguish them from replies. The output of `MONITOR` is simple strings.
//! * `CLIENT REPLY OFF` and `SKIP` get no reply, nor do the commands they cover. The server counts
//!   a blank line and `*0` as the command that `SKIP` skips.
//! * `REPLCONF ACK` gets no reply. The bytes behind the reply to `SYNC` and `PSYNC` are not RESP.
//!
//! A reply gets a number only if the commands and replies so far allow only one pairing. Otherwise
//! (bytes lost in a capture, subscriptions inside `MULTI`, more runs of commands than the queue
//! holds) pairing is *lost*: no later command of the connection is paired, since nothing on the
//! wire allows to resume it.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use super::command::CommandHandler;
use super::excerpt::Form;
use super::line::signed_integer;
use super::reply::ReplyHandler;

/// The maximum number of runs of commands that wait for their replies on one connection.
///
/// A run is any number of commands in a row that get the same kind of reply, so a server that never
/// replies costs one run, unless the client mixes subscriptions and other commands. A run takes 24
/// bytes: at most 12 KiB a connection, and 768 MiB for the 65,536 connections that a capture
/// follows by default. Pairing is lost beyond the last run.
pub const OUTSTANDING_RUNS_MAX: usize = 512;

/// The commands that wait for their replies.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairing {
    queue: VecDeque<Run>,
    /// The number of further confirmations that the first command gets, once one of them has come.
    confirmations_left: Option<u64>,
    /// The number of messages that the client has emitted, which is the number of the next.
    next: u64,
    /// Whether commands from here on are not paired.
    lost: bool,
    replying: ReplyMode,
    /// Whether replies were switched off at some time.
    silenced: bool,
    in_multi: bool,
    /// The command in progress, if it was answered before it was complete.
    answered_early: Option<u64>,
    resp3: bool,
    monitoring: bool,
    /// Whether a `SYNC` or `PSYNC` was sent.
    syncing: bool,
    /// The number of subscriptions to channels, patterns and shard channels.
    subscriptions: [u64; 3],
}

/// Commands in a row that get the same kind of reply.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The number of the first command among the client's messages. The others follow it.
    first: u64,
    count: u32,
    expected: Expectation,
}

/// The reply that a command gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expectation {
    /// One plain reply.
    Reply,
    /// A confirmation for each channel. The number is unknown for an `UNSUBSCRIBE` of everything,
    /// until the first comes.
    Confirmations {
        command: SubscriptionCommand,
        channels: Option<NonZeroU32>,
    },
    Monitor,
    Hello,
    Reset,
    Sync,
    /// The error that the server returns for a malformed command, unless it parses the command in
    /// another way.
    Refusal,
}

/// The server's mode of replying to the next command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ReplyMode {
    #[default]
    On,
    /// The server does not reply to the next command.
    Skip,
    Off,
}

/// `SUBSCRIBE` or one of its kin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SubscriptionCommand {
    target: Target,
    adds: bool,
}

/// The target of a subscription, as the index of its counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Channels = 0,
    Patterns = 1,
    Shards = 2,
}

/// A confirmation of the server: its command, and the number of subscriptions.
#[derive(Clone, Copy, Debug)]
struct Confirmation {
    command: SubscriptionCommand,
    total: Option<u64>,
}

/// The meaning of a message of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) push: bool,
    pub(super) answers: Option<u64>,
    /// Whether the bytes behind it are not RESP.
    pub(super) opaque: bool,
}

impl Verdict {
    const PUSH: Self = Self { push: true, answers: None, opaque: false };
    const UNPAIRED: Self = Self { push: false, answers: None, opaque: false };

    fn reply(answers: Option<u64>) -> Self {
        Self { answers, ..Self::default() }
    }
}

impl Pairing {
    /// Notes a command that is emitted.
    pub(super) fn command(&mut self, command: &CommandHandler) {
        let ordinal = self.emitted();
        if command.blank_before() && self.replying == ReplyMode::Skip {
            self.replying = ReplyMode::On;
        }
        let replying = self.replying;
        if replying == ReplyMode::Skip {
            self.replying = ReplyMode::On;
        }
        if command.arguments() == 0 {
            return;
        }
        let Some(expected) = self.expected(command, replying) else { return };
        if self.answered_early.take() != Some(ordinal) {
            self.expect(ordinal, expected);
            self.drop_unanswered();
        }
    }

    /// Counts a message of the client that is emitted. Returns its number.
    pub(super) fn emitted(&mut self) -> u64 {
        let ordinal = self.next;
        self.next += 1;
        ordinal
    }

    /// Notes a malformed command that is emitted.
    pub(super) fn malformed(&mut self) {
        let ordinal = self.emitted();
        if self.answered_early.take() != Some(ordinal) {
            self.expect(ordinal, Expectation::Refusal);
        }
        self.lost = true;
    }

    /// Notes that commands may have been lost. The replies to earlier ones are still known.
    pub(super) fn lose_commands(&mut self) {
        self.lost = true;
    }

    /// Notes that replies may have been lost.
    pub(super) fn lose_replies(&mut self) {
        self.queue.clear();
        self.confirmations_left = None;
        self.lost = true;
    }

    /// Returns whether the next reply answers `SYNC` or `PSYNC`.
    pub(super) fn expects_snapshot(&self) -> bool {
        match self.queue.front() {
            Some(run) => run.expected == Expectation::Sync,
            None => self.lost && self.syncing,
        }
    }

    /// Returns the reply that the command gets, if it gets any.
    fn expected(&mut self, command: &CommandHandler, replying: ReplyMode) -> Option<Expectation> {
        let alone = command.arguments() == 1;
        let argument_is =
            |index, word: &str| command.argument(index).is_some_and(|a| a.eq_ignore_ascii_case(word.as_bytes()));
        let expected = match command.kind().as_bytes() {
            b"EXEC" | b"DISCARD" => {
                self.in_multi = false;
                Expectation::Reply
            }
            b"MULTI" if alone => {
                self.in_multi = true;
                Expectation::Reply
            }
            b"CLIENT" if command.arguments() == 3 && argument_is(1, "REPLY") => {
                let to = match command.argument(2) {
                    Some(to) if to.eq_ignore_ascii_case(b"ON") => ReplyMode::On,
                    Some(to) if to.eq_ignore_ascii_case(b"OFF") => ReplyMode::Off,
                    Some(to) if to.eq_ignore_ascii_case(b"SKIP") => ReplyMode::Skip,
                    _ => return (replying == ReplyMode::On).then_some(Expectation::Reply),
                };
                return self.client_reply(to, replying);
            }
            b"REPLCONF" if argument_is(1, "ACK") => return None,
            b"HELLO" => Expectation::Hello,
            b"RESET" if alone => {
                self.in_multi = false;
                self.replying = ReplyMode::On;
                Expectation::Reset
            }
            b"MONITOR" if alone => Expectation::Monitor,
            b"SYNC" if alone => Expectation::Sync,
            b"PSYNC" if command.arguments() == 3 => Expectation::Sync,
            kind => match SubscriptionCommand::parse(kind) {
                Some(subscription) if !alone => {
                    let channels = u32::try_from(command.arguments() - 1).ok().and_then(NonZeroU32::new);
                    Expectation::Confirmations { command: subscription, channels }
                }
                Some(subscription) if !subscription.adds => {
                    Expectation::Confirmations { command: subscription, channels: None }
                }
                _ => Expectation::Reply,
            },
        };
        self.syncing |= matches!(expected, Expectation::Sync);
        let plain = matches!(expected, Expectation::Reply | Expectation::Hello);
        let reset = matches!(expected, Expectation::Reset);
        match replying {
            // These get special replies, and inside `MULTI` those are elements of another reply.
            ReplyMode::On if self.in_multi && !plain => self.lost = true,
            ReplyMode::On => return Some(expected),
            ReplyMode::Off if reset => return Some(expected),
            // Confirmations come nevertheless, errors do not. Nothing shows which of them it is.
            ReplyMode::Skip | ReplyMode::Off if !plain => self.lost = true,
            ReplyMode::Skip | ReplyMode::Off => {}
        }
        None
    }

    /// Handles `CLIENT REPLY`, while the server was `replying`. In a subscription under RESP2, and
    /// in `MULTI`, the server refuses or delays it, which is invisible if replies are off already.
    fn client_reply(&mut self, to: ReplyMode, replying: ReplyMode) -> Option<Expectation> {
        let subscribed = self.is_subscribed()
            || self.queue.iter().any(|waiting| matches!(waiting.expected, Expectation::Confirmations { .. }));
        if self.in_multi || (subscribed && !self.resp3) {
            if to == ReplyMode::On && replying == ReplyMode::On {
                return Some(Expectation::Reply);
            }
            self.lost = true;
            return None;
        }
        self.silenced |= to != ReplyMode::On;
        match (to, replying) {
            (ReplyMode::On, _) => {
                self.replying = ReplyMode::On;
                return Some(Expectation::Reply);
            }
            (ReplyMode::Skip, ReplyMode::Off) => {}
            (to, _) => self.replying = to,
        }
        None
    }

    fn expect(&mut self, ordinal: u64, expected: Expectation) {
        if self.lost {
            return;
        }
        if let Some(run) = self.queue.back_mut()
            && run.expected == expected
            && run.first + u64::from(run.count) == ordinal
            && run.count < u32::MAX
        {
            run.count += 1;
        } else if self.queue.len() < OUTSTANDING_RUNS_MAX {
            self.queue.push_back(Run { first: ordinal, count: 1, expected });
        } else {
            self.lost = true;
        }
    }

    /// Removes the first command.
    fn pop(&mut self) {
        self.confirmations_left = None;
        let Some(run) = self.queue.front_mut() else { return };
        if run.count > 1 {
            run.first += 1;
            run.count -= 1;
        } else {
            self.queue.pop_front();
        }
    }

    /// Pairs a message of the server that is whole. `asking`: the client has begun a command that
    /// is not complete.
    pub(super) fn reply(&mut self, reply: &ReplyHandler, asking: bool) -> Verdict {
        let verdict = self.judge(reply, asking);
        self.drop_unanswered();
        verdict
    }

    fn judge(&mut self, reply: &ReplyHandler, asking: bool) -> Verdict {
        match reply.form() {
            Some(Form::Push) => {
                let answers = Confirmation::parse(reply).and_then(|confirmation| {
                    self.resp3 = true;
                    self.confirm(confirmation)
                });
                return Verdict { answers, ..Verdict::PUSH };
            }
            Some(Form::Array) if !self.resp3 => {
                if let Some(confirmation) = Confirmation::parse(reply)
                    && (self.is_subscribed()
                        || self.awaits(confirmation.command)
                        || (self.lost && self.queue.is_empty()))
                {
                    let answers = self.confirm(confirmation);
                    return Verdict { push: answers.is_none(), ..Verdict::reply(answers) };
                }
                if is_published(reply) && (self.is_subscribed() || self.queue.is_empty()) {
                    return Verdict::PUSH;
                }
            }
            Some(Form::Simple) if (self.monitoring || self.queue.is_empty()) && is_monitored(reply) => {
                return Verdict::PUSH;
            }
            _ => {}
        }
        self.answer(reply, asking)
    }

    /// Judges a message of the server that is not whole, by the part that arrived. The queue stays
    /// unchanged.
    pub(super) fn cut_off(&self, reply: &ReplyHandler) -> Verdict {
        let begins = reply.line().first();
        match reply.form() {
            Some(Form::Push) => return Verdict::PUSH,
            None if begins == Some(&b'>') => return Verdict::PUSH,
            None if begins == Some(&b'+') && self.monitoring => return Verdict::UNPAIRED,
            Some(Form::Array) if !self.resp3 && self.is_subscribed() => {
                return if is_published(reply) { Verdict::PUSH } else { Verdict::UNPAIRED };
            }
            None if begins == Some(&b'*') && !self.resp3 && self.is_subscribed() => return Verdict::UNPAIRED,
            _ => {}
        }
        match self.queue.front() {
            Some(Run { expected: Expectation::Refusal | Expectation::Monitor, .. }) | None => Verdict::UNPAIRED,
            Some(run) => Verdict::reply(Some(run.first)),
        }
    }

    /// Pairs an ordinary reply with the oldest outstanding command.
    fn answer(&mut self, reply: &ReplyHandler, asking: bool) -> Verdict {
        let Some(&Run { first, expected, .. }) = self.queue.front() else {
            return self.unexpected(reply, asking);
        };
        let answers = Some(first);
        if expected == Expectation::Reply {
            self.pop();
            return Verdict::reply(answers);
        }
        if !expected.may_be(reply) {
            self.lose_replies();
            return Verdict::UNPAIRED;
        }
        self.pop();
        match expected {
            Expectation::Monitor => self.monitoring = simple(reply, Form::Simple) == b"OK",
            Expectation::Hello if reply.form() == Some(Form::Map) => self.resp3 = true,
            Expectation::Hello if reply.form() == Some(Form::Array) => self.resp3 = false,
            Expectation::Reset if simple(reply, Form::Simple) == b"RESET" => {
                self.monitoring = false;
                self.resp3 = false;
                self.subscriptions = [0; 3];
            }
            Expectation::Sync => return Verdict { opaque: hands_over(reply), ..Verdict::reply(answers) },
            _ => {}
        }
        Verdict::reply(answers)
    }

    /// Handles a reply while nothing is outstanding.
    fn unexpected(&mut self, reply: &ReplyHandler, asking: bool) -> Verdict {
        if self.lost {
            return Verdict { opaque: self.syncing && hands_over(reply), ..Verdict::UNPAIRED };
        }
        if self.silenced {
            // The server should be silent: it did not accept the command that silences it.
            self.lost = true;
        } else if asking && self.answered_early.is_none() {
            self.answered_early = Some(self.next);
            return Verdict::reply(Some(self.next));
        }
        Verdict::UNPAIRED
    }

    /// Removes commands that the server does not answer: `MONITOR` and `SYNC` from a client that
    /// already monitors.
    fn drop_unanswered(&mut self) {
        while self.monitoring
            && let Some(Run { expected: Expectation::Monitor | Expectation::Sync, .. }) = self.queue.front()
        {
            self.queue.pop_front();
        }
    }

    pub(super) fn held(&self) -> usize {
        self.queue.len() * size_of::<Run>()
    }

    fn is_subscribed(&self) -> bool {
        self.subscriptions != [0; 3]
    }

    fn awaits(&self, awaited: SubscriptionCommand) -> bool {
        matches!(self.queue.front(), Some(Run { expected: Expectation::Confirmations { command, .. }, .. }) if *command == awaited)
    }

    /// Counts a confirmation. Returns the command that caused it.
    fn confirm(&mut self, confirmation: Confirmation) -> Option<u64> {
        let Confirmation { command, .. } = confirmation;
        let subscribed = self.subscriptions[command.target as usize];
        let mut answers = None;
        if self.awaits(command)
            && let Some(&Run { first, expected: Expectation::Confirmations { channels, .. }, .. }) = self.queue.front()
        {
            answers = Some(first);
            let expected = channels.map_or(subscribed.max(1), |channels| u64::from(channels.get()));
            match self.confirmations_left.unwrap_or(expected) - 1 {
                0 => self.pop(),
                left => self.confirmations_left = Some(left),
            }
        }
        self.count(confirmation);
        answers
    }

    /// Updates the subscriptions to the total that the server reports. If the two differ by more
    /// than this confirmation, an earlier part of the conversation was not seen.
    fn count(&mut self, Confirmation { command, total }: Confirmation) {
        let [channels, patterns, shards] = self.subscriptions;
        let known = if command.target == Target::Shards { shards } else { channels + patterns };
        let own = self.subscriptions[command.target as usize];
        self.subscriptions[command.target as usize] = match total {
            Some(total) if total == known => own,
            Some(total) if command.adds && total == known + 1 => own + 1,
            Some(total) if !command.adds && total + 1 == known && own > 0 => own - 1,
            total => {
                self.lose_replies();
                total.unwrap_or(own)
            }
        };
    }
}

impl Expectation {
    /// Returns whether the reply may be the expected one. If not, the server received other
    /// commands than we did.
    fn may_be(self, reply: &ReplyHandler) -> bool {
        let text = simple(reply, Form::Simple);
        let form = reply.form();
        let refused = form.is_some_and(Form::is_error) || text == b"QUEUED";
        match self {
            Self::Reply => true,
            Self::Confirmations { .. } => refused,
            Self::Monitor => refused || text == b"OK",
            Self::Hello => refused || matches!(form, Some(Form::Map | Form::Array)),
            Self::Reset => refused || text == b"RESET",
            Self::Sync => refused || matches!(form, Some(Form::Simple | Form::Snapshot)),
            Self::Refusal => simple(reply, Form::Error).starts_with(b"ERR Protocol error"),
        }
    }
}

impl SubscriptionCommand {
    fn parse(word: &[u8]) -> Option<Self> {
        const COMMANDS: [(&[u8], SubscriptionCommand); 6] = [
            (b"SUBSCRIBE", SubscriptionCommand { target: Target::Channels, adds: true }),
            (b"UNSUBSCRIBE", SubscriptionCommand { target: Target::Channels, adds: false }),
            (b"PSUBSCRIBE", SubscriptionCommand { target: Target::Patterns, adds: true }),
            (b"PUNSUBSCRIBE", SubscriptionCommand { target: Target::Patterns, adds: false }),
            (b"SSUBSCRIBE", SubscriptionCommand { target: Target::Shards, adds: true }),
            (b"SUNSUBSCRIBE", SubscriptionCommand { target: Target::Shards, adds: false }),
        ];
        if !(9..=12).contains(&word.len()) {
            return None;
        }
        COMMANDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|&(_, command)| command)
    }
}

impl Confirmation {
    /// Parses `[command, channel, total]`.
    fn parse(reply: &ReplyHandler) -> Option<Self> {
        let [whole, first, _, third] = reply.excerpt().values() else { return None };
        let flat = whole.is_of(3) && first.form.is_string() && third.form == Form::Integer && third.depth == 1;
        let command = SubscriptionCommand::parse(reply.text(1)?).filter(|_| flat)?;
        let total = reply.text(3).and_then(signed_integer).and_then(|total| u64::try_from(total).ok());
        Some(Self { command, total })
    }
}

/// Returns whether the reply is a published message under RESP2: `[message, channel, payload]`.
fn is_published(reply: &ReplyHandler) -> bool {
    let [whole, first, ..] = reply.excerpt().values() else { return false };
    let size = match reply.text(1) {
        Some(b"message" | b"smessage") => 3,
        Some(b"pmessage") => 4,
        _ => return false,
    };
    whole.is_of(size) && first.form.is_string()
}

/// Returns whether the reply is output of `MONITOR`: `1339518083.107412 [0 127.0.0.1:60866] "keys"
/// "*"`.
fn is_monitored(reply: &ReplyHandler) -> bool {
    let text = simple(reply, Form::Simple);
    let seconds = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let Some(text) = text[seconds..].strip_prefix(b".") else { return false };
    let decimals = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    seconds > 0 && decimals > 0 && text[decimals..].starts_with(b" [")
}

/// Returns whether the protocol of replication follows the reply.
fn hands_over(reply: &ReplyHandler) -> bool {
    let text = simple(reply, Form::Simple);
    reply.form() == Some(Form::Snapshot) || text.starts_with(b"FULLRESYNC") || text.starts_with(b"CONTINUE")
}

/// Returns the text of a reply of this form on one line, or its beginning; empty for another reply.
fn simple(reply: &ReplyHandler, form: Form) -> &[u8] {
    match reply.excerpt().values().first() {
        Some(value) if value.form == form => reply.excerpt().kept(value),
        _ => &[],
    }
}

const _: () = assert!(size_of::<Run>() == 24, "the limit is explained by this size");
