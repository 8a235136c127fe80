//! Single inputs: repeat one, make it small, make a test of it.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use enjamb_fuzz::Target;
use enjamb_fuzz::driver::{group, minimise, search};
use enjamb_fuzz::seeds::folder;

use crate::trying::named;

/// Calls a target with the inputs of files. Prints the findings, grouped by what they violate.
/// Returns whether there are none.
pub(crate) fn reproduce(target: &Target, paths: &[std::path::PathBuf]) -> Result<bool> {
    let mut groups: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new();
    for path in paths {
        let data = read(path)?;
        let found = search(std::iter::once(data), 1, &target.run);
        match found {
            None => println!("{}: holds", path.display()),
            Some(finding) => {
                println!("{}: {:.4000}\n", path.display(), finding.message);
                groups.entry(group(&finding.message)).or_default().push(path.display().to_string());
            }
        }
    }
    for (group, paths) in &groups {
        println!("{} of {group}: {}", paths.len(), paths.join(", "));
    }
    Ok(groups.is_empty())
}

/// Makes the input of a crash small, and writes it beside the file. Returns whether it is a crash.
pub(crate) fn minimise_file(path: &Path, target: Option<&str>) -> Result<bool> {
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    let target = named(target.unwrap_or(&folder)).context("name the target of the file with --target")?;
    let data = read(path)?;
    let small = minimise(&data, &target.run);
    let Some(finding) = search(std::iter::once(small.clone()), 1, &target.run) else {
        println!("{}: holds", path.display());
        return Ok(false);
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let place = path.with_file_name(format!("small-{name}"));
    std::fs::write(&place, &small)?;
    println!("{:.4000}\n\n{}: {} bytes of {}", finding.message, place.display(), small.len(), data.len());
    Ok(true)
}

/// Makes an input small, and keeps it among the findings under a name.
pub(crate) fn keep(target: &Target, path: &Path, name: &str) -> Result<()> {
    if name.contains(['/', '\\', '.']) {
        bail!("{name} is no name for a file");
    }
    let data = read(path)?;
    let small = minimise(&data, &target.run);
    let place = folder().join("findings").join(target.name);
    std::fs::create_dir_all(&place)?;
    std::fs::write(place.join(name), &small)?;
    println!("{}: {} bytes of {}", place.join(name).display(), small.len(), data.len());
    println!("cargo test -p enjamb-fuzz replays it");
    Ok(())
}

/// Prints an input as a test of its own.
pub(crate) fn to_test(target: &Target, path: &Path) -> Result<()> {
    let data = minimise(&read(path)?, &target.run);
    let name =
        path.file_name().unwrap_or_default().to_string_lossy().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let bytes: String = data.iter().map(|byte| std::ascii::escape_default(*byte).to_string()).collect();
    println!("#[test]\nfn {}_holds_for_{name}() {{", target.name);
    println!("    let target = enjamb_fuzz::target(\"{}\").unwrap();", target.name);
    println!("    (target.run)(b\"{bytes}\");\n}}");
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| path.display().to_string())
}
