//! The split law over Redis sessions.
#![no_main]

use enjamb_law::Script;
use enjamb_law::fuzz::split_law;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: Script| split_law(&script, enjamb_protocols::redis::session));
