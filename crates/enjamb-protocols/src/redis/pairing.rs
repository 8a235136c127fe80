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
//! * A server that demands a password refuses all of these commands. The refusal is the error of
//!   the next reply that was expected, or comes where none was.
//! * Commands inside `MULTI` get `QUEUED`. Subscriptions and `CLIENT REPLY` among them make the
//!   server send more or fewer values than its reply to `EXEC` announces.
//!
//! A reply gets a number only if the commands and replies so far allow only one pairing. `doubt.rs`
//! lists what causes doubt (bytes lost in a capture, replies that do not fit), and the proofs that
//! end it.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use super::command::CommandHandler;
use super::doubt::{Arrival, Doubt};
use super::excerpt::Form;
use super::line::signed_integer;
use super::reply::ReplyHandler;
use super::shape::Shape;
use super::subscription::{SubscriptionCommand, Target};

/// The maximum number of runs of commands that wait for their replies on one connection.
///
/// A run is any number of commands in a row that get the same kind of reply, so a server that never
/// replies costs one run, unless the client mixes subscriptions and other commands. A run takes 24
/// bytes: at most 12 KiB a connection, and 768 MiB for the 65,536 connections that a capture
/// follows by default. Plain commands beyond the last run extend it. Other commands are not paired
/// then, nor those behind them, until a proof ends the doubt.
pub const OUTSTANDING_RUNS_MAX: usize = 512;

/// The commands that wait for their replies.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairing {
    queue: VecDeque<Run>,
    /// The number of further confirmations that the first command gets, once one of them has come.
    confirmations_left: Option<u64>,
    /// The number of messages that the client has emitted, which is the number of the next.
    next: u64,
    doubt: Doubt,
    replying: ReplyMode,
    /// Whether a command was sent that gets no reply if the server accepts it.
    silenced: bool,
    /// The number of such commands, and of those that they cover, directly before the next one.
    silent: u64,
    in_multi: bool,
    /// Whether the transaction contains a command that breaks the count of the reply to `EXEC`.
    spills: bool,
    /// The command in progress, if it was answered before it was complete.
    answered_early: Option<u64>,
    resp3: bool,
    monitoring: bool,
    /// Whether a `SYNC` or `PSYNC` was sent.
    syncing: bool,
    /// The number of subscriptions to channels, patterns and shard channels.
    subscriptions: [u64; 3],
    /// Whether the client may have subscribed without being seen.
    subscribed_unseen: bool,
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
    Reply(Shape),
    /// One plain reply. The command follows one that gets no reply, unless the server refuses it.
    ReplyBehindSilence(Shape),
    /// An error.
    Error,
    Multi,
    /// The reply to an `EXEC` that sends more or fewer values than it announces.
    SpilledExec,
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
    /// Whether it answers a command that was not captured.
    pub(super) missing: bool,
}

/// The code of the error of a server that demands a password.
const NOAUTH: &str = "NOAUTH";

/// The reply to a command inside `MULTI`.
const QUEUED: &[u8] = b"QUEUED";

impl Verdict {
    const PUSH: Self = Self { push: true, answers: None, opaque: false, missing: false };
    const UNPAIRED: Self = Self { push: false, answers: None, opaque: false, missing: false };

    fn reply(answers: Option<u64>) -> Self {
        Self { answers, ..Self::default() }
    }
}

impl Pairing {
    /// Notes a command that is emitted. Returns whether it ends a doubt: no earlier command waits.
    /// `behind_skipped`: bytes directly before it were not parsed. `server_idle` returns whether
    /// the server was between two replies.
    #[inline]
    pub(super) fn command(
        &mut self,
        command: &CommandHandler,
        behind_skipped: bool,
        server_idle: impl FnOnce() -> bool,
    ) -> bool {
        let ordinal = self.emitted();
        if command.blank_before() && self.replying == ReplyMode::Skip {
            self.replying = ReplyMode::On;
        }
        if command.arguments() == 0 {
            if self.replying == ReplyMode::Skip {
                self.replying = ReplyMode::On;
            }
            return false;
        }
        let proved = if self.doubt.exists() {
            self.prove(behind_skipped, server_idle())
        } else {
            self.doubt.command(behind_skipped, self.queue.is_empty());
            false
        };
        let replying = self.replying;
        if replying == ReplyMode::Skip {
            self.replying = ReplyMode::On;
        }
        if let Some(expected) = self.expected(command, replying)
            && self.answered_early.take() != Some(ordinal)
        {
            self.expect(ordinal, expected);
            self.drop_unanswered();
        }
        proved
    }

