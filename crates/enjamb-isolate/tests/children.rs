//! Work in a child process: each test starts itself again as the child.

use enjamb_isolate::{ChildEnding, ChildOutput, ChildReport, Crash, Program, Relaunch, Task, limit_memory};

const VARIABLE: &str = "ENJAMB_ISOLATE_TEST";

/// Runs `work` in a child that runs the test of this name. Does not return in the child.
fn in_child(test: &str, task: &[u8], work: fn(&Task)) -> ChildReport {
    if let Some(task) = Task::of_this_process(VARIABLE) {
        work(&task);
        std::process::exit(0);
    }
    Relaunch::new(Program::of_test(test), VARIABLE, ChildOutput::Discard).run(task).unwrap()
}

#[test]
fn a_task_goes_in_and_an_answer_comes_out() {
    let report = in_child("a_task_goes_in_and_an_answer_comes_out", b"\0abc\xff", |task| {
        task.begin();
        let answer: Vec<u8> = task.bytes().iter().rev().copied().collect();
        task.answer(&answer).unwrap();
    });
    assert_eq!(report.ending, ChildEnding::Answered(b"\xffcba\0".to_vec()));
    assert_eq!(report.mark, None);
    assert!(report.status.success());
}

#[test]
fn a_child_that_never_begins_is_told_from_one_that_dies() {
    let report = in_child("a_child_that_never_begins_is_told_from_one_that_dies", b"", |_| {});
    assert!(matches!(report.ending, ChildEnding::NotBegun(Crash::Exit(status)) if status.success()), "{report:?}");
}

#[cfg(unix)]
#[test]
fn an_abort_is_a_signal_and_the_last_mark_is_known() {
    let report = in_child("an_abort_is_a_signal_and_the_last_mark_is_known", b"", |task| {
        task.begin();
        task.mark(b"first");
        task.mark(b"second");
        std::process::abort();
    });
    let ChildEnding::Crashed(crash @ Crash::Signal(_)) = report.ending else { panic!("{report:?}") };
    assert!(crash.to_string().starts_with("the process died: signal: 6 (SIGABRT)"), "{crash}");
    assert_eq!(report.mark.as_deref(), Some(&b"second"[..]));
}

#[test]
fn an_exit_without_an_answer_is_a_crash() {
    let report = in_child("an_exit_without_an_answer_is_a_crash", b"", |task| {
        task.begin();
        std::process::exit(7);
    });
    let ChildEnding::Crashed(crash) = report.ending else { panic!("{report:?}") };
    assert_eq!(crash.to_string(), "the process died: exit status: 7");
}

#[test]
fn a_stack_overflow_has_a_name() {
    fn recurse(depth: u64) -> u64 {
        let frame = std::hint::black_box([depth; 32]);
        if frame[0] == u64::MAX { 0 } else { recurse(depth + 1) + frame[31] }
    }
    let report = in_child("a_stack_overflow_has_a_name", b"", |task| {
        task.begin();
        std::hint::black_box(recurse(0));
    });
    assert_eq!(report.ending, ChildEnding::Crashed(Crash::StackOverflow));
}

#[cfg(unix)]
#[test]
fn memory_over_the_limit_has_a_name() {
    let report = in_child("memory_over_the_limit_has_a_name", b"", |task| {
        task.begin();
        limit_memory(1 << 30);
        std::hint::black_box(Vec::<u8>::with_capacity(2 << 30));
    });
    assert_eq!(report.ending, ChildEnding::Crashed(Crash::OutOfMemory));
}
