//! The split law over http1 sessions.
#![no_main]

use enjamb_law::fuzz::{Case, split_law};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|case: Case| split_law(&case, enjamb_protocols::http1::session));