    /// Returns whether a [plain command](Self::plain_command) may follow. Notes that a command
    /// comes.
    #[inline]
    pub(super) fn begin_plain_commands(&mut self) -> bool {
        let may_follow = self.takes_plain_command()
            && self.replying == ReplyMode::On
            && self.silent == 0
            && self.answered_early.is_none()
            && !(self.monitoring || self.syncing);
        if may_follow {
            self.doubt.command(false, self.queue.is_empty());
        }
        may_follow
    }

    /// Returns whether another plain command may follow directly behind one.
    #[inline(always)]
    pub(super) fn takes_plain_command(&self) -> bool {
        !self.doubt.exists()
    }

    /// Notes a command that gets one reply of this shape and changes nothing, in a state where all
    /// else that [`command`](Self::command) does has no effect.
    #[inline(always)]
    pub(super) fn plain_command(&mut self, shape: Shape) {
        let ordinal = self.emitted();
        match self.queue.back_mut() {
            Some(Run { first, count, expected: Expectation::Reply(last) })
                if *last == shape && *first + u64::from(*count) == ordinal && *count < u32::MAX =>
            {
                *count += 1;
            }
            _ => self.expect(ordinal, Expectation::Reply(shape)),
        }
    }

    /// Ends the doubt if a command proves that no other one waits. Returns whether it does.
    #[cold]
    fn prove(&mut self, behind_skipped: bool, server_idle: bool) -> bool {
        let may_block = self.queue.iter().any(|run| match run.expected {
            Expectation::Reply(shape) | Expectation::ReplyBehindSilence(shape) => shape.may_block(),
            _ => true,
        });
        let none_queued = self.queue.is_empty();
        let proved = self.doubt.prove(Arrival { behind_skipped, server_idle, none_queued, may_block });
        if proved {
            self.queue.clear();
            self.confirmations_left = None;
            self.doubt.end();
        }
        proved
    }

    /// Counts a message of the client that is emitted. Returns its number.
    pub(super) fn emitted(&mut self) -> u64 {
        let ordinal = self.next;
        self.next += 1;
        ordinal
    }

    /// Notes a malformed command that is emitted, which the server refuses.
    pub(super) fn malformed(&mut self) {
        let ordinal = self.emitted();
        if self.answered_early.take() != Some(ordinal) {
            self.expect(ordinal, Expectation::Refusal);
        }
        self.lose_commands();
    }

    /// Notes a malformed command that is emitted, and that makes the server read nothing more.
    pub(super) fn stalled(&mut self) {
        self.emitted();
        self.lose_commands();
    }

    /// Notes that bytes of the client were lost. They contain at least one command, or a part of
    /// one.
    pub(super) fn lose_some_commands(&mut self) {
        self.doubt.lose_some_commands();
        self.lose_commands();
    }

    /// Notes that commands may have been lost. The replies to earlier ones are still known.
    pub(super) fn lose_commands(&mut self) {
        self.doubt.lose_commands();
        self.subscribed_unseen = true;
        if self.doubt.hides_replies() {
            self.queue.clear();
        }
    }

    /// Notes that replies may have been lost. `cut`: what is left of one was emitted. `asking`: the
    /// client has begun a command that is not complete.
    pub(super) fn lose_replies(&mut self, cut: Verdict, asking: bool) {
        if cut.answers.is_some() {
            self.pop();
        }
        self.confirmations_left = None;
        self.doubt.lose_replies(asking);
        if self.doubt.hides_commands() {
            self.queue.clear();
        }
    }

    /// Notes that the capture joined the conversation in the middle.
    pub(super) fn join(&mut self) {
        self.lose_commands();
        if self.queue.is_empty() {
            self.doubt.join();
        } else {
            self.queue.clear();
            self.doubt.shift();
        }
    }

    /// Notes bytes of the server behind a hole that were not parsed.
    pub(super) fn skip(&mut self) {
        self.doubt.skip();
    }

    /// Notes that neither side sent anything for a while.
    pub(super) fn pause(&mut self) {
        self.doubt.pause();
    }

    /// Notes that the replies and the commands do not fit.
    fn shift(&mut self) {
        self.queue.clear();
        self.confirmations_left = None;
        self.doubt.shift();
        self.replying = ReplyMode::On;
        self.silenced = false;
        self.silent = 0;
    }

