//! A subject that ends its process or never returns gives a verdict, and does not end the
//! test run.

use std::time::Duration;

use enjamb_law::{Law, Laws, Run, Subject, Verdict, Violation};

/// The misbehaviour at the byte `!`.
#[derive(Clone, Copy, Debug)]
enum Misbehaviour {
    Loops,
    Recurses,
    TakesMemory,
    Panics,
    EmitsForEver,
    Exits,
}

struct Reader(Misbehaviour);

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
                // A stream of the messages is never this long; only generated inputs are.
                if byte == b'!' && seen > 100 {
                    match self.0 {
                        Misbehaviour::Loops => loop {
                            std::thread::sleep(Duration::from_millis(10));
                        },
                        Misbehaviour::Recurses => run.event(recurse(0) as usize),
                        Misbehaviour::TakesMemory => {
                            let mut all = Vec::new();
                            while let Ok(()) = all.try_reserve(1 << 28) {
                                all.extend_from_slice(&[1_u8; 1 << 20]);
                                std::hint::black_box(Vec::<u8>::with_capacity(1 << 40));
                            }
                        }
                        Misbehaviour::Panics => panic!("at byte {seen}"),
                        Misbehaviour::EmitsForEver => loop {
                            run.event(0);
                        },
                        Misbehaviour::Exits => std::process::exit(7),
                    }
                }
            }
        }
    }
}

fn verdict(misbehaviour: Misbehaviour, test: &str) -> Box<Violation> {
    let laws = Laws::new(format!("{misbehaviour:?}"), Reader(misbehaviour))
        .messages(["!"])
        .patience(Duration::from_millis(700));
    match laws.in_test(test).check(Law::Total) {
        Verdict::Broken(violation) => violation,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_that_does_not_return_is_a_verdict() {
    let violation = verdict(Misbehaviour::Loops, "a_call_that_does_not_return_is_a_verdict");
    assert_eq!(violation.verdict, "a call did not return within 0.7 s");
    assert!(violation.input.bytes().contains(&b'!'));
}

#[test]
fn a_stack_overflow_is_a_verdict() {
    let violation = verdict(Misbehaviour::Recurses, "a_stack_overflow_is_a_verdict");
    assert_eq!(violation.verdict, "it overflowed the stack, of 1024 KiB");
    assert!((101..200).contains(&violation.input.len()), "{violation}");
    assert!(violation.call.contains(".repeat("), "{violation}");
}

#[test]
fn exhausted_memory_is_a_verdict() {
    let violation = verdict(Misbehaviour::TakesMemory, "exhausted_memory_is_a_verdict");
    assert_eq!(violation.verdict, "it asked for more memory than there is");
}

#[test]
fn an_exit_of_the_process_is_a_verdict() {
    let violation = verdict(Misbehaviour::Exits, "an_exit_of_the_process_is_a_verdict");
    assert_eq!(violation.verdict, "the process died: exit status: 7");
}

#[test]
fn a_panic_is_a_verdict() {
    let violation = verdict(Misbehaviour::Panics, "a_panic_is_a_verdict");
    assert!(violation.verdict.starts_with("it panicked: at byte 101"), "{violation}");
    assert_eq!(violation.input.len(), 101, "{violation}");
}

#[test]
fn endless_output_is_a_verdict() {
    let violation = verdict(Misbehaviour::EmitsForEver, "endless_output_is_a_verdict");
    assert!(violation.verdict.starts_with("it does not end"), "{violation}");
}

/// Misbehaves at a chunk that begins with `!`, and not in the first one.
struct AtACut(Misbehaviour);

impl Subject for AtACut {
    type Event = u8;
    type Error = ();

    fn run(&self, run: &mut Run<'_, u8, ()>) {
        let mut seen = 0;
        while let Some(chunk) = run.next_chunk() {
            if chunk.first() == Some(&b'!') && seen > 0 {
                match self.0 {
                    Misbehaviour::Loops => loop {
                        std::thread::sleep(Duration::from_millis(10));
                    },
                    Misbehaviour::Recurses => run.event(recurse(0) as u8),
                    _ => std::process::exit(7),
                }
            }
            seen += chunk.len();
            chunk.iter().for_each(|byte| run.event(*byte));
        }
    }
}

/// Asserts that the input of the violation is two bytes, with one cut between them.
fn assert_smallest_cut(misbehaviour: Misbehaviour, test: &str) {
    let laws = Laws::new(format!("at a cut: {misbehaviour:?}"), AtACut(misbehaviour))
        .messages(["one! two! three!", "four!"])
        .patience(Duration::from_millis(700));
    let Verdict::Broken(violation) = laws.in_test(test).check(Law::Total) else { panic!("it holds") };
    assert_eq!((violation.input.len(), violation.cuts.len()), (2, 1), "{violation}");
}

#[test]
fn a_hang_at_a_cut_is_minimised_with_its_cuts() {
    assert_smallest_cut(Misbehaviour::Loops, "a_hang_at_a_cut_is_minimised_with_its_cuts");
}

#[test]
fn an_exit_at_a_cut_is_minimised_with_its_cuts() {
    assert_smallest_cut(Misbehaviour::Exits, "an_exit_at_a_cut_is_minimised_with_its_cuts");
}

#[test]
fn a_stack_overflow_at_a_cut_is_minimised_with_its_cuts() {
    assert_smallest_cut(Misbehaviour::Recurses, "a_stack_overflow_at_a_cut_is_minimised_with_its_cuts");
}
