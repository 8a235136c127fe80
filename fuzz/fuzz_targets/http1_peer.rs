#![no_main]
enjamb_fuzz_targets::target!(http1_peer);
