//! The signature of a conversation: a text that is equal for conversations which exercise the same
//! code.
//!
//! One *step* is a message, a gap or an end, in the order of parsing: the side, the kind, the
//! outcome, the protocol's code and the reason if there are any, the class of its size, and its
//! cuts. The signature is the sequence of steps, with repetitions written once:
//!
//! ```text
//! client GET ok <64; (server response ok 200 <256 cut; client GET ok <64)+; server response ok 200 <256 cut; client closed
//! ```
//!
//! * The class of a size is the next power of four, from 16 on: a parser seldom treats 70 bytes and
//!   90 bytes differently.
//! * The cuts: nothing if the message came in one chunk, `cut` if one boundary of chunks is inside
//!   it, `cut+` if there are more. `glued` means that its first byte came in one chunk with the end
//!   of the message before it.
//! * A run of one to [`LONGEST_PERIOD`] steps that comes at least twice in a row is written once,
//!   as `(...)+`.

use enjamb::{Flags, Message, Outcome, OwnedMessage, Side};

/// The longest run of steps whose repetitions count as one.
pub(crate) const LONGEST_PERIOD: usize = 8;

/// The cuts of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The number of chunk boundaries inside it.
    pub(crate) inside: usize,
    /// Whether its first byte shares a chunk with the last byte of the message before it.
    pub(crate) glued: bool,
}

/// Returns a message without its size and its cuts: the side, the kind, the outcome, the code,
/// the reason and the flags.
pub(crate) fn kind(message: &OwnedMessage) -> String {
    let OwnedMessage { side, kind, outcome, code, reason, flags, .. } = message;
    words(*side, kind, *outcome, code.as_deref(), reason.as_deref(), flags).join(" ")
}

fn words(
    side: Side,
    kind: &str,
    outcome: Outcome,
    code: Option<&str>,
    reason: Option<&str>,
    flags: &str,
) -> Vec<String> {
    let mut words = vec![side.as_str().to_owned(), kind.escape_debug().to_string(), outcome.to_string()];
    words.extend(code.map(|code| code.escape_debug().to_string()));
    words.extend(reason.map(|reason| format!("({})", reason.escape_debug())));
    words.extend(Flags::from_list(flags).names().map(|flag| format!("!{flag}")));
    words
}

/// Returns a message as a step.
pub(crate) fn step(message: &Message<'_>, cut: Cut) -> String {
    let flags = message.flags.as_str();
    let mut words = words(message.side, message.kind, message.outcome, message.code, message.reason, flags);
    words.push(format!("<{}", size_class(message.span.length)));
    match cut.inside {
        0 => {}
        1 => words.push("cut".to_owned()),
        _ => words.push("cut+".to_owned()),
    }
    if cut.glued {
        words.push("glued".to_owned());
    }
    words.join(" ")
}

/// Returns a gap or an end as a step.
pub(crate) fn event(side: Side, name: &str) -> String {
    format!("{side} {name}")
}

fn size_class(length: u64) -> u64 {
    let mut class = 16u64;
    while class <= length && class < 1 << 62 {
        class *= 4;
    }
    class
}

/// Returns the parts of a signature: each is a step, or a run of steps that is repeated.
pub(crate) fn collapsed(steps: &[String]) -> Vec<String> {
    let mut collapsed: Vec<String> = Vec::new();
    let mut at = 0;
    while at < steps.len() {
        let (period, times) = repetition(&steps[at..]);
        let unit = steps[at..at + period].join("; ");
        collapsed.push(if times > 1 { format!("({unit})+") } else { unit });
        at += period * times;
    }
    collapsed
}

/// Returns the length of the shortest run at the front of `steps` that is repeated at once, and the
/// number of repetitions. Returns one step, once, if there is no such run.
fn repetition(steps: &[String]) -> (usize, usize) {
    (1..=LONGEST_PERIOD.min(steps.len() / 2))
        .map(|period| {
            let unit = &steps[..period];
            (period, steps.chunks_exact(period).take_while(|run| *run == unit).count())
        })
        .find(|(_, times)| *times > 1)
        .unwrap_or((1, 1))
}

/// Returns the pairs of one step and the next, including the beginning and the end. A conversation
/// exercises something new if it has a pair that no other has.
pub(crate) fn transitions(steps: &[String]) -> impl Iterator<Item = (String, String)> {
    let before = std::iter::once("").chain(steps.iter().map(String::as_str));
    let after = steps.iter().map(String::as_str).chain(std::iter::once(""));
    before.zip(after).map(|(before, after)| (before.to_owned(), after.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{collapsed, size_class, transitions};

    fn signature(steps: &[String]) -> String {
        collapsed(steps).join("; ")
    }

    fn steps(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn repeated_steps_are_written_once() {
        for (text, expected) in [
            ("", ""),
            ("a", "a"),
            ("a b", "a; b"),
            ("a a", "(a)+"),
            ("a b a b a b", "(a; b)+"),
            ("x a b a b a", "x; (a; b)+; a"),
            ("a a b b", "(a)+; (b)+"),
        ] {
            assert_eq!(signature(&steps(text)), expected, "{text}");
        }
        assert_eq!(
            signature(&steps("a b a b")),
            signature(&steps("a b a b a b a b")),
            "the number of repetitions does not matter"
        );
    }

    #[test]
    fn sizes_fall_into_classes() {
        let classes = [0, 15, 16, 63, 64, 1000, 1024].map(size_class);
        assert_eq!(classes, [16, 16, 64, 64, 256, 1024, 4096]);
        assert_eq!(size_class(u64::MAX), 1 << 62);
    }

    #[test]
    fn transitions_are_pairs_with_the_beginning_and_the_end() {
        let pairs: Vec<_> = transitions(&steps("a b")).collect();
        assert_eq!(pairs, [("", "a"), ("a", "b"), ("b", "")].map(|(one, two)| (one.to_owned(), two.to_owned())));
    }
}
