//! A tool that works through numbered items goes on after items that end its process.
//!
//! Without arguments this program is the test. With `work FIRST LAST FATAL...` it is the tool: the items from
//! `FIRST` to `LAST`, of which the fatal ones end the process.

use std::process::{Command, ExitCode};

use enjamb_isolate::{Ledger, LedgerError, run_in_child};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "work") {
        let numbers: Vec<u64> = arguments[1..].iter().map(|number| number.parse().unwrap()).collect();
        return tool(numbers[0]..=numbers[1], &numbers[2..]);
    }
    items_that_end_the_process_are_passed_over();
    after_eight_items_nothing_more_is_tried();
    a_child_that_dies_before_the_first_item_is_an_error();
    println!("test result: ok. 3 passed");
    ExitCode::SUCCESS
}

fn tool(items: std::ops::RangeInclusive<u64>, fatal: &[u64]) -> ExitCode {
    let work = || {
        eprintln!("the work begins");
        let ledger = Ledger::of_this_process();
        if fatal.contains(&0) {
            std::process::abort();
        }
        for item in items {
            if let Some(crash) = ledger.pass_over(item) {
                println!("{item} passed over: {crash}");
            } else if ledger.is_full() {
                println!("{item} not tried");
            } else {
                ledger.begin(item);
                if fatal.contains(&item) {
                    std::process::exit(70);
                }
                println!("{item} done");
            }
        }
        ExitCode::from(5)
    };
    run_in_child(work).unwrap_or_else(|error| {
        println!("{error}");
        ExitCode::from(match error {
            LedgerError::NoItem(_) => 6,
            _ => 7,
        })
    })
}

/// Runs the tool and returns its exit code, the lines that its last child printed, and its standard error.
fn run(arguments: &str) -> (i32, Vec<String>, String) {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).arg("work").args(arguments.split(' ')).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<String> = out.lines().map(str::to_owned).collect();
    // Each child does the work from the start: the output of the last one is complete.
    let first = lines.iter().rposition(|line| line.starts_with("1 ")).unwrap_or(0);
    (output.status.code().unwrap(), lines[first..].to_vec(), String::from_utf8(output.stderr).unwrap())
}

fn items_that_end_the_process_are_passed_over() {
    let (code, lines, stderr) = run("1 5 2 4");
    let passed = |item| format!("{item} passed over: the process died: exit status: 70");
    assert_eq!(lines, ["1 done", &passed(2), "3 done", &passed(4), "5 done"]);
    assert_eq!(code, 5, "the exit code of the work");
    assert_eq!(stderr, "the work begins\n", "three children print the same line, and it is passed on once");
}

fn after_eight_items_nothing_more_is_tried() {
    let (code, lines, _) = run("1 11 1 2 3 4 5 6 7 8 9 10");
    assert_eq!(code, 5);
    assert!(lines[7].starts_with("8 passed over"), "{lines:?}");
    assert_eq!(lines[8..], ["9 not tried", "10 not tried", "11 not tried"]);
}

fn a_child_that_dies_before_the_first_item_is_an_error() {
    let (code, lines, _) = run("1 2 0");
    assert_eq!(code, 6);
    assert!(lines[0].starts_with("before the first item was tried, the process died: signal: 6"), "{lines:?}");
}
