//! Panics of subjects, caught in silence.
//!
//! A law makes a panicking subject panic hundreds of times on its way to the smallest input. The hook that is installed once keeps those panics off the
//! terminal and notes where they were; all others go to the hook that was there before.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, UnwindSafe};
use std::sync::Once;

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A panic that was caught.
pub(crate) struct Caught {
    pub(crate) payload: Box<dyn Any + Send>,
    /// What it said, and where.
    pub(crate) message: String,
}

/// Runs `work`, and catches its panic without a word on the terminal.
pub(crate) fn caught<R>(work: impl FnOnce() -> R + UnwindSafe) -> Result<R, Caught> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if CATCHING.get() {
                let place = info.location().map(|place| format!(" ({}:{})", short(place.file()), place.line()));
                let said = said(info.payload());
                LAST.set(Some(format!("{said}{}", place.unwrap_or_default())));
            } else {
                before(info);
            }
        }));
    });
    let outer = CATCHING.replace(true);
    let outcome = panic::catch_unwind(work);
    CATCHING.set(outer);
    outcome.map_err(|payload| {
        let message = LAST.take().unwrap_or_else(|| said(&*payload));
        Caught { payload, message }
    })
}

fn said(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a value that is not text".to_owned())
}

/// A file of a dependency, without the folders that differ from machine to machine.
fn short(file: &str) -> &str {
    match file.find("/registry/src/") {
        Some(at) => file[at + "/registry/src/".len()..].split_once('/').map_or(file, |(_, rest)| rest),
        None => match file.find("/library/") {
            Some(at) if file.starts_with("/rustc/") => &file[at + 1..],
            _ => file,
        },
    }
}
