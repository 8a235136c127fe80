//! The planted bugs: how many executions until each is found.

use anyhow::{Context as _, Result};
use enjamb_fuzz::driver::{Inputs, Mutator, search};
use enjamb_fuzz::{PlantedBug, bugs, target};

use crate::trying::inputs_of;

/// Prints a table of the planted bugs with the executions until each is found by changes of bytes
/// and by the mutator. Each number is the median of `runs` runs with other random numbers. Returns
/// whether the mutator finds each within `executions`.
pub(crate) fn print_table(name: Option<&str>, executions: u64, runs: u64) -> Result<bool> {
    println!("executions until found, median of {runs}, at most {executions}");
    println!("{:22} {:16} {:>8} {:>10}  mistake", "bug", "target", "bytes", "structured");
    let (mut found, mut total) = ([0usize; 2], 0);
    for bug in bugs().iter().filter(|bug| name.is_none_or(|name| bug.name.contains(name) || bug.target == name)) {
        let medians = [Mutator::Plain, Mutator::Structured].map(|mutator| median(bug, mutator, executions, runs));
        total += 1;
        let mut shown = [String::new(), String::new()];
        for (at, median) in medians.into_iter().enumerate() {
            let median = median?;
            found[at] += usize::from(median.is_some());
            shown[at] = median.map_or_else(|| "-".to_owned(), |executions| executions.to_string());
        }
        println!("{:22} {:16} {:>8} {:>10}  {}", bug.name, bug.target, shown[0], shown[1], bug.mistake);
    }
    println!("found: {} of {total} by changes of bytes, {} by the mutator", found[0], found[1]);
    Ok(found[1] == total)
}

/// Returns the median of the executions until a bug is found. `None`: it was not found in most
/// runs.
fn median(bug: &PlantedBug, mutator: Mutator, executions: u64, runs: u64) -> Result<Option<u64>> {
    let target = target(bug.target).with_context(|| format!("{} has no target", bug.name))?;
    let seeds = inputs_of(target)?;
    let mut found: Vec<u64> = (1..=runs)
        .map(|seed| {
            let inputs = Inputs::new(target, seeds.clone(), mutator, seed);
            search(inputs, executions, &bug.check).map_or(u64::MAX, |finding| finding.execution)
        })
        .collect();
    found.sort_unstable();
    Ok(found.get(found.len() / 2).copied().filter(|executions| *executions < u64::MAX))
}
