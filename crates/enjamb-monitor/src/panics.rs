//! Panics of sessions, caught without a word on the terminal.
//!
//! A session is somebody else's code: its panic must cost neither the other connections nor a line in the middle of the
//! output. A panic hook, installed once, notes the message of a panic inside of [`caught`] and prints nothing; every
//! other panic goes to the hook that was there before.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    static MESSAGE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`, and returns the message of its panic.
///
/// What `work` has borrowed must be thrown away after a panic, or be good in any state.
pub(crate) fn caught<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if CATCHING.get() {
                let place = info.location().map(|place| format!(" ({}:{})", place.file(), place.line()));
                MESSAGE.set(Some(text(info.payload()) + &place.unwrap_or_default()));
            } else {
                before(info);
            }
        }));
    });
    let outer = CATCHING.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    // `false`: the panic came from inside of `outside`, and is not the session's.
    let inside = CATCHING.replace(outer);
    match result {
        Ok(result) => Ok(result),
        Err(payload) if !inside => panic::resume_unwind(payload),
        Err(payload) => Err(MESSAGE.take().unwrap_or_else(|| text(&*payload))),
    }
}

/// Runs `work`, which a session calls back inside of [`caught`], so that its panics go on as any other.
pub(crate) fn outside<R>(work: impl FnOnce() -> R) -> R {
    let outer = CATCHING.replace(false);
    // Stays `false` after a panic: this is how `caught` recognizes it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_inside_is_caught_with_its_message_and_its_place() {
        let message = caught(|| panic!("number {}", 7)).unwrap_err();
        assert!(message.starts_with("number 7 (") && message.contains("panics.rs:"), "{message}");
        assert_eq!(caught(|| 5), Ok(5));
        assert_eq!(caught(|| panic::resume_unwind(Box::new("quiet"))), Err::<(), _>("quiet".to_owned()));
    }

    #[test]
    fn a_panic_of_a_callback_goes_on() {
        let result = panic::catch_unwind(|| caught(|| outside(|| panic!("of the callback"))));
        assert_eq!(result.unwrap_err().downcast_ref(), Some(&"of the callback"));
        assert!(!CATCHING.get());
        assert_eq!(caught(|| outside(|| 3) + 1), Ok(4));
    }
}
