//! What ends a process, or never ends, is a verdict and not the end of the test run.

use std::time::Duration;

use enjamb_law::{Law, Laws, Run, Subject, Verdict, Violation};

/// What happens at the byte `!`.
#[derive(Clone, Copy, Debug)]
enum Does {
    Loops,
    Recurses,
    TakesMemory,
    Panics,
    SaysForEver,
    Exits,
}

struct Reader(Does);

fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 32]);
    if frame[0] == u64::MAX { 0 } else { recurse(depth + 1) + frame[31] }
}

impl Subject for Reader {
    type Event = usize;
    type Error = ();

    fn run(&self, run: &mut Run<'_, usize, ()>) {
        let mut seen = 0;
        while let Some(chunk) = run.next_chunk() {
            for &byte in chunk {
                seen += 1;
                run.event(seen);
                // In a stream of real messages there is none: only what the law makes up has so many.
                if byte == b'!' && seen > 100 {
                    match self.0 {
                        Does::Loops => loop {
                            std::thread::sleep(Duration::from_millis(10));
                        },
                        Does::Recurses => run.event(recurse(0) as usize),
                        Does::TakesMemory => {
                            let mut all = Vec::new();
                            while let Ok(()) = all.try_reserve(1 << 28) {
                                all.extend_from_slice(&[1_u8; 1 << 20]);
                                std::hint::black_box(Vec::<u8>::with_capacity(1 << 40));
                            }
                        }
                        Does::Panics => panic!("at byte {seen}"),
                        Does::SaysForEver => loop {
                            run.event(0);
                        },
                        Does::Exits => std::process::exit(7),
                    }
                }
            }
        }
    }
}

fn verdict(does: Does, test: &str) -> Box<Violation> {
    let laws = Laws::new(format!("{does:?}"), Reader(does)).messages(["!"]).patience(Duration::from_millis(700));
    match laws.in_test(test).check(Law::Total) {
        Verdict::Broken(violation) => violation,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_that_does_not_return() {
    let violation = verdict(Does::Loops, "a_call_that_does_not_return");
    assert_eq!(violation.verdict, "a call did not return within 0.7 s");
    assert!(violation.input.bytes().contains(&b'!'));
}

#[test]
fn a_stack_that_overflows() {
    let violation = verdict(Does::Recurses, "a_stack_that_overflows");
    assert_eq!(violation.verdict, "it overflowed the stack, of 1024 KiB");
    assert!((101..200).contains(&violation.input.len()), "{violation}");
    assert!(violation.call.contains(".repeat("), "{violation}");
}

#[test]
fn memory_that_runs_out() {
    let violation = verdict(Does::TakesMemory, "memory_that_runs_out");
    assert_eq!(violation.verdict, "it asked for more memory than there is");
}

#[test]
fn a_process_that_exits() {
    let violation = verdict(Does::Exits, "a_process_that_exits");
    assert_eq!(violation.verdict, "the process died: exit status: 7");
}

#[test]
fn a_panic() {
    let violation = verdict(Does::Panics, "a_panic");
    assert!(violation.verdict.starts_with("it panicked: at byte 101"), "{violation}");
    assert_eq!(violation.input.len(), 101, "{violation}");
}

#[test]
fn an_answer_without_end() {
    let violation = verdict(Does::SaysForEver, "an_answer_without_end");
    assert!(violation.verdict.starts_with("it does not end"), "{violation}");
}
