//! Targets without libFuzzer: findings, and speed.

use std::time::Instant;

use anyhow::{Result, bail};
use enjamb_fuzz::driver::{Finding, Inputs, Mutator, group, minimise, search};
use enjamb_fuzz::seeds::seeds;
use enjamb_fuzz::{TARGETS, Target, target};

/// The length of the inputs whose speed is measured, in bytes.
const LENGTH: usize = 512;

/// Returns the targets of these names, or all.
pub(crate) fn targets(names: &[String]) -> Result<Vec<&'static Target>> {
    if names.is_empty() {
        return Ok(TARGETS.iter().collect());
    }
    names.iter().map(|name| target(name).ok_or_else(|| anyhow::anyhow!("no target has the name {name}"))).collect()
}

/// Returns the seeds of a target, without names.
pub(crate) fn inputs_of(target: &Target) -> Result<Vec<Vec<u8>>> {
    Ok(seeds(target.name)?.into_iter().map(|(_, data)| data).collect())
}

/// Calls targets with changed seeds. Returns whether all held.
pub(crate) fn attempt(names: &[String], executions: u64, seed: u64) -> Result<bool> {
    let mut held = true;
    for target in targets(names)? {
        let inputs = Inputs::new(target, inputs_of(target)?, Mutator::Structured, seed);
        let start = Instant::now();
        match search(inputs, executions, &target.run) {
            None => {
                let rate = executions as f64 / start.elapsed().as_secs_f64();
                println!("{:16} {executions} executions, {rate:.0} a second with the mutator", target.name);
            }
            Some(Finding { execution, input, message }) => {
                held = false;
                let smallest = minimise(&input, &target.run);
                println!("{:16} FAILED at execution {execution}: {}", target.name, group(&message));
                println!("{:.3000}\n  smallest input: {}\n", message, smallest.escape_ascii());
                let folder = enjamb_fuzz::seeds::folder().join("artifacts").join(target.name);
                std::fs::create_dir_all(&folder)?;
                std::fs::write(folder.join(format!("try-{seed}-{execution}")), &smallest)?;
            }
        }
    }
    Ok(held)
}

/// Prints how many inputs a second each target checks, for inputs of 512 bytes: seeds, and changed
/// ones, that were filled up or cut to that length.
pub(crate) fn speed(names: &[String]) -> Result<()> {
    println!("executions a second at {LENGTH} bytes, one thread, without a sanitizer");
    for target in targets(names)? {
        let seeds = inputs_of(target)?;
        if seeds.is_empty() {
            bail!("{} has no seeds", target.name);
        }
        let changed = Inputs::new(target, seeds.clone(), Mutator::Structured, 1).take(2000);
        let inputs: Vec<Vec<u8>> = changed.map(|input| filled(&input, &seeds, target)).collect();
        // A warm-up, which also fills what is made once.
        inputs.iter().take(50).for_each(|input| (target.run)(input));
        let (start, mut done) = (Instant::now(), 0u64);
        while start.elapsed().as_secs_f64() < 1.0 {
            inputs.iter().skip(done as usize % inputs.len()).take(50).for_each(|input| (target.run)(input));
            done += 50;
        }
        println!("{:16} {:8.0}", target.name, done as f64 / start.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Returns an input of the measured length.
fn filled(input: &[u8], seeds: &[Vec<u8>], target: &Target) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(input.len() as u64);
    let mut input = input.to_vec();
    let mut rounds = 0;
    while input.len() < LENGTH && rounds < 200 {
        let other = &seeds[random.usize(..seeds.len())];
        let longer = enjamb_fuzz::cross(target, &input, other, 2 * LENGTH, &mut random);
        if longer.len() > input.len() {
            input = longer;
        }
        rounds += 1;
    }
    input.resize(LENGTH, b'\n');
    input
}