    /// Returns whether the next reply answers `SYNC` or `PSYNC`.
    #[inline(always)]
    pub(super) fn expects_snapshot(&self) -> bool {
        self.syncing && self.next_is_sync()
    }

    #[cold]
    fn next_is_sync(&self) -> bool {
        self.queue.front().map_or(self.doubt.exists(), |run| run.expected == Expectation::Sync)
    }

    /// Returns the reply that the command gets, if it gets any.
    #[inline]
    fn expected(&mut self, command: &CommandHandler, replying: ReplyMode) -> Option<Expectation> {
        let expected = match command.plain() {
            Some(shape) => (replying == ReplyMode::On).then_some(Expectation::Reply(shape)),
            None => self.expected_of_special(command, replying),
        };
        match expected {
            None => self.silent += 1,
            Some(Expectation::Reply(shape)) if self.silent > 0 && !self.queue.iter().any(Run::is_behind_silence) => {
                return Some(Expectation::ReplyBehindSilence(shape));
            }
            Some(_) => {}
        }
        expected
    }

    #[inline(never)]
    fn expected_of_special(&mut self, command: &CommandHandler, replying: ReplyMode) -> Option<Expectation> {
        let alone = command.arguments() == 1;
        let argument_is =
            |index, word: &str| command.argument(index).is_some_and(|a| a.eq_ignore_ascii_case(word.as_bytes()));
        let expected = match command.kind().as_bytes() {
            b"EXEC" => {
                self.in_multi = false;
                if std::mem::take(&mut self.spills) {
                    Expectation::SpilledExec
                } else {
                    Expectation::Reply(Shape::AGGREGATE_OR_NULL)
                }
            }
            b"DISCARD" => {
                self.in_multi = false;
                self.spills = false;
                Expectation::Reply(Shape::SIMPLE)
            }
            b"MULTI" if alone => {
                self.in_multi = true;
                Expectation::Multi
            }
            b"CLIENT" if command.arguments() == 3 && argument_is(1, "REPLY") => {
                let to = match command.argument(2) {
                    Some(to) if to.eq_ignore_ascii_case(b"ON") => ReplyMode::On,
                    Some(to) if to.eq_ignore_ascii_case(b"OFF") => ReplyMode::Off,
                    Some(to) if to.eq_ignore_ascii_case(b"SKIP") => ReplyMode::Skip,
                    _ => return (replying == ReplyMode::On).then_some(Expectation::Reply(Shape::ANY)),
                };
                return self.client_reply(to, replying);
            }
            b"REPLCONF" if argument_is(1, "ACK") => {
                self.silenced = true;
                return None;
            }
            b"HELLO" => Expectation::Hello,
            b"RESET" if alone => {
                self.in_multi = false;
                self.spills = false;
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
                _ => Expectation::Reply(Shape::ANY),
            },
        };
        let plain = matches!(expected, Expectation::Reply(_) | Expectation::Multi);
        let silent = replying != ReplyMode::On;
        match expected {
            // Inside `MULTI` the server queues these, and sends their replies as part of another.
            Expectation::Confirmations { .. } | Expectation::Monitor | Expectation::Hello | Expectation::Sync
                if self.in_multi && !silent =>
            {
                self.spills = true;
                return Some(Expectation::Reply(Shape::ANY));
            }
            Expectation::Reset if replying != ReplyMode::Skip => return Some(expected),
            _ if silent => {
                // Confirmations come nevertheless, errors do not. Nothing shows which of them it
                // is.
                if !plain && expected != Expectation::Hello {
                    self.lose_commands();
                }
                return None;
            }
            _ => {}
        }
        self.syncing |= matches!(expected, Expectation::Sync);
        Some(expected)
    }

    /// Handles `CLIENT REPLY`, while the server was `replying`. In a subscription under RESP2, and
    /// in `MULTI`, the server refuses or delays it, which is invisible if replies are off already.
    fn client_reply(&mut self, to: ReplyMode, replying: ReplyMode) -> Option<Expectation> {
        if self.in_multi && replying == ReplyMode::On {
            self.spills = true;
            return Some(Expectation::Reply(Shape::ANY));
        }
        let subscribing =
            self.queue.iter().any(|waiting| matches!(waiting.expected, Expectation::Confirmations { .. }));
        if self.in_multi || (!self.resp3 && (subscribing || self.is_subscribed())) {
            if to == ReplyMode::On && replying == ReplyMode::On {
                return Some(Expectation::Reply(Shape::SIMPLE));
            }
            if replying == ReplyMode::On && !subscribing && !self.in_multi {
                return Some(Expectation::Error);
            }
            self.lose_commands();
            return None;
        }
        self.silenced |= to != ReplyMode::On;
        match (to, replying) {
            (ReplyMode::On, _) => {
                self.replying = ReplyMode::On;
                return Some(Expectation::Reply(Shape::SIMPLE));
            }
            (ReplyMode::Skip, ReplyMode::Off) => {}
            (to, _) => self.replying = to,
        }
        None
    }

