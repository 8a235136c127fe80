//! The entry point: from arguments to one of the modes.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use anyhow::Context;
use enjamb_protocols::Registry;
use enjamb_sources::{Exit, Inputs, Notices, check_standard_output};

use crate::arguments::Arguments;
use crate::records::Selection;
use crate::setup::{Origin, Setup};
use crate::{live, records, recut, watch};

/// Runs `enjamb replay` with the protocols of `registry`, and writes to standard output.
///
/// `program` is the name of the program in messages. A capture that cannot be read causes a message
/// on standard error, and the others are still replayed.
///
/// # Errors
/// Standard output or a file cannot be written, or the system has no threads left.
pub fn run(arguments: &Arguments, registry: &Registry, program: &str) -> anyhow::Result<Exit> {
    let notices = Notices::new(program, "replay");
    let wrong_usage = |reason: String| {
        notices.notice(reason);
        Ok(Exit::WrongUsage)
    };
    let protocols = match arguments.protocol.choice(registry, &arguments.port) {
        Ok(protocols) => Arc::new(protocols),
        Err(reason) => return wrong_usage(reason),
    };
    let selection = match Selection::new(&arguments.output, registry) {
        Ok(selection) => Arc::new(selection),
        Err(error) => return wrong_usage(format!("--filter: {error}")),
    };
    if let Some(reason) = arguments.contradiction() {
        return wrong_usage(reason.to_owned());
    }
    let origin = if arguments.follow {
        match watch::followed(&arguments.captures) {
            Ok(input) => Origin::Live(input),
            Err(reason) => return wrong_usage(reason),
        }
    } else {
        Origin::Paths(&arguments.captures)
    };
    let setup = Setup {
        origin,
        strict: arguments.strict,
        reassembly: &arguments.reassembly,
        output: &arguments.output,
        protocols,
        notices,
    };
    let inputs = setup.inputs();
    if let Err(error) = check_standard_output(&inputs) {
        return Ok(setup.refuse("", &error));
    }
    let done = if arguments.list {
        list(&setup, inputs)
    } else if let Some(recut) = arguments.recut.recut() {
        recut::run(&setup, &inputs, &recut)
    } else if let Some(server) = &arguments.live.against {
        live::play_against(&setup, &inputs, server, &arguments.live)
    } else if let Some(address) = &arguments.live.serve {
        live::serve(&setup, &inputs, address, &arguments.live)
    } else {
        records::run(&setup, &inputs, &selection, arguments.jobs)
    };
    match done {
        Err(error) if is_broken_pipe(&error) => Ok(Exit::Done),
        done => done,
    }
}

/// Writes the names of the inputs.
fn list(setup: &Setup<'_>, mut inputs: Inputs) -> anyhow::Result<Exit> {
    inputs.check();
    for unreadable in &inputs.unreadable {
        setup.notices.notice(unreadable);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let written = inputs.captures.iter().try_for_each(|input| writeln!(out, "{input}"));
    written.and_then(|()| out.flush()).context("cannot write to standard output")?;
    Ok(if inputs.unreadable.is_empty() { Exit::Done } else { Exit::Unavailable })
}

/// Returns whether the reader of standard output, `head` perhaps, has gone. That is not an error.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
