#![no_main]

#[path = "../../tests/laws.rs"]
mod laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::kv::fuzz(data));
