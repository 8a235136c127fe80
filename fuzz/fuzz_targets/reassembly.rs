//! Reassembly against a model, which is a map of bytes: segments in any order, lost, repeated,
//! overlapping and in conflict.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/enjamb-capture/tests/model/mod.rs"]
mod model;

fuzz_target!(|case: model::Case| model::check(&case));
