#![no_main]
enjamb_fuzz_targets::target!(split_industry);
