//! Random specs and random input: nothing panics, and the cuts decide nothing.

use enjamb_law::{Cutting, Segmentations, Sessions, split_everywhere, stream};
use enjamb_protocols::SpecFile;
use proptest::prelude::*;

/// Returns a spec of random choices. It is not always a right one.
#[path = "generator.rs"]
mod generator;

fn check(text: &str, bytes: &[u8]) {
    let Ok(spec) = SpecFile::parse(text) else { return };
    let _ = (spec.wireshark(), spec.dictionary(), spec.protocol());
    let input: Cutting = stream(bytes);
    split_everywhere(&Sessions(|| spec.session()), &input, &Segmentations::up_to_one_cut().and_random(7, 20))
        .unwrap_or_else(|violation| panic!("{text}\n{violation}"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_specs_obey_the_split_law(choices in proptest::collection::vec(any::<u8>(), 0..120), bytes in proptest::collection::vec(prop_oneof![0_u8..6, any::<u8>()], 0..48)) {
        check(&generator::spec(&choices), &bytes);
    }

    #[test]
    fn damaged_specs_never_panic(at in 0_usize..4000, with in "[ -~]{0,3}", name in prop_oneof![Just("meter"), Just("craft"), Just("vendor")]) {
        let path = crate::scripts::folder().join(format!("{name}.toml"));
        let mut text = std::fs::read_to_string(path).unwrap();
        let at = at % text.len();
        let end = (at + with.len()).min(text.len());
        text.replace_range(at..end, &with);
        if let Err(error) = SpecFile::parse(&text) {
            prop_assert!(error.line() >= 1 && error.to_string().contains('^'));
        }
    }
}

#[test]
fn most_random_specs_are_right() {
    let mut right = 0;
    for seed in 0..200_u64 {
        let choices: Vec<u8> =
            (0..80_u64).map(|at| ((seed * 80 + at).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect();
        match SpecFile::parse(&generator::spec(&choices)) {
            Ok(_) => right += 1,
            Err(error) => assert!(error.to_string().contains('^')),
        }
    }
    assert!(right > 60, "only {right} of 200");
}
