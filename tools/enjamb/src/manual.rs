//! Completion scripts and manual pages, both generated from the command line itself.

use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context;
use clap_complete::Shell;
use clap_mangen::Man;
use enjamb_sources::Exit;

/// Writes a completion script for `shell` to standard output.
pub(crate) fn completions(shell: Shell, mut command: clap::Command) -> anyhow::Result<Exit> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    print(&script)
}

/// Writes manual pages: of all commands to the directory `out`, or the main page to standard
/// output.
pub(crate) fn man(out: Option<&Path>, command: clap::Command) -> anyhow::Result<Exit> {
    if let Some(folder) = out {
        let cannot_write = || format!("cannot write manual pages to {}", folder.display());
        std::fs::create_dir_all(folder).with_context(cannot_write)?;
        clap_mangen::generate_to(command, folder).with_context(cannot_write)?;
        return Ok(Exit::Done);
    }
    let mut page = Vec::new();
    // Writing to memory does not fail.
    Man::new(command).render(&mut page)?;
    print(&page)
}

fn print(bytes: &[u8]) -> anyhow::Result<Exit> {
    match io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(Exit::Done),
    }
}
