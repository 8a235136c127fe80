//! Which command a reply answers.
//!
//! Replies come in the order of the commands, one each: so pairing is a queue of what is outstanding, and commands that get
//! one plain reply are counted there, not listed. The rest of this room is about the commands that do not:
//!
//! * `SUBSCRIBE` and its kin get one confirmation for each channel, even where replies are switched off. How many an `UNSUBSCRIBE`
//!   without channels gets depends on the subscriptions, which are counted from the confirmations.
//! * Pushes answer nothing. In RESP3 they have a type of their own; in RESP2 they are arrays, and only the subscriptions
//!   tell them from replies. What `MONITOR` shows is simple strings.
//! * `CLIENT REPLY OFF` and `SKIP` are not answered, nor are the commands they cover. The server counts a blank line
//!   and `*0` as the command that `SKIP` skips.
//! * `REPLCONF ACK` is not answered; behind the answer to `SYNC` and `PSYNC` comes something that is not RESP.
//!
//! An answer is given only where the commands and replies seen so far leave one possibility. Where they do not (bytes lost in a
//! capture, subscriptions inside of `MULTI`, more kinds of commands outstanding than the queue holds), pairing is
//! *lost*: no later command is paired, for the rest of the connection, since nothing on the wire tells where it is again.

use std::collections::VecDeque;

use super::command::Commands;
use super::excerpt::Form;
use super::line::signed_integer;
use super::reply::Replies;

/// The most entries of the queue of outstanding commands. A run of commands that get one reply each is one entry.
pub const OUTSTANDING_MAX: usize = 1024;

/// Does it depend on its arguments what a command of this kind gets? On their number everything may.
#[inline]
pub(super) fn looks_at_arguments(kind: &str) -> bool {
    matches!(kind.as_bytes(), b"CLIENT" | b"REPLCONF")
}

/// May what is in a reply, which begins with `text`, say more than what it is? Texts on a line may, and of aggregates those of three or four elements:
/// confirmations, and what a subscription brings.
#[inline]
pub(super) fn looks_into(text: &[u8]) -> bool {
    matches!(text, [b'+' | b'-', ..] | [b'*' | b'>', b'3' | b'4', b'\r', ..])
}

#[derive(Clone, Debug, Default)]
pub(super) struct Pairing {
    queue: VecDeque<Outstanding>,
    /// How many messages of the client were emitted: the ordinal of the next.
    next: u64,
    /// Commands from here on are not paired.
    lost: bool,
    replying: Replying,
    /// Replies were switched off at some time.
    silenced: bool,
    in_multi: bool,
    /// The command in progress, when it was answered before it was complete.
    answered_early: Option<u64>,
    resp3: bool,
    monitoring: bool,
    /// A `SYNC` or `PSYNC` was sent.
    syncing: bool,
    /// Subscriptions: to channels, patterns and shard channels.
    subscriptions: [u64; 3],
}

/// Commands that wait for their replies.
#[derive(Clone, Copy, Debug)]
struct Outstanding {
    ordinal: u64,
    expected: Expected,
}

#[derive(Clone, Copy, Debug)]
enum Expected {
    /// One reply each, for this many commands in a row.
    Replies(u64),
    /// So many confirmations; not known before the first for an `UNSUBSCRIBE` of everything.
    Confirmations {
        word: Word,
        left: Option<u64>,
    },
    Monitor,
    Hello,
    Reset,
    Sync,
    /// The command was malformed: the server says so, or sees it otherwise.
    Refusal,
}

/// Does the server reply to the next command?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Replying {
    #[default]
    On,
    /// Not to the next one.
    Skip,
    Off,
}

/// `subscribe` and its kin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    /// Which subscriptions: 0 to channels, 1 to patterns, 2 to shard channels.
    of: usize,
    adds: bool,
}

/// A confirmation of the server: the word, and how many subscriptions there are now.
#[derive(Clone, Copy, Debug)]
struct Confirmation {
    word: Word,
    total: Option<u64>,
}

