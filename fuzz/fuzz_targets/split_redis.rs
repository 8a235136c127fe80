//! The split law over redis sessions.
#![no_main]

use enjamb_law::fuzz::{Case, split_law};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|case: Case| split_law(&case, enjamb_protocols::redis::session));
