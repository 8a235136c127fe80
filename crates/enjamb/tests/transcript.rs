//! The text form of a transcript.

use enjamb::transcript::{Content, Entry};
use enjamb::{Ending, Side, Time, Transcript};
use proptest::prelude::*;

fn entries() -> impl Strategy<Value = Entry> {
    let content = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 1..200).prop_map(Content::Chunk),
        1 => any::<u64>().prop_map(Content::Gap),
        1 => prop::sample::select(&[Ending::Closed, Ending::Reset, Ending::Lost][..]).prop_map(Content::Close),
    ];
    let side = prop::sample::select(&Side::BOTH[..]);
    (any::<u64>(), side, content).prop_map(|(nanos, side, content)| Entry {
        time: Time::from_nanos(nanos),
        side,
        content,
    })
}

proptest! {
    #[test]
    fn the_text_form_is_read_back_unchanged(entries in prop::collection::vec(entries(), 0..12), named in any::<bool>()) {
        let transcript = Transcript { protocol: named.then(|| "u32be max=1M".to_owned()), entries };
        let text = transcript.to_string();
        prop_assert!(text.is_ascii());
        prop_assert_eq!(Transcript::parse(&text).unwrap(), transcript);
    }

    #[test]
    fn any_text_is_a_transcript_or_an_error_with_a_place(text in "(enjamb transcript 1\n)?(.|\n){0,200}") {
        if let Err(error) = Transcript::parse(&text) {
            prop_assert!(error.line >= 1 && error.column >= 1);
        }
    }
}

#[test]
fn an_error_names_its_line_and_column() {
    for (text, line, column) in [
        ("", 1, 1),
        ("enjamb transcript 2", 1, 1),
        ("enjamb transcript 1\n\"abc\"", 2, 1),
        ("enjamb transcript 1\n@x client", 2, 1),
        ("enjamb transcript 1\n@1.5 nobody", 2, 1),
        ("enjamb transcript 1\n@1.5 client\n  \"abc", 3, 7),
        ("enjamb transcript 1\n@1.5 client\n  \"a\\q\"", 3, 5),
        ("enjamb transcript 1\n@1.5 client gap", 2, 1),
        ("enjamb transcript 1\n@1.5 client gap 5 6", 2, 1),
        ("enjamb transcript 1\nhello", 2, 1),
    ] {
        let error = Transcript::parse(text).expect_err(text);
        assert_eq!((error.line, error.column), (line, column), "{text}: {error}");
    }
}