    /// Handles the refusal of a command that should be silent. Without a password, the server
    /// refused all commands since the last reply, and this is the first of its errors.
    fn refuse_silence(&mut self) {
        let queued: u64 = self.queue.iter().map(|run| u64::from(run.count)).sum();
        let waiting = (self.silent + queued).saturating_sub(1);
        let plain = self.queue.iter().all(|run| run.expected.shape().is_some());
        self.shift();
        if plain {
            self.doubt.refuse_silence(waiting);
        }
    }

    #[inline]
    fn expect(&mut self, ordinal: u64, expected: Expectation) {
        if self.doubt.exists() {
            self.doubt.command_in_doubt(expected.shape());
            if self.doubt.hides_commands() {
                return;
            }
        }
        if let Some(run) = self.queue.back_mut()
            && run.expected == expected
            && run.first + u64::from(run.count) == ordinal
            && run.count < u32::MAX
        {
            run.count += 1;
        } else if self.queue.len() < OUTSTANDING_RUNS_MAX {
            if self.queue.capacity() == 0 {
                // Most clients wait for one reply at a time.
                self.queue.reserve_exact(1);
            }
            self.queue.push_back(Run { first: ordinal, count: 1, expected });
        } else if let Some(run) = self.queue.back_mut()
            && let (Expectation::Reply(one), Expectation::Reply(other)) = (run.expected, expected)
            && run.first + u64::from(run.count) == ordinal
            && run.count < u32::MAX
        {
            run.count += 1;
            run.expected = Expectation::Reply(one.or(other));
        } else {
            self.doubt.overflow(expected.shape());
        }
    }

    /// Removes the first command.
    #[inline(always)]
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
    #[inline]
    pub(super) fn reply(&mut self, reply: &ReplyHandler, asking: bool) -> Verdict {
        // Most replies are these: nothing but a reply has their form, and it is the expected one.
        if let Some(form @ (Form::Bulk | Form::Integer | Form::Null | Form::Simple)) = reply.form()
            && !(self.monitoring || self.in_multi || self.doubt.hides_replies())
            && let Some(&Run { first, expected: Expectation::Reply(shape), .. }) = self.queue.front()
            && shape.admits(form)
        {
            self.pop();
            self.doubt.reply(asking);
            return Verdict::reply(Some(first));
        }
        self.reply_of_any_kind(reply, asking)
    }

    /// Returns whether a [plain reply](Self::plain_reply) may follow.
    #[inline]
    pub(super) fn takes_plain_replies(&self) -> bool {
        !(self.monitoring || self.in_multi || self.syncing || self.doubt.exists())
    }

    /// Notes that plain replies begin. `asking`: the client has begun a command that is not
    /// complete.
    #[inline]
    pub(super) fn begin_plain_replies(&mut self, asking: bool) {
        self.doubt.reply(asking);
    }

    /// Pairs a reply with the oldest outstanding command, in a state where [`reply`](Self::reply)
    /// would do no more. Returns the command. `None`: it may be another kind of reply.
    #[inline(always)]
    pub(super) fn plain_reply(&mut self, form: Form) -> Option<u64> {
        if form == Form::Push {
            return None;
        }
        let run = self.queue.front_mut()?;
        let Expectation::Reply(shape) = run.expected else { return None };
        let first = run.first;
        if !shape.admits(form) || (form.is_aggregate() && (self.subscribed_unseen || self.is_subscribed())) {
            return None;
        }
        self.pop();
        Some(first)
    }

    fn reply_of_any_kind(&mut self, reply: &ReplyHandler, asking: bool) -> Verdict {
        let verdict = self.judge(reply, asking);
        if !verdict.push || verdict.answers.is_some() {
            self.doubt.reply(asking);
        }
        self.drop_unanswered();
        verdict
    }

