//! A program that logs errors and goes on, and decoders that fail more than once where they stand.

use enjamb_law::{Decoded, Segmentations, split_everywhere, stream};
use tokio_util::codec::LinesCodec;

#[test]
fn another_error_without_a_byte_in_between_is_a_step_and_the_same_one_is_the_end() {
    // A line that is no text, and one that is too long, refused where the first one ended.
    let lines = Decoded::new(|| LinesCodec::new_with_max_length(4)).resumes();
    let checked = split_everywhere(&lines, &stream(b"\x9a\naaaaa\nb\n"), &Segmentations::up_to_two_cuts()).unwrap();
    assert_eq!(checked.outputs, 3, "two errors, and the line behind them");

    fn refuse(_: &mut (), _: &mut Vec<u8>) -> Result<Option<()>, &'static str> {
        Err("no")
    }
    let refusing = Decoded::by(|| (), refuse, refuse).resumes();
    let checked = split_everywhere(&refusing, &stream(b"ab"), &Segmentations::up_to_one_cut()).unwrap();
    assert_eq!(checked.outputs, 1);
}
