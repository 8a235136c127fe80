//! The doubts about which commands wait for their replies, and the proofs that end them.
//!
//! Bytes that a capture lost hide commands or replies, and some commands get another number of
//! replies than one, depending on what the server thinks of them. A wrong pair is worse than none,
//! so nothing is paired in doubt. Four proofs end a doubt:
//!
//! * **A new turn.** Most clients take turns with the server: they send one or more commands, wait
//!   for all replies, and send the next. So a command behind a reply is the only one that waits, if
//!   as many replies as commands came since the hole, and one more for the hole itself. How many
//!   such turns are a proof depends on what the client was seen to do before: see [`Habit`].
//! * **A count.** No bytes are missing, so the replies that are still to come can be counted.
//! * **A pause.** Both sides were silent for a while, and then the client sends a command. This
//!   holds for clients of any kind, unless a command that waits may block.
//! * **A form.** Only replies were lost, so all commands are known, and a reply comes whose form
//!   fits one of them alone.

use super::excerpt::Form;
use super::shape::Shape;

/// The number of turns behind a hole that are a proof, by what was seen of the client before it:
/// nothing, and that it takes turns only sometimes.
///
/// A client that always lets the same number of commands wait looks, from the middle of a
/// conversation, like one that takes turns. Some turns must be seen, whose replies have the right
/// form, and they must be no turns of a client that lets commands wait: see [`Lags`]. A client that
/// takes turns sometimes is likely to do so within the larger number, and then the count of
/// commands and replies is exact.
const TURNS_OF_UNKNOWN: u8 = 8;
const TURNS_OF_MIXED: u8 = 16;

/// The number of turns that must be seen before a hole so that one behind it is a proof.
const TURNS_OF_KNOWN: u16 = 4;

/// A client takes turns sometimes if it does so at one of this many opportunities.
const MIXED_MAX: u16 = 4;

/// The largest number of commands that are assumed to wait always.
const LAG_MAX: usize = 16;

/// The number of commands whose shapes are remembered.
const SHAPES_MAX: usize = 2 * LAG_MAX;

/// The assumptions that a client always lets 1, 2, .. or [`LAG_MAX`] commands wait, and the replies
/// that disprove them.
///
/// Replies of the right form are no proof of turns: if all commands are `GET`, each reply has the
/// form of every command. The proof is that with any number of waiting commands, some reply would
/// have had a form that its command does not get.
#[derive(Clone, Copy, Debug, Default)]
struct Lags {
    /// The shapes of the replies to the last commands, the latest first.
    shapes: [Shape; SHAPES_MAX],
    /// A bit for each number that was disproved, the lowest for 1.
    disproved: u16,
}

impl Lags {
    fn command(&mut self, shape: Option<Shape>) {
        self.shapes.copy_within(..SHAPES_MAX - 1, 1);
        self.shapes[0] = shape.unwrap_or_default();
    }

    /// Notes a reply while `waiting` of the commands that were seen wait, if no other ones do.
    fn reply(&mut self, form: Form, waiting: u64) {
        let Some(shapes) = usize::try_from(waiting).ok().and_then(|waiting| self.shapes.get(waiting..)) else { return };
        for (lag, shape) in shapes.iter().take(LAG_MAX).enumerate() {
            self.disproved |= u16::from(!shape.admits(form)) << lag;
        }
    }

    fn are_disproved(&self) -> bool {
        self.disproved == u16::MAX
    }
}

/// The doubts about one connection. By default there are none.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubt {
    /// Whether unseen commands may follow those in the queue.
    hidden: bool,
    /// Whether some of the first commands in the queue may have been answered.
    answered: bool,
    /// Whether replies came before their commands, so that the order of the sides proves nothing.
    unordered: bool,
    /// Whether commands were not captured, and no other command was seen since that may wait.
    missing: bool,
    /// Whether bytes were skipped behind the hole: what looks like a reply may be part of one.
    torn: bool,
    /// A lower bound of the number of commands behind the last hole that wait. The first of them
    /// may be in the queue, but are not certain to be answered next.
    later: u64,
    /// Whether `later` is the number itself.
    counted: bool,
    /// The shape of the reply to the last command that is not in the queue.
    shape: Option<Shape>,
    /// Whether no command came behind the last hole in the commands.
    hole_is_open: bool,
    /// The number of turns behind the hole, since the last reply to a hidden command.
    turns: u8,
    lags: Lags,
    /// Whether a reply came since the last command, and the client had not begun another command
    /// then.
    turned: bool,
    /// Whether both sides were silent for a while, and nothing came since.
    paused: bool,
    habit: Habit,
}