    fn judge(&mut self, reply: &ReplyHandler, asking: bool) -> Verdict {
        match reply.form() {
            Some(Form::Push) => {
                let mut answers = None;
                if let Some(confirmation) = Confirmation::parse(reply) {
                    self.resp3 = true;
                    answers = self.confirm(confirmation);
                    if answers.is_none() {
                        self.doubt.reply_in_doubt(None);
                    }
                }
                return Verdict { answers, ..Verdict::PUSH };
            }
            Some(Form::Array) if !self.resp3 => {
                if let Some(confirmation) = Confirmation::parse(reply)
                    && (self.is_subscribed() || self.awaits(confirmation.command) || self.doubt.exists())
                {
                    let answers = self.confirm(confirmation);
                    if answers.is_none() {
                        self.doubt.reply_in_doubt(None);
                    }
                    return Verdict::reply(answers);
                }
                if is_published(reply) && (self.is_subscribed() || self.subscribed_unseen || self.queue.is_empty()) {
                    return Verdict::PUSH;
                }
            }
            Some(Form::Simple) if (self.monitoring || self.queue.is_empty()) && is_monitored(reply) => {
                self.monitoring |= self.doubt.exists();
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
            Some(_) if self.doubt.hides_replies() => Verdict::UNPAIRED,
            Some(Run { expected: Expectation::Reply(shape), .. })
                if reply.form().is_some_and(|form| !shape.admits(form)) =>
            {
                Verdict::UNPAIRED
            }
            Some(run) => Verdict::reply(Some(run.first)),
        }
    }

    /// Pairs an ordinary reply with the oldest outstanding command.
    fn answer(&mut self, reply: &ReplyHandler, asking: bool) -> Verdict {
        let Some(&Run { first, expected, .. }) = self.queue.front() else {
            return self.unexpected(reply, asking);
        };
        if self.doubt.hides_replies() {
            return self.answer_in_doubt(reply);
        }
        if let (Expectation::Reply(shape), Some(form), false) = (expected, reply.form(), self.in_multi)
            && shape.admits(form)
        {
            self.pop();
            return Verdict::reply(Some(first));
        }
        if !expected.may_be(reply) {
            if matches!(expected, Expectation::ReplyBehindSilence(_)) && reply.code() == Some(NOAUTH) {
                self.refuse_silence();
            } else {
                self.shift();
            }
            return Verdict::UNPAIRED;
        }
        self.pop();
        if matches!(expected, Expectation::ReplyBehindSilence(_)) {
            self.silent = 0;
        }
        let answers = Some(first);
        match expected {
            Expectation::Reply(_) | Expectation::ReplyBehindSilence(_) if self.in_multi => {
                self.check_transaction(reply);
            }
            Expectation::Multi if self.queue.is_empty() && reply.form().is_some_and(Form::is_error) => {
                self.in_multi = false;
            }
            Expectation::SpilledExec if reply.form().is_some_and(Form::is_aggregate) => {
                self.subscribed_unseen = true;
                self.shift();
            }
            Expectation::Monitor => self.monitoring = simple(reply, Form::Simple) == b"OK",
            Expectation::Hello if reply.form() == Some(Form::Map) => self.resp3 = true,
            Expectation::Hello if reply.form() == Some(Form::Array) => self.resp3 = false,
            Expectation::Reset if simple(reply, Form::Simple) == b"RESET" => {
                self.monitoring = false;
                self.resp3 = false;
                self.subscriptions = [0; 3];
                self.subscribed_unseen = false;
            }
            Expectation::Sync => return Verdict { opaque: hands_over(reply), ..Verdict::reply(answers) },
            _ => {}
        }
        Verdict::reply(answers)
    }

    /// Notes that there is no transaction, if the reply to the last command shows it: a `MULTI` was
    /// refused, or an `EXEC` was lost.
    fn check_transaction(&mut self, reply: &ReplyHandler) {
        let refused = reply.form().is_some_and(Form::is_error);
        if self.queue.is_empty() && !refused && simple(reply, Form::Simple) != QUEUED {
            self.in_multi = false;
            self.spills = false;
        }
    }

    /// Handles a reply while some of the first commands in the queue may have been answered. The
    /// reply belongs to the first command whose form it has, or to a later one.
    fn answer_in_doubt(&mut self, reply: &ReplyHandler) -> Verdict {
        self.doubt.reply_in_doubt(reply.form());
        let plain =
            self.queue.iter().all(|run| matches!(run.expected, Expectation::Reply(shape) if !shape.may_be_aggregate()));
        // The elements of an aggregate look like replies.
        if !plain || self.doubt.is_torn() {
            return Verdict::UNPAIRED;
        }
        let mut fitting = self.queue.iter().enumerate().filter(|(_, run)| run.expected.may_be(reply));
        let Some((at, &Run { first, count, .. })) = fitting.next() else {
            self.shift();
            return Verdict::UNPAIRED;
        };
        let only = count == 1 && fitting.next().is_none();
        self.queue.drain(..at);
        self.pop();
        if !only {
            return Verdict::UNPAIRED;
        }
        self.doubt.end();
        Verdict::reply(Some(first))
    }

    /// Handles a reply while nothing is outstanding.
    fn unexpected(&mut self, reply: &ReplyHandler, asking: bool) -> Verdict {
        if self.doubt.exists() {
            let missing = self.doubt.misses_command();
            self.doubt.reply_in_doubt(reply.form());
            return Verdict { opaque: self.syncing && hands_over(reply), missing, ..Verdict::UNPAIRED };
        }
        if self.silenced {
            // The server should be silent: it did not accept the command that silences it.
            if reply.code() == Some(NOAUTH) {
                self.refuse_silence();
            } else {
                self.shift();
            }
        } else if asking && self.answered_early.is_none() {
            self.answered_early = Some(self.next);
            return Verdict::reply(Some(self.next));
        } else if !reply.form().is_some_and(Form::is_error) {
            // A server that closes a connection may say why. Nothing else comes without a command.
            self.doubt.disorder();
        }
        Verdict::UNPAIRED
    }

    /// Removes commands that the server does not answer: `MONITOR` and `SYNC` from a client that
    /// already monitors.
    #[inline(always)]
    fn drop_unanswered(&mut self) {
        if self.monitoring {
            self.drop_first_unanswered();
        }
    }

    #[cold]
    fn drop_first_unanswered(&mut self) {
        while let Some(Run { expected: Expectation::Monitor | Expectation::Sync, .. }) = self.queue.front() {
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
        !self.doubt.hides_replies()
            && matches!(self.queue.front(), Some(Run { expected: Expectation::Confirmations { command, .. }, .. }) if *command == awaited)
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
                if !self.doubt.exists() {
                    self.shift();
                }
                total.map_or(own, |total| total.saturating_sub(known - own))
            }
        };
    }
}

