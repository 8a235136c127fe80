//! Segments of every kind, compared with a map of bytes. The fuzz target `reassembly` does the same
//! with its own inputs.

use enjamb_fuzz::{Action, ReassemblyCase, check_reassembly};
use proptest::prelude::*;

/// Mostly segments that follow each other, and some that do not.
fn event() -> impl Strategy<Value = Action> {
    let at = prop_oneof![4 => (0..12u16).prop_map(|piece| piece * 100), 1 => any::<u16>()];
    let length = prop_oneof![3 => Just(98u8), 1 => any::<u8>()];
    let flavour = prop_oneof![4 => Just(0u8), 1 => any::<u8>()];
    prop_oneof![
        12 => (at.clone(), length.clone(), flavour).prop_map(|(at, length, flavour)| Action::Data { at, length, flavour }),
        1 => (at, length, any::<u8>()).prop_map(|(at, length, captured)| Action::Cut { at, length, captured }),
        4 => (0..1600u16).prop_map(|bytes| Action::Acknowledge { bytes }),
        1 => Just(Action::Finish),
    ]
}

fn case() -> impl Strategy<Value = ReassemblyCase> {
    let first = prop_oneof![(0..3000u32).prop_map(|before| u32::MAX - before), any::<u32>()];
    (first, any::<bool>(), any::<bool>(), prop::collection::vec(event(), 0..60))
        .prop_map(|(first, handshake, last, actions)| ReassemblyCase { first, handshake, last, actions })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reassembled_streams_are_those_of_a_map_of_bytes(case in case()) {
        check_reassembly(&case);
    }

    #[test]
    fn reassembled_streams_are_those_of_a_map_of_bytes_for_fuzzer_input_too(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        check_reassembly(&ReassemblyCase::decode(&bytes));
    }
}