/// What was seen of the client, at each command behind a reply, while there was no doubt.
#[derive(Clone, Copy, Debug, Default)]
struct Habit {
    /// How often no other command waited: a turn.
    turns: u16,
    /// How often another command waited.
    overlaps: u16,
    /// Whether another command waited at the last time, unless its reply was lost. The next reply
    /// or gap decides.
    suspected: bool,
    /// Whether a reply ever came before any command that it may answer.
    unordered: bool,
}

impl Habit {
    fn is_unsuspicious(self) -> bool {
        self.overlaps == 0 && !self.suspected
    }

    /// Returns whether enough turns were seen. The first commands of a connection (`HELLO`, `AUTH`)
    /// are turns of every client.
    fn is_known(self) -> bool {
        self.turns >= TURNS_OF_KNOWN
    }

    /// Returns the number of turns behind a hole that are a proof.
    fn turns_needed(self) -> Option<u8> {
        match self {
            Self { suspected: true, .. } => None,
            Self { overlaps: 0, .. } if !self.is_known() => Some(TURNS_OF_UNKNOWN),
            Self { overlaps: 0, .. } => Some(1),
            Self { overlaps, turns, .. } => (overlaps <= turns.saturating_mul(MIXED_MAX - 1)).then_some(TURNS_OF_MIXED),
        }
    }
}

/// The circumstances in which a command arrives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// Whether bytes directly before it were not parsed.
    pub(super) behind_skipped: bool,
    /// Whether the server was between two replies.
    pub(super) server_idle: bool,
    /// Whether no command is in the queue.
    pub(super) none_queued: bool,
    /// Whether a command in the queue may block.
    pub(super) may_block: bool,
}

impl Doubt {
    /// Returns whether commands or replies may be missing.
    #[inline(always)]
    pub(super) fn exists(&self) -> bool {
        self.hidden || self.answered
    }

    /// Returns whether commands from here on are not queued.
    #[inline(always)]
    pub(super) fn hides_commands(&self) -> bool {
        self.hidden
    }

    /// Returns whether the first command in the queue may have been answered.
    #[inline(always)]
    pub(super) fn hides_replies(&self) -> bool {
        self.answered
    }

    pub(super) fn is_torn(&self) -> bool {
        self.torn
    }

    /// Notes a command that gets a reply, while there is no doubt. `none_queued`: no other command
    /// waits.
    #[inline(always)]
    pub(super) fn command(&mut self, behind_skipped: bool, none_queued: bool) {
        self.paused = false;
        if std::mem::take(&mut self.turned) && !behind_skipped {
            if none_queued {
                self.habit.turns = self.habit.turns.saturating_add(1);
            } else {
                self.habit.suspected = true;
            }
        }
    }

    /// Notes a command that gets a reply, while there is a doubt. Returns whether it proves that no
    /// other command waits.
    pub(super) fn prove(&mut self, arrival: Arrival) -> bool {
        self.missing = false;
        let turn = std::mem::take(&mut self.turned) && !arrival.behind_skipped;
        let pause = std::mem::take(&mut self.paused);
        let waiting = self.later > 0 || (!arrival.none_queued && !self.answered);
        self.hole_is_open = false;
        self.habit.suspected |= turn && waiting;
        let turn = turn && !waiting;
        let mut turns = false;
        if turn && !self.unordered {
            self.turns = self.turns.saturating_add(1);
            turns = self.habit.turns_needed().is_some_and(|needed| self.turns >= needed)
                && (self.habit.is_known() || self.lags.are_disproved());
        }
        let counted = self.counted && arrival.none_queued;
        arrival.server_idle && !waiting && (turns || counted || (pause && !arrival.may_block))
    }

