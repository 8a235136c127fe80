//! Completion scripts and manual pages, both generated from the command line itself.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context;
use clap_complete::Shell;
use clap_mangen::Man;
use enjamb_sources::{Exit, Notices, OutputError, OutputFile, OutputKind, print};

/// Writes a completion script for `shell` to standard output.
pub(crate) fn completions(shell: Shell, mut command: clap::Command) -> anyhow::Result<Exit> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    print(&script).context("cannot write to standard output")?;
    Ok(Exit::Done)
}

/// Writes the main manual page to standard output.
pub(crate) fn page(command: clap::Command) -> anyhow::Result<Exit> {
    let mut page = Vec::new();
    // Writing to memory does not fail.
    Man::new(command).render(&mut page)?;
    print(&page).context("cannot write to standard output")?;
    Ok(Exit::Done)
}

/// Writes the manual pages of all commands to a directory. Without `force`, a file that is not a
/// manual page of enjamb stays, and no page is written.
pub(crate) fn pages(folder: &Path, force: bool, command: clap::Command, program: &str) -> anyhow::Result<Exit> {
    let cannot_write = || format!("cannot write manual pages to {}", folder.display());
    std::fs::create_dir_all(folder).with_context(cannot_write)?;
    let mut pages = Vec::new();
    let mut command = command.disable_help_subcommand(true);
    command.build();
    render(command, &mut pages)?;
    let open = |(name, page): (String, Vec<u8>)| -> Result<_, OutputError> {
        Ok((OutputFile::open(&folder.join(name), OutputKind::ManualPage, force)?, page))
    };
    // All are opened before the first one is replaced.
    let pages = match pages.into_iter().map(open).collect::<Result<Vec<_>, _>>() {
        Ok(pages) => pages,
        Err(error) if error.is_wrong_usage() => {
            Notices::new(program, "man").notice(format_args!("--out: {error}"));
            return Ok(Exit::WrongUsage);
        }
        Err(error) => return Err(error).with_context(cannot_write),
    };
    for (file, page) in pages {
        file.replace().and_then(|mut file| file.write_all(&page)).with_context(cannot_write)?;
    }
    Ok(Exit::Done)
}

/// Appends the pages of a command and of the commands below it, each with the name of its file.
fn render(command: clap::Command, pages: &mut Vec<(String, Vec<u8>)>) -> anyhow::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        render(below.clone(), pages)?;
    }
    let page = Man::new(command);
    let mut bytes = Vec::new();
    page.render(&mut bytes)?;
    pages.push((page.get_filename(), bytes));
    Ok(())
}
