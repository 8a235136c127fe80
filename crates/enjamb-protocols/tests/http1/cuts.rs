//! The split law: one trace of messages, however the bytes were cut.

use crate::exact;
use crate::pairs;
use crate::play::{Case, Turn, play, whole};

fn cases() -> Vec<Case> {
    exact::cases().into_iter().chain(pairs::cases()).collect()
}

#[test]
fn one_byte_chunks_give_the_same_messages() {
    for Case { name, turns, .. } in cases() {
        let bytewise = play(&turns, |_, bytes, feed| bytes.chunks(1).for_each(feed));
        assert_eq!(bytewise, whole(&turns), "{name}");
    }
}

#[test]
fn chunks_of_any_size_give_the_same_messages() {
    for Case { name, turns, .. } in cases() {
        let expected = whole(&turns);
        for size in 2..40 {
            let sized = play(&turns, |_, bytes, feed| bytes.chunks(size).for_each(feed));
            assert_eq!(sized, expected, "{name}, chunks of {size}");
        }
    }
}

#[test]
fn every_one_or_two_cuts_give_the_same_messages() {
    for Case { name, turns, .. } in cases() {
        let expected = whole(&turns);
        for (at, turn) in turns.iter().enumerate() {
            let (Turn::Client(bytes) | Turn::Server(bytes)) = turn else {
                continue;
            };
            // Every pair of cuts of a long turn would take minutes.
            let stride = bytes.len() / 200 + 1;
            for first in (0..=bytes.len()).step_by(stride) {
                for second in (first..=bytes.len()).step_by(stride) {
                    let cut = play(&turns, |index, bytes, feed| {
                        if index == at {
                            feed(&bytes[..first]);
                            feed(&bytes[first..second]);
                            feed(&bytes[second..]);
                        } else {
                            feed(bytes);
                        }
                    });
                    assert_eq!(cut, expected, "{name}, turn {at} cut at {first} and {second}");
                }
            }
        }
    }
}
