//! Work on a watched thread.

use std::error::Error as _;
use std::time::Duration;

use enjamb_isolate::{Failure, Progress, Watchdog, catch_panic, supervise};

const SHORT: Duration = Duration::from_millis(100);

#[test]
fn work_that_returns_gives_its_value() {
    assert_eq!(supervise("a name\0with a NUL", SHORT, || 7).unwrap(), 7);
}

#[test]
fn a_panic_is_reported_with_its_message_and_place() {
    let failure = supervise("panics", SHORT, || -> () { panic!("no {}", "way") }).unwrap_err();
    let Failure::Panicked(panic) = &failure else { panic!("{failure}") };
    assert!(panic.message().starts_with("no way ("), "{panic}");
    assert!(panic.message().contains("threads.rs:"), "{panic}");
    assert!(failure.to_string().starts_with("it panicked: no way"), "{failure}");
    assert!(failure.source().is_none());
}

#[test]
fn a_panic_with_a_value_keeps_the_value() {
    let panic = catch_panic(|| std::panic::panic_any(5_u8)).unwrap_err();
    assert!(panic.message().starts_with("a value that is not text"), "{panic}");
    assert_eq!(panic.into_payload().downcast_ref::<u8>(), Some(&5));
}

#[test]
fn a_thread_that_makes_no_progress_is_given_up() {
    let failure = supervise("hangs", SHORT, || std::thread::sleep(50 * SHORT)).unwrap_err();
    assert!(matches!(failure, Failure::Hung(SHORT)), "{failure}");
    assert_eq!(failure.to_string(), "a call did not return within 0.1 s");
}

#[test]
fn slow_work_that_makes_progress_is_not_given_up() {
    let progress = Progress::default();
    let advancing = progress.clone();
    let work = move || {
        for _ in 0..30 {
            std::thread::sleep(SHORT / 10);
            advancing.advance();
        }
        advancing.steps()
    };
    assert_eq!(Watchdog::new(SHORT).run(&progress, work).unwrap(), 30);
}
