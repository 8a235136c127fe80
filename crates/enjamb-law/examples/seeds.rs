//! Writes seeds for the fuzz targets from the captures in `corpora/`: one file per connection.
//!
//! ```sh
//! cargo run -p enjamb-law --example seeds
//! ```

use std::path::Path;

use enjamb::transcript::Collector;
use enjamb_law::{Cutting, Script};

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for protocol in ["redis", "http1"] {
        let seeds = root.join(format!("fuzz/corpus/split_{protocol}"));
        std::fs::create_dir_all(&seeds)?;
        let mut written = 0;
        for entry in std::fs::read_dir(root.join("corpora").join(protocol))? {
            let path = entry?.path();
            let mut collector = Collector::default();
            let report = enjamb_capture::open(&path, &mut collector, &enjamb_capture::Options::default());
            if let Some(fault) = report.error {
                eprintln!("{}: {fault}", path.display());
            }
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            for (connection, transcript) in collector.finish() {
                let seed = Script::of(&Cutting::from(&transcript), &[]).encode();
                std::fs::write(seeds.join(format!("{name}-{}", connection.number)), seed)?;
                written += 1;
            }
        }
        println!("fuzz/corpus/split_{protocol}: {written} seeds");
    }
    Ok(())
}
