//! The engine against a naive parser of the whole stream: any sequence of terminators, any stream,
//! any chunks.
#![no_main]

use enjamb_law::fuzz::{EngineCase, engine_law};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|case: EngineCase| engine_law(&case));
