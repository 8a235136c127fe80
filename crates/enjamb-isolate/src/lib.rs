//! Runs code that somebody else wrote, and reports how it ended.
//!
//! A parser under test may panic, hang, overflow its stack, exhaust memory or exit. None of that
//! may end a test run or a tool. There are two places to run such code:
//!
//! | place | survives | costs |
//! |---|---|---|
//! | a watched thread: [`Watchdog`], [`supervise`] | a panic, a call that never returns | a thread |
//! | a child process: [`Relaunch`] and [`Task`] | those too, and whatever ends a process | a process start |
//!
//! A child is this program, started again ([`Program`]). It receives a task and returns an answer,
//! both bytes whose meaning only the caller defines. While it works it may leave a *mark*: the
//! bytes that name the input it is about to try. When the child dies, the last mark shows the
//! parent which input ended it.
//!
//! [`Ledger`] and [`run_in_child`] use both, for a tool that works through numbered items: an item
//! that ends the child is entered in the ledger, and the next child passes it over.
//!
//! The crate is safe Rust only. It contains nothing about protocols or laws.

mod child;
mod crash;
mod ledger;
mod panics;
mod program;
mod watchdog;

pub use child::{ChildEnding, ChildOutput, ChildReport, Relaunch, Task, limit_memory};
pub use crash::Crash;
pub use ledger::{Ledger, LedgerError, run_in_child};
pub use panics::{Panic, catch_panic, uncaught};
pub use program::Program;
pub use watchdog::{Failure, Progress, STACK_BYTES, Watchdog, supervise};

/// The examples of the README are run as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