/// What a message of the server is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) push: bool,
    pub(super) answers: Option<u64>,
    /// What follows it is not RESP.
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
    /// A command was emitted.
    pub(super) fn command(&mut self, command: &Commands) {
        let ordinal = self.emitted();
        if command.blank_before() && self.replying == Replying::Skip {
            self.replying = Replying::On;
        }
        let replying = self.replying;
        if replying == Replying::Skip {
            self.replying = Replying::On;
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

    /// Something else of the client's side was emitted, which the server does not answer.
    pub(super) fn emitted(&mut self) -> u64 {
        let ordinal = self.next;
        self.next += 1;
        ordinal
    }

    /// A malformed command was emitted.
    pub(super) fn malformed(&mut self) {
        let ordinal = self.emitted();
        if self.answered_early.take() != Some(ordinal) {
            self.expect(ordinal, Expected::Refusal);
        }
        self.lost = true;
    }

    /// Commands may have been lost. The replies to those before are still known.
    pub(super) fn lose_commands(&mut self) {
        self.lost = true;
    }

    /// Replies may have been lost.
    pub(super) fn lose_replies(&mut self) {
        self.queue.clear();
        self.lost = true;
    }

    /// Is what the server says next the answer to `SYNC` or `PSYNC`?
    pub(super) fn expects_snapshot(&self) -> bool {
        match self.queue.front() {
            Some(head) => matches!(head.expected, Expected::Sync),
            None => self.lost && self.syncing,
        }
    }

    /// What the command gets, if anything.
    fn expected(&mut self, command: &Commands, replying: Replying) -> Option<Expected> {
        let alone = command.arguments() == 1;
        let argument_is =
            |index, word: &str| command.argument(index).is_some_and(|a| a.eq_ignore_ascii_case(word.as_bytes()));
        let expected = match command.kind().as_bytes() {
            b"EXEC" | b"DISCARD" => {
                self.in_multi = false;
                Expected::Replies(1)
            }
            b"MULTI" if alone => {
                self.in_multi = true;
                Expected::Replies(1)
            }
            b"CLIENT" if command.arguments() == 3 && argument_is(1, "REPLY") => {
                let to = match command.argument(2) {
                    Some(to) if to.eq_ignore_ascii_case(b"ON") => Replying::On,
                    Some(to) if to.eq_ignore_ascii_case(b"OFF") => Replying::Off,
                    Some(to) if to.eq_ignore_ascii_case(b"SKIP") => Replying::Skip,
                    _ => return (replying == Replying::On).then_some(Expected::Replies(1)),
                };
                return self.client_reply(to, replying);
            }
            b"REPLCONF" if argument_is(1, "ACK") => return None,
            b"HELLO" => Expected::Hello,
            b"RESET" if alone => {
                self.in_multi = false;
                self.replying = Replying::On;
                Expected::Reset
            }
            b"MONITOR" if alone => Expected::Monitor,
            b"SYNC" if alone => Expected::Sync,
            b"PSYNC" if command.arguments() == 3 => Expected::Sync,
            kind => match Word::parse(kind) {
                Some(word) if !alone => Expected::Confirmations { word, left: Some(command.arguments() - 1) },
                Some(word) if !word.adds => Expected::Confirmations { word, left: None },
                _ => Expected::Replies(1),
            },
        };
        self.syncing |= matches!(expected, Expected::Sync);
        let plain = matches!(expected, Expected::Replies(_) | Expected::Hello);
        let reset = matches!(expected, Expected::Reset);
        match replying {
            // The replies to these are known to be special, and inside of `MULTI` they are elements of another.
            Replying::On if self.in_multi && !plain => self.lost = true,
            Replying::On => return Some(expected),
            Replying::Off if reset => return Some(expected),
            // Confirmations come all the same, errors do not: which of them it is cannot be told.
            Replying::Skip | Replying::Off if !plain => self.lost = true,
            Replying::Skip | Replying::Off => {}
        }
        None
    }

    /// `CLIENT REPLY`, while the server was `replying`. In a subscription under RESP2, and in `MULTI`, the server refuses it or puts
    /// it off, in ways that are not seen where replies are off already.
    fn client_reply(&mut self, to: Replying, replying: Replying) -> Option<Expected> {
        let subscribed = self.is_subscribed()
            || self.queue.iter().any(|waiting| matches!(waiting.expected, Expected::Confirmations { .. }));
        if self.in_multi || (subscribed && !self.resp3) {
            if to == Replying::On && replying == Replying::On {
                return Some(Expected::Replies(1));
            }
            self.lost = true;
            return None;
        }
        self.silenced |= to != Replying::On;
        match (to, replying) {
            (Replying::On, _) => {
                self.replying = Replying::On;
                return Some(Expected::Replies(1));
            }
            (Replying::Skip, Replying::Off) => {}
            (to, _) => self.replying = to,
        }
        None
    }

    fn expect(&mut self, ordinal: u64, expected: Expected) {
        if self.lost {
            return;
        }
        if let Expected::Replies(more) = expected
            && let Some(Outstanding { ordinal: first, expected: Expected::Replies(count) }) = self.queue.back_mut()
            && *first + *count == ordinal
        {
            *count += more;
        } else if self.queue.len() < OUTSTANDING_MAX {
            self.queue.push_back(Outstanding { ordinal, expected });
        } else {
            self.lost = true;
        }
    }

    /// A message of the server is whole. `asking`: the client has begun a command that is not complete.
    pub(super) fn reply(&mut self, reply: &Replies, asking: bool) -> Verdict {
        let verdict = self.judge(reply, asking);
        self.drop_unanswered();
        verdict
    }

    fn judge(&mut self, reply: &Replies, asking: bool) -> Verdict {
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
                    && (self.is_subscribed() || self.awaits(confirmation.word) || (self.lost && self.queue.is_empty()))
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

    /// A message of the server that is not whole: what it is, as far as it went. Nothing is taken from the queue.
    pub(super) fn cut_off(&self, reply: &Replies) -> Verdict {
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
            Some(Outstanding { expected: Expected::Refusal | Expected::Monitor, .. }) | None => Verdict::UNPAIRED,
            Some(head) => Verdict::reply(Some(head.ordinal)),
        }
    }

    /// A reply that is none of the special ones: it answers what is outstanding longest.
    fn answer(&mut self, reply: &Replies, asking: bool) -> Verdict {
        let Some(head) = self.queue.front_mut() else {
            return self.unasked(reply, asking);
        };
        let answers = Some(head.ordinal);
        if let Expected::Replies(count) = &mut head.expected
            && *count > 1
        {
            *count -= 1;
            head.ordinal += 1;
            return Verdict::reply(answers);
        }
        let expected = head.expected;
        if !expected.may_be(reply) {
            self.lose_replies();
            return Verdict::UNPAIRED;
        }
        self.queue.pop_front();
        match expected {
            Expected::Monitor => self.monitoring = simple(reply, Form::Simple) == b"OK",
            Expected::Hello if reply.form() == Some(Form::Map) => self.resp3 = true,
            Expected::Hello if reply.form() == Some(Form::Array) => self.resp3 = false,
            Expected::Reset if simple(reply, Form::Simple) == b"RESET" => {
                self.monitoring = false;
                self.resp3 = false;
                self.subscriptions = [0; 3];
            }
            Expected::Sync => return Verdict { opaque: hands_over(reply), ..Verdict::reply(answers) },
            _ => {}
        }
        Verdict::reply(answers)
    }

    /// A reply while nothing is outstanding.
    fn unasked(&mut self, reply: &Replies, asking: bool) -> Verdict {
        if self.lost {
            return Verdict { opaque: self.syncing && hands_over(reply), ..Verdict::UNPAIRED };
        }
        if self.silenced {
            // The server replies where it should be silent: it did not take the command that was to silence it.
            self.lost = true;
        } else if asking && self.answered_early.is_none() {
            self.answered_early = Some(self.next);
            return Verdict::reply(Some(self.next));
        }
        Verdict::UNPAIRED
    }

    /// The server does not answer a monitor that asks to monitor, or to be a replica.
    fn drop_unanswered(&mut self) {
        while self.monitoring
            && let Some(Outstanding { expected: Expected::Monitor | Expected::Sync, .. }) = self.queue.front()
        {
            self.queue.pop_front();
        }
    }

    pub(super) fn held(&self) -> usize {
        self.queue.len() * size_of::<Outstanding>()
    }

    fn is_subscribed(&self) -> bool {
        self.subscriptions != [0; 3]
    }

    fn awaits(&self, word: Word) -> bool {
        matches!(self.queue.front(), Some(Outstanding { expected: Expected::Confirmations { word: awaited, .. }, .. }) if *awaited == word)
    }

    /// Counts a confirmation, and finds the command that asked for it.
    fn confirm(&mut self, confirmation: Confirmation) -> Option<u64> {
        let Confirmation { word, .. } = confirmation;
        let subscribed = self.subscriptions[word.of];
        let mut answers = None;
        if self.awaits(word)
            && let Some(Outstanding { ordinal, expected: Expected::Confirmations { left, .. } }) =
                self.queue.front_mut()
        {
            answers = Some(*ordinal);
            let still = left.unwrap_or(subscribed.max(1)) - 1;
            *left = Some(still);
            if still == 0 {
                self.queue.pop_front();
            }
        }
        self.count(confirmation);
        answers
    }

    /// Keeps the subscriptions in step with the total that the server gives. Where they are not, an earlier part of the
    /// conversation was not seen.
    fn count(&mut self, Confirmation { word, total }: Confirmation) {
        let [channels, patterns, shards] = self.subscriptions;
        let known = if word.of == 2 { shards } else { channels + patterns };
        let own = self.subscriptions[word.of];
        self.subscriptions[word.of] = match total {
            Some(total) if total == known => own,
            Some(total) if word.adds && total == known + 1 => own + 1,
            Some(total) if !word.adds && total + 1 == known && own > 0 => own - 1,
            total => {
                self.lose_replies();
                total.unwrap_or(own)
            }
        };
    }
}

impl Expected {
    /// Could the reply be what is expected? Where it is not, the server saw other commands than we did.
    fn may_be(self, reply: &Replies) -> bool {
        let text = simple(reply, Form::Simple);
        let form = reply.form();
        let refused = form.is_some_and(Form::is_error) || text == b"QUEUED";
        match self {
            Self::Replies(_) => true,
            Self::Confirmations { .. } => refused,
            Self::Monitor => refused || text == b"OK",
            Self::Hello => refused || matches!(form, Some(Form::Map | Form::Array)),
            Self::Reset => refused || text == b"RESET",
            Self::Sync => refused || matches!(form, Some(Form::Simple | Form::Snapshot)),
            Self::Refusal => simple(reply, Form::Error).starts_with(b"ERR Protocol error"),
        }
    }
}

impl Word {
    fn parse(word: &[u8]) -> Option<Self> {
        const WORDS: [(&[u8], Word); 6] = [
            (b"SUBSCRIBE", Word { of: 0, adds: true }),
            (b"UNSUBSCRIBE", Word { of: 0, adds: false }),
            (b"PSUBSCRIBE", Word { of: 1, adds: true }),
            (b"PUNSUBSCRIBE", Word { of: 1, adds: false }),
            (b"SSUBSCRIBE", Word { of: 2, adds: true }),
            (b"SUNSUBSCRIBE", Word { of: 2, adds: false }),
        ];
        if !(9..=12).contains(&word.len()) {
            return None;
        }
        WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|&(_, word)| word)
    }
}

