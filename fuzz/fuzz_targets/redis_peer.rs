#![no_main]
enjamb_fuzz_targets::target!(redis_peer);
