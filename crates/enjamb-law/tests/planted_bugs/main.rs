//! Small planted bugs of the kinds that published decoders have, each with its right twin.
//!
//! A bug must be found by the named laws with default settings, and its twin must break no law. The
//! messages of a definition do not show what the bug needs: no escape character, no payload at the
//! edge of a buffer, no empty message.

use std::fmt::Debug;

use enjamb_law::{DebugText, Kind, Law, Laws, Run, Subject, Verdict};

mod edges;
mod ends;
mod errors;
mod escapes;
mod innocents;
mod lengths;
mod limits;
mod line_ends;
mod readers;
mod state;
mod text;

/// Makes two tests of each entry: `finds_the_bug` and `accuses_no_twin`. The subject is built with
/// the bug or without it.
macro_rules! planted {
    ($($(#[$meta:meta])* $name:ident: [$($law:ident),+], $messages:expr, $(.$setting:ident($value:expr),)* |$bug:ident| $subject:expr;)*) => { $(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn definition($bug: bool) -> enjamb_law::Laws<$crate::Erased> {
                let name = if $bug { concat!(stringify!($name), "_with_bug") } else { stringify!($name) };
                enjamb_law::Laws::new(name, $crate::Erased::new($subject)).messages($messages)$(.$setting($value))*
            }

            #[test]
            fn finds_the_bug() {
                $crate::assert_found(concat!(module_path!(), "::finds_the_bug"), || definition(true), &[$(enjamb_law::Law::$law),+]);
            }

            #[test]
            fn accuses_no_twin() {
                $crate::assert_clean(concat!(module_path!(), "::accuses_no_twin"), definition(false));
            }
        }
    )* };
}
pub(crate) use planted;

/// Makes a test of each entry: a subject that is right breaks no law.
macro_rules! innocent {
    ($($(#[$meta:meta])* $name:ident: $messages:expr, $(.$setting:ident($value:expr),)* $subject:expr;)*) => { $(
        $(#[$meta])*
        #[test]
        fn $name() {
            let laws = enjamb_law::Laws::new(stringify!($name), $crate::Erased::new($subject)).messages($messages)$(.$setting($value))*;
            $crate::assert_clean(concat!(module_path!(), "::", stringify!($name)), laws);
        }
    )* };
}
pub(crate) use innocent;

/// Refuses bytes that are left at the end of the stream.
pub(crate) fn at_end<T>(buffer: &[u8]) -> Result<Option<T>, &'static str> {
    if buffer.is_empty() { Ok(None) } else { Err("unfinished") }
}

/// The name of a test without the name of the crate.
fn test_name(path: &str) -> &str {
    path.split_once("::").map_or(path, |(_, name)| name)
}

/// A subject of any type. The laws are compiled for it once.
pub(crate) struct Erased(Box<dyn Subject<Event = DebugText, Error = Kind> + Send + Sync>);

impl Erased {
    pub(crate) fn new(subject: impl Subject<Event: Debug, Error = Kind> + Send + Sync + 'static) -> Self {
        Self(Box::new(subject.by_debug()))
    }
}

impl Subject for Erased {
    type Event = DebugText;
    type Error = Kind;

    fn run(&self, run: &mut Run<'_, DebugText, Kind>) {
        self.0.run(run);
    }
    fn fuses(&self) -> bool {
        self.0.fuses()
    }
    fn waits(&self) -> bool {
        self.0.waits()
    }
    fn rescans(&self) -> bool {
        self.0.rescans()
    }
    fn ends(&self) -> bool {
        self.0.ends()
    }
    fn pulls(&self) -> bool {
        self.0.pulls()
    }
}

/// Asserts that each of these laws is broken.
#[track_caller]
pub(crate) fn assert_found(path: &str, definition: impl Fn() -> Laws<Erased>, laws: &[Law]) {
    for law in laws {
        match definition().in_test(test_name(path)).check(*law) {
            Verdict::Broken(violation) => println!("{violation}"),
            other => panic!("{law}: {other:?}"),
        }
    }
}

/// Asserts that no law is broken.
#[track_caller]
pub(crate) fn assert_clean(path: &str, laws: Laws<Erased>) {
    for (law, verdict) in laws.in_test(test_name(path)).check_all() {
        match verdict {
            Verdict::Broken(violation) => panic!("{violation}"),
            Verdict::Unfit(reason) => panic!("{law}: {reason}"),
            Verdict::NotTried(reason) => println!("{law}: not tried: {reason}"),
            Verdict::Holds(tally) => println!("{law}: {} inputs, {} runs", tally.inputs, tally.runs),
        }
    }
}
