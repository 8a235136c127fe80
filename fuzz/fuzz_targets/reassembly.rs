//! Segments in any order, lost, repeated, overlapping and in conflict, compared with a map of
//! bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/enjamb-capture/tests/model/mod.rs"]
mod model;

fuzz_target!(|case: model::Case| model::check(&case));
