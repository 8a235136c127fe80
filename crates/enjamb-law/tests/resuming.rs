//! Decoders that return several errors at the same byte, in a program that logs errors and
//! continues.

use enjamb_law::{Decoded, Segmentations, split_everywhere, stream};
use tokio_util::codec::LinesCodec;

#[test]
fn a_different_error_at_the_same_byte_goes_on_and_the_same_error_waits_for_more_bytes() {
    // A line that is not UTF-8, and one that is too long, which is refused at the byte where the
    // first one ended.
    let lines = Decoded::new(|| LinesCodec::new_with_max_length(4)).resumes();
    let checked = split_everywhere(&lines, &stream(b"\x9a\naaaaa\nb\n"), &Segmentations::up_to_two_cuts()).unwrap();
    assert_eq!(checked.outputs, 3, "two errors, and the line after them");

    fn refuse(_: &mut (), _: &mut Vec<u8>) -> Result<Option<()>, &'static str> {
        Err("no")
    }
    let refusing = Decoded::by(|| (), refuse, refuse).resumes();
    let checked = split_everywhere(&refusing, &stream(b"ab"), &Segmentations::up_to_one_cut()).unwrap();
    assert_eq!(checked.outputs, 1, "the error: more bytes do not end it");
}
