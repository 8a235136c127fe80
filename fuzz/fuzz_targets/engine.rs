//! The engine against a naive reading of the whole stream: any program of terminators, any stream, any chunks.
#![no_main]

use enjamb_law::fuzz::{EngineCase, engine_law};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|case: EngineCase| engine_law(&case));