    /// Notes a command in doubt. `shape`: it gets one plain reply.
    pub(super) fn command_in_doubt(&mut self, shape: Option<Shape>) {
        self.missing = false;
        self.shape = shape;
        self.lags.command(shape);
        match shape {
            Some(_) => self.later += 1,
            None => self.counted = false,
        }
    }

    /// Notes a reply. `asking`: the client has begun a command that is not complete.
    #[inline(always)]
    pub(super) fn reply(&mut self, asking: bool) {
        self.turned = !asking;
        self.paused = false;
        if std::mem::take(&mut self.habit.suspected) {
            self.habit.overlaps = self.habit.overlaps.saturating_add(1);
        }
    }

    /// Notes a reply in doubt.
    pub(super) fn reply_in_doubt(&mut self, form: Option<Form>) {
        let misfit = matches!((self.shape, form), (Some(shape), Some(form)) if !shape.admits(form));
        if self.later == 1 && misfit && self.turns > 1 && self.habit.is_unsuspicious() {
            // A client that takes turns would have got the reply to its last command.
            self.habit.overlaps = 1;
        }
        if self.later == 0 || misfit {
            self.restart_turns();
        } else if let Some(form) = form {
            self.lags.reply(form, self.later);
        }
        self.later = self.later.saturating_sub(1);
    }

    /// Notes that neither side sent anything for a while.
    pub(super) fn pause(&mut self) {
        self.paused = true;
    }

    /// Notes that commands may be missing from here on.
    pub(super) fn lose_commands(&mut self) {
        self.hidden = true;
        self.unordered = false;
        self.turned = false;
        self.paused = false;
        self.restart_turns();
        self.counted = false;
    }

    /// Notes a hole in the commands, which hides at least one.
    pub(super) fn lose_some_commands(&mut self) {
        let seen = self.hidden && !self.missing;
        self.lose_commands();
        self.missing = !seen;
        if !std::mem::replace(&mut self.hole_is_open, true) {
            self.later += 1;
            self.shape = None;
        }
    }

    /// Notes that the queue is full. All commands are known, and `shape` is that of the first one
    /// that is not queued.
    pub(super) fn overflow(&mut self, shape: Option<Shape>) {
        self.hidden = true;
        self.counted = true;
        self.command_in_doubt(shape);
    }

    /// Notes that the server refused to be silent, so that `waiting` commands wait for one reply
    /// each.
    pub(super) fn refuse_silence(&mut self, waiting: u64) {
        self.shift();
        self.later = waiting;
        self.counted = true;
    }

    /// Notes that replies may be missing here.
    pub(super) fn lose_replies(&mut self, asking: bool) {
        self.answered = true;
        self.later = 0;
        self.turned = !asking;
        self.paused = false;
        self.restart_turns();
        self.counted = false;
        self.habit.suspected = false;
    }

    /// Notes that the capture begins in the middle of the conversation.
    pub(super) fn join(&mut self) {
        self.missing = true;
    }

    /// Returns whether a reply that comes while no command is in the queue can only answer a
    /// command that was not captured.
    pub(super) fn misses_command(&self) -> bool {
        self.missing && !(self.answered || self.habit.unordered || self.torn)
    }

    /// Notes bytes behind a hole that were not parsed.
    pub(super) fn skip(&mut self) {
        self.torn = true;
    }

    /// Notes that the replies and the commands do not fit.
    pub(super) fn shift(&mut self) {
        self.missing = false;
        self.hidden = true;
        self.answered = true;
        self.later = 0;
        self.restart_turns();
        self.counted = false;
    }

    /// Notes a reply that came before any command that it may answer.
    pub(super) fn disorder(&mut self) {
        self.shift();
        self.unordered = true;
        self.habit.unordered = true;
    }

    fn restart_turns(&mut self) {
        self.turns = 0;
        self.lags = Lags::default();
    }

    /// Ends all doubts.
    pub(super) fn end(&mut self) {
        *self = Self { turned: self.turned, habit: self.habit, ..Self::default() };
    }
}
