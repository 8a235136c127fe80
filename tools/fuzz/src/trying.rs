//! Targets without libFuzzer: findings, and speed.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
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
    names.iter().map(|name| named(name)).collect()
}

/// Returns the target of a name.
pub(crate) fn named(name: &str) -> Result<&'static Target> {
    target(name).with_context(|| format!("no target has the name {name}"))
}

/// Returns the seeds of a target, without names.
pub(crate) fn inputs_of(target: &Target) -> Result<Vec<Vec<u8>>> {
    Ok(seeds(target.name)?.into_iter().map(|(_, data)| data).collect())
}

/// The time of one execution above which its input is kept as a slow one.
const SLOW: Duration = Duration::from_millis(250);

/// Calls targets with changed seeds. Keeps the slowest input of each if it is slow. Returns whether
/// all held.
pub(crate) fn attempt(names: &[String], executions: u64, seed: u64) -> Result<bool> {
    let mut held = true;
    for target in targets(names)? {
        let inputs = Inputs::new(target, inputs_of(target)?, Mutator::Structured, seed);
        let start = Instant::now();
        let slowest = RefCell::new((Duration::ZERO, Vec::new()));
        let timed = |input: &[u8]| {
            let start = Instant::now();
            (target.run)(input);
            let time = start.elapsed();
            if time > slowest.borrow().0 {
                slowest.replace((time, input.to_vec()));
            }
        };
        match search(inputs, executions, &timed) {
            None => {
                let rate = executions as f64 / start.elapsed().as_secs_f64();
                println!("{:16} {executions} executions, {rate:.0} a second with the mutator", target.name);
            }
            Some(Finding { execution, input, message }) => {
                held = false;
                let smallest = minimise(&input, &target.run);
                println!("{:16} FAILED at execution {execution}: {}", target.name, group(&message));
                println!("{:.3000}\n  smallest input: {}\n", message, smallest.escape_ascii());
                keep(target, &format!("try-{seed}-{execution}"), &smallest)?;
            }
        }
        let (time, input) = slowest.into_inner();
        if time > SLOW {
            let path = keep(target, &format!("slow-{seed}"), &input)?;
            println!("  the slowest input took {:.1} s: {}", time.as_secs_f64(), path.display());
        }
    }
    Ok(held)
}

/// Writes an input to the target's folder in `fuzz/artifacts`, and returns its path.
fn keep(target: &Target, name: &str, input: &[u8]) -> Result<PathBuf> {
    let folder = enjamb_fuzz::seeds::folder().join("artifacts").join(target.name);
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(name);
    std::fs::write(&path, input)?;
    Ok(path)
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