impl Run {
    fn is_behind_silence(&self) -> bool {
        matches!(self.expected, Expectation::ReplyBehindSilence(_))
    }
}

impl Expectation {
    /// Returns the shape of the reply, if it is one reply of any length.
    fn shape(self) -> Option<Shape> {
        match self {
            Self::Reply(shape) | Self::ReplyBehindSilence(shape) => Some(shape),
            Self::Confirmations { .. } | Self::Refusal | Self::Sync | Self::Monitor => None,
            Self::Error | Self::Multi | Self::SpilledExec | Self::Hello | Self::Reset => Some(Shape::ANY),
        }
    }

    /// Returns whether the reply may be the expected one. If not, the server received other
    /// commands than we did.
    fn may_be(self, reply: &ReplyHandler) -> bool {
        let Some(form) = reply.form() else { return false };
        if let Self::Reply(shape) = self
            && shape.admits(form)
        {
            return true;
        }
        let text = simple(reply, Form::Simple);
        let refused = form.is_error() || text == QUEUED;
        let form = Some(form);
        match self {
            Self::Reply(_) => text == QUEUED,
            Self::ReplyBehindSilence(_) if form.is_some_and(Form::is_error) => reply.code() == Some("WRONGTYPE"),
            Self::ReplyBehindSilence(shape) => Self::Reply(shape).may_be(reply),
            Self::Error => form.is_some_and(Form::is_error),
            Self::Multi => refused || text == b"OK",
            Self::SpilledExec => Self::Reply(Shape::AGGREGATE_OR_NULL).may_be(reply),
            Self::Confirmations { .. } => refused,
            Self::Monitor => refused || text == b"OK",
            Self::Hello => refused || matches!(form, Some(Form::Map | Form::Array)),
            Self::Reset => refused || text == b"RESET",
            Self::Sync => refused || matches!(form, Some(Form::Simple | Form::Snapshot)),
            Self::Refusal => simple(reply, Form::Error).starts_with(b"ERR Protocol error"),
        }
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
