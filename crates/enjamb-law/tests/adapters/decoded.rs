//! Decoders.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt::Debug;
use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use enjamb_law::{
    Decoded, Law, Reading, Segmentations, encoded, end, prompt, round_trip, split, split_everywhere, stream, total,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tokio_util::codec::{AnyDelimiterCodec, BytesCodec, Decoder, FramedRead, LengthDelimitedCodec, LinesCodec};

use crate::laws::{hold, hold_but, output};

/// Checks that `Decoded` gives the output of a real `FramedRead`.
fn agrees_with_framed_read<D>(make: impl Fn() -> D, bytes: &[u8], cuts: &[usize]) -> Result<(), TestCaseError>
where
    D: Decoder<Item: Debug + PartialEq, Error: Debug>,
{
    let framed = output(Reading::stream(|chunks| FramedRead::new(chunks, make())).stops(), bytes, cuts);
    prop_assert_eq!(output(Decoded::new(make).stops(), bytes, cuts), framed);
    Ok(())
}

proptest! {
    #[test]
    fn decoded_agrees_with_framed_read_of_tokio_util(
        pieces in vec(select(vec![&b"a"[..], b"\n", b"\r\n", b",", b";", b"\0\0\0\x02", b"\0\0", b"\x01", b"\xff"]), 0..24),
        cuts in vec(1_usize..60, 0..6),
    ) {
        let bytes = pieces.concat();
        let cuts: Vec<usize> = BTreeSet::from_iter(cuts).into_iter().filter(|cut| *cut < bytes.len()).collect();
        agrees_with_framed_read(LinesCodec::new, &bytes, &cuts)?;
        agrees_with_framed_read(|| LinesCodec::new_with_max_length(2), &bytes, &cuts)?;
        agrees_with_framed_read(|| AnyDelimiterCodec::new(b",;".to_vec(), b",".to_vec()), &bytes, &cuts)?;
        agrees_with_framed_read(LengthDelimitedCodec::new, &bytes, &cuts)?;
        agrees_with_framed_read(|| LengthDelimitedCodec::builder().length_field_length(1).max_frame_length(9).new_codec(), &bytes, &cuts)?;
        agrees_with_framed_read(BytesCodec::new, &bytes, &cuts)?;
        for bug in [Bug::None, Bug::LosesLength, Bug::OneFrameARead, Bug::WaitsForMore, Bug::SilentEnd] {
            agrees_with_framed_read(|| Frames { bug, decoded: false }, &bytes, &cuts)?;
        }
    }

    #[test]
    fn decoded_agrees_with_framed_read_of_asynchronous_codec(
        pieces in vec(select(vec![&b"a"[..], b"\n", b"\r\n", b"\xff", b"\0\0\0\0\0\0\0\x01"]), 0..24),
        cuts in vec(1_usize..60, 0..6),
    ) {
        let bytes = pieces.concat();
        let cuts: Vec<usize> = BTreeSet::from_iter(cuts).into_iter().filter(|cut| *cut < bytes.len()).collect();
        // Bytes left at the end are an error there, and a verdict on the end here.
        let left = |said: &String| !said.contains("UnexpectedEof");
        macro_rules! same {
            ($codec:expr) => {
                let framed = Reading::stream(|chunks| asynchronous_codec::FramedRead::new(chunks, $codec)).stops();
                let framed: Vec<String> = output(framed, &bytes, &cuts).into_iter().filter(left).collect();
                prop_assert_eq!(output(Decoded::asynchronous(|| $codec).stops(), &bytes, &cuts), framed);
            };
        }
        same!(asynchronous_codec::LinesCodec);
        same!(asynchronous_codec::LengthCodec);
        same!(asynchronous_codec::BytesCodec);
    }
}

#[test]
fn the_codecs_of_tokio_util_obey_the_laws() {
    hold(&Decoded::new(LinesCodec::new), &[b"one\r\n", b"\n", b"three\n"]);
    hold(&Decoded::new(|| AnyDelimiterCodec::new(b",;".to_vec(), b",".to_vec())), &[b"a,", b"bc;", b","]);
    // It takes an end of the stream after a length for a clean one, which breaks the law `end`.
    hold_but(&Decoded::new(LengthDelimitedCodec::new), &[b"\0\0\0\x03abc", b"\0\0\0\0", b"\0\0\0\x01d"], &[Law::End]);
}

#[test]
fn length_delimited_silently_loses_a_frame_that_ends_after_its_length() {
    let violation = end(&Decoded::new(LengthDelimitedCodec::new), &[b"\0\0\0\x03abc"]).unwrap_err();
    assert_eq!(
        violation.verdict,
        "the stream ends 4 bytes into a message of 7, and nothing reports it: the bytes are lost silently"
    );
}

#[test]
fn bytes_codec_breaks_the_split_law_as_documented() {
    let violation =
        split_everywhere(&Decoded::new(BytesCodec::new), &stream(b"some bytes"), &Segmentations::up_to_one_cut());
    let violation = violation.unwrap_err();
    assert_eq!((violation.input, violation.cuts), (stream(b"aa"), vec![1]));
}

#[test]
fn the_codecs_of_asynchronous_codec_obey_the_laws() {
    hold(&Decoded::asynchronous(|| asynchronous_codec::LinesCodec), &[b"one\n", b"\n", b"three\n"]);
    hold(&Decoded::asynchronous(|| asynchronous_codec::LengthCodec), &[b"\0\0\0\0\0\0\0\x01a"]);
}

#[test]
fn a_long_chunk_arrives_in_reads_of_the_buffer_size() {
    struct Reads;
    impl Decoder for Reads {
        type Item = usize;
        type Error = io::Error;
        fn decode(&mut self, buffer: &mut BytesMut) -> io::Result<Option<usize>> {
            let read = buffer.len();
            buffer.clear();
            Ok((read > 0).then_some(read))
        }
    }
    assert_eq!(output(Decoded::new(|| Reads), &[0; 20_000], &[]), ["8192", "8192", "3616"]);
}

#[test]
fn lines_and_frames_round_trip() {
    let lines = Decoded::new(LinesCodec::new);
    round_trip(&lines, b"one\n\nthree\n", true, |line| encoded(LinesCodec::new(), [line]).ok()).unwrap();
    let violation = round_trip(&lines, b"one\r\n", true, |line| encoded(LinesCodec::new(), [line]).ok()).unwrap_err();
    assert_eq!(violation.verdict, r#"a canonical message is encoded as b"one\n""#);
    let frames = Decoded::new(LengthDelimitedCodec::new);
    let encode = |frame: &BytesMut| encoded(LengthDelimitedCodec::new(), [Bytes::copy_from_slice(frame)]).ok();
    round_trip(&frames, b"\0\0\0\x03abc", true, encode).unwrap();
}

#[test]
fn an_error_ends_the_run_only_if_it_stops() {
    let short = || LinesCodec::new_with_max_length(3);
    let stream = b"one\ntoo long\ntwo\n";
    assert_eq!(output(Decoded::new(short).stops(), stream, &[]), [r#""one""#, "failed: MaxLineLengthExceeded"]);
    let resuming = Decoded::new(short);
    assert_eq!(output(resuming, stream, &[]), [r#""one""#, "failed: MaxLineLengthExceeded", r#""two""#]);
    hold(&resuming, &[b"one\n", b"two\n"]);
    // A codec that repeats its error is called again only when there are more bytes.
    let frames = Decoded::new(|| LengthDelimitedCodec::builder().max_frame_length(1).new_codec());
    let failed = r#"failed: Custom { kind: InvalidData, error: LengthDelimitedCodecError }"#;
    assert_eq!(output(frames, b"\0\0\0\x02ab", &[5]), [failed, failed]);
}

/// Makes a subject of a decoder with one bug or none.
fn frames(bug: Bug) -> Decoded<impl Fn() -> Frames, impl enjamb_law::Driver<Frames, Item = Bytes, Error = io::Error>> {
    Decoded::new(move || Frames { bug, decoded: false })
}

/// A decoder of frames: a length and that many bytes.
struct Frames {
    bug: Bug,
    decoded: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Bug {
    None,
    /// Takes a length from the buffer before the bytes have arrived, and forgets it.
    LosesLength,
    /// Returns `None` after each frame, with others in the buffer.
    OneFrameARead,
    /// Emits frames without taking a byte.
    NeverTakes,
    /// Waits for the next byte before it emits the frame.
    WaitsForMore,
    /// Ignores bytes that are left at the end.
    SilentEnd,
    /// Indexes without a check of the length.
    Panics,
}

impl Decoder for Frames {
    type Item = Bytes;
    type Error = io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Bytes>> {
        if self.bug == Bug::Panics && buffer.len() == 1 {
            let _ = buffer[usize::from(buffer[0])];
        }
        let Some(&len) = buffer.first() else {
            return Ok(None);
        };
        let len = usize::from(len);
        if self.bug == Bug::NeverTakes {
            return Ok(Some(Bytes::new()));
        }
        if self.bug == Bug::OneFrameARead && std::mem::take(&mut self.decoded) {
            return Ok(None);
        }
        if self.bug == Bug::LosesLength {
            buffer.advance(1);
            return Ok((buffer.len() >= len).then(|| buffer.split_to(len).freeze()));
        }
        if buffer.len() < 1 + len + usize::from(self.bug == Bug::WaitsForMore) {
            return Ok(None);
        }
        buffer.advance(1);
        self.decoded = true;
        Ok(Some(buffer.split_to(len).freeze()))
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Bytes>> {
        match self.bug {
            Bug::WaitsForMore => Self { bug: Bug::None, decoded: false }.decode_eof(buffer),
            Bug::SilentEnd => self.decode(buffer),
            _ => match self.decode(buffer)? {
                None if !buffer.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
                frame => Ok(frame),
            },
        }
    }
}

#[test]
fn planted_bugs_are_caught() {
    let messages: [&[u8]; 3] = [b"\x03abc", b"\0", b"\x01d"];
    let input = stream(&messages.concat());
    hold(&frames(Bug::None), &messages);
    let everywhere = |bug| split_everywhere(&frames(bug), &input, &Segmentations::up_to_two_cuts()).unwrap_err();

    let violation = everywhere(Bug::LosesLength);
    assert_eq!((violation.input, violation.cuts), (stream(b"\x01a"), vec![1]));
    assert_eq!(everywhere(Bug::OneFrameARead).cuts.len(), 1);
    let violation = prompt(&frames(Bug::OneFrameARead), &messages, &[]).unwrap_err();
    assert_eq!(violation.verdict, "a message was complete at byte 5, and was not emitted before more was requested");
    let violation = prompt(&frames(Bug::WaitsForMore), &messages, &[4]).unwrap_err();
    assert_eq!(violation.verdict, "a message was complete at byte 2, and was not emitted before more was requested");
    let violation = total(&frames(Bug::NeverTakes), &input, &[]).unwrap_err();
    assert_eq!(violation.verdict, "it does not end: it was stopped after 81 outputs from 1 bytes");
    let violation = total(&frames(Bug::Panics), &input, &[1]).unwrap_err();
    assert!(violation.verdict.starts_with("it panicked: index out of bounds"), "{violation}");
}

#[test]
fn a_silent_end_breaks_the_law_unless_the_adapter_gives_a_verdict() {
    let messages: [&[u8]; 1] = [b"\x03abc"];
    end(&frames(Bug::SilentEnd).with_verdict(), &messages).unwrap();
    let violation = end(&frames(Bug::SilentEnd), &messages).unwrap_err();
    assert_eq!(
        violation.verdict,
        "the stream ends 1 bytes into a message of 4, and nothing reports it: the bytes are lost silently"
    );
    end(&frames(Bug::None), &messages).unwrap();
}

#[test]
fn by_accepts_any_buffer() {
    fn field(buffer: &mut Vec<u8>) -> Result<Option<String>, Infallible> {
        let end = buffer.iter().position(|byte| *byte == b',');
        Ok(end.map(|end| String::from_utf8_lossy(&buffer.drain(..=end).collect::<Vec<_>>()[..end]).into_owned()))
    }
    let fields =
        || Decoded::by(|| (), |(), buffer: &mut Vec<u8>| field(buffer), |(), buffer: &mut Vec<u8>| field(buffer));
    hold(&fields(), &[b"one,", b",", b"three,"]);
    split(&fields(), &stream(b"a,rest"), &[3]).unwrap();
}
