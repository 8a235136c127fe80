//! Writes seeds for the fuzz targets from the captures in `corpora/`: one file per connection.
//!
//! ```sh
//! cargo run -p enjamb-law --example seeds
//! ```

use std::path::Path;

use enjamb::transcript::Collector;
use enjamb_law::{Cutting, Script};
use enjamb_protocols::Registry;

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for protocol in ["redis", "http1"] {
        let target = root.join(format!("fuzz/corpus/split_{protocol}"));
        let written = write_seeds(&root.join("corpora").join(protocol), &target, &[])?;
        println!("fuzz/corpus/split_{protocol}: {written} seeds");
    }
    let target = root.join("fuzz/corpus/split_protocols");
    let mut written = 0;
    for (number, protocol) in Registry::builtin().iter().enumerate() {
        let folder = root.join("corpora").join(protocol.name());
        // The first byte chooses the protocol.
        if let (Ok(choice), true) = (u8::try_from(number), folder.is_dir()) {
            written += write_seeds(&folder, &target, &[choice])?;
        }
    }
    println!("fuzz/corpus/split_protocols: {written} seeds");
    Ok(())
}

/// Writes a seed for each connection of the captures in a folder, with `prefix` before it. Returns
/// their number.
fn write_seeds(captures: &Path, seeds: &Path, prefix: &[u8]) -> std::io::Result<usize> {
    std::fs::create_dir_all(seeds)?;
    let protocol = captures.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut written = 0;
    for entry in std::fs::read_dir(captures)? {
        let path = entry?.path();
        let mut collector = Collector::default();
        let report = enjamb_capture::open(&path, &mut collector, &enjamb_capture::Options::default());
        if let Some(fault) = report.error {
            eprintln!("{}: {fault}", path.display());
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for (connection, transcript) in collector.finish() {
            let seed = Script::of(&Cutting::from(&transcript), &[]).encode();
            std::fs::write(seeds.join(format!("{protocol}-{name}-{}", connection.number)), [prefix, &seed].concat())?;
            written += 1;
        }
    }
    Ok(written)
}