impl Confirmation {
    /// `[word, channel, total]`.
    fn parse(reply: &Replies) -> Option<Self> {
        let [whole, first, _, third] = reply.excerpt().values() else { return None };
        let flat = whole.is_of(3) && first.form.is_string() && third.form == Form::Integer && third.depth == 1;
        let word = Word::parse(reply.text(1)?).filter(|_| flat)?;
        let total = reply.text(3).and_then(signed_integer).and_then(|total| u64::try_from(total).ok());
        Some(Self { word, total })
    }
}

/// What a subscription under RESP2 brings: `[message, channel, payload]`.
fn is_published(reply: &Replies) -> bool {
    let [whole, first, ..] = reply.excerpt().values() else { return false };
    let size = match reply.text(1) {
        Some(b"message" | b"smessage") => 3,
        Some(b"pmessage") => 4,
        _ => return false,
    };
    whole.is_of(size) && first.form.is_string()
}

/// What `MONITOR` shows: `1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`.
fn is_monitored(reply: &Replies) -> bool {
    let text = simple(reply, Form::Simple);
    let seconds = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let Some(text) = text[seconds..].strip_prefix(b".") else { return false };
    let decimals = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    seconds > 0 && decimals > 0 && text[decimals..].starts_with(b" [")
}

/// Does the server speak the protocol of replication from here on?
fn hands_over(reply: &Replies) -> bool {
    let text = simple(reply, Form::Simple);
    reply.form() == Some(Form::Snapshot) || text.starts_with(b"FULLRESYNC") || text.starts_with(b"CONTINUE")
}

/// The text of a reply on one line, or its beginning; empty for another reply.
fn simple(reply: &Replies, form: Form) -> &[u8] {
    match reply.excerpt().values().first() {
        Some(value) if value.form == form => reply.excerpt().kept(value),
        _ => &[],
    }
}
