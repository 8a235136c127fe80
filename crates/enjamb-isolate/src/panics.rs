//! Panics, caught without output.
//!
//! A search for the smallest failing input makes the same code panic hundreds of times. A panic
//! hook, which is installed once, keeps those panics off the terminal and notes where each
//! happened. All other panics go to the hook that was there before.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{self, UnwindSafe};
use std::sync::Once;

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A panic that was caught.
pub struct Panic {
    payload: Box<dyn Any + Send>,
    message: String,
}

impl Panic {
    /// Creates a panic with this payload, for which no place is known.
    pub(crate) fn of(payload: Box<dyn Any + Send>) -> Self {
        Self { message: text(&*payload), payload }
    }

    /// Returns the text of the panic and, in brackets, its file and line where they are known.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the payload, to downcast it or to resume the panic.
    #[must_use]
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.payload
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Panic").field(&self.message).finish()
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Panic {}

/// Runs `work` on this thread. Its panic is returned and not printed. A panic inside of
/// [`uncaught`] is printed as usual and not caught here.
///
/// # Errors
/// The panic, with its message and place.
pub fn catch_panic<R>(work: impl FnOnce() -> R + UnwindSafe) -> Result<R, Panic> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if CATCHING.get() {
                let place = info.location().map(|place| format!(" ({}:{})", short(place.file()), place.line()));
                LAST.set(Some(format!("{}{}", text(info.payload()), place.unwrap_or_default())));
            } else {
                before(info);
            }
        }));
    });
    let outer = CATCHING.replace(true);
    let outcome = panic::catch_unwind(work);
    let caught = CATCHING.replace(outer);
    outcome.map_err(|payload| match LAST.take() {
        _ if !caught => panic::resume_unwind(payload),
        Some(message) => Panic { payload, message },
        None => Panic::of(payload),
    })
}

/// Runs `work`, which foreign code inside of [`catch_panic`] calls back, such as the receiver of
/// its results. A panic of `work` is not a panic of the foreign code: it is printed, and is not
/// caught there.
pub fn uncaught<R>(work: impl FnOnce() -> R) -> R {
    let outer = CATCHING.replace(false);
    // Stays `false` after a panic: so `catch_panic` recognizes it.
    let result = work();
    CATCHING.set(outer);
    result
}

fn text(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a value that is not text".to_owned())
}

/// The file of a dependency, without the folders that differ from machine to machine.
fn short(file: &str) -> &str {
    match file.find("/registry/src/") {
        Some(at) => file[at + "/registry/src/".len()..].split_once('/').map_or(file, |(_, rest)| rest),
        None => match file.find("/library/") {
            Some(at) if file.starts_with("/rustc/") => &file[at + 1..],
            _ => file,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::{catch_panic, uncaught};

    #[test]
    fn a_panic_of_a_callback_passes_through() {
        let result = catch_unwind(|| catch_panic(|| uncaught(|| panic!("of the callback"))));
        assert_eq!(result.unwrap_err().downcast_ref(), Some(&"of the callback"));
        assert_eq!(catch_panic(|| uncaught(|| 3) + 1).unwrap(), 4);
        let message = catch_panic(|| panic!("number {}", 7)).unwrap_err().to_string();
        assert!(message.starts_with("number 7 (") && message.contains("panics.rs:"), "{message}");
    }
}
