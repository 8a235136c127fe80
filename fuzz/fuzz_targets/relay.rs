#![no_main]
enjamb_fuzz_targets::target!(relay);
