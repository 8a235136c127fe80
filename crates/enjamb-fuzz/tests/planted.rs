//! The planted bugs, each found by its target. `cargo fuzzer bugs` prints how soon.

use std::collections::BTreeSet;

use enjamb_fuzz::driver::{Inputs, Mutator, search};
use enjamb_fuzz::seeds::seeds;
use enjamb_fuzz::{bugs, target};

/// The maximum number of executions until a bug is found.
const EXECUTIONS_MAX: u64 = 20_000;

#[test]
fn every_planted_bug_is_found_by_its_target() {
    let mut lost = Vec::new();
    for bug in bugs() {
        let target = target(bug.target).unwrap_or_else(|| panic!("{} has no target", bug.name));
        let seeds = seeds(target.name).unwrap().into_iter().map(|(_, data)| data).collect();
        let inputs = Inputs::new(target, seeds, Mutator::Structured, 1);
        if search(inputs, EXECUTIONS_MAX, &bug.check).is_none() {
            lost.push(bug.name);
        }
    }
    assert!(lost.is_empty(), "not found: {lost:?}");
}

#[test]
fn there_are_bugs_over_the_engine_protocols_reassembly_and_the_relay() {
    let bugs = bugs();
    let names: BTreeSet<&str> = bugs.iter().map(|bug| bug.name).collect();
    assert_eq!(names.len(), bugs.len(), "two bugs have one name");
    assert!(bugs.len() >= 40, "{}", bugs.len());
    for target in
        ["engine", "text", "split_http1", "split_redis", "reassembly", "server", "relay", "faults", "http1_peer"]
    {
        assert!(bugs.iter().any(|bug| bug.target == target), "{target} has no planted bug");
    }
}
