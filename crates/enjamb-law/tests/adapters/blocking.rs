//! Blocking readers.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use enjamb_law::{
    Blocking, Breach, Incoming, Law, Segmentations, awake, prompt, quiet, split_everywhere, stream, total,
};

use crate::laws::{broken, hold, hold_but, output};

const LINES: [&[u8]; 3] = [b"one\r\n", b"\n", "größe\n".as_bytes()];

/// Reads a frame, a length and that many bytes; `None` at the end of the stream.
fn frame(reader: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0];
    if reader.read(&mut length)? == 0 {
        return Ok(None);
    }
    let mut frame = vec![0; length[0].into()];
    reader.read_exact(&mut frame)?;
    Ok(Some(frame))
}

#[test]
fn the_readers_of_the_standard_library_obey_the_laws() {
    hold(&Blocking::iterator(|incoming| BufReader::new(incoming).lines()), &LINES);
    // Also without a buffer around it, and through signals.
    hold(&Blocking::iterator(Incoming::lines).interrupted(), &LINES);
    hold(&Blocking::iterator(|incoming| BufReader::with_capacity(2, incoming).split(b'\n')).interrupted(), &LINES);
    hold(&Blocking::new(frame), &[b"\x03abc", b"\0", b"\x01d"]);
}

#[test]
fn a_reader_that_takes_a_read_for_a_whole_frame_is_caught() {
    let read_once = |reader: &mut Incoming| {
        let mut frame = [0; 4];
        let read = reader.read(&mut frame)?;
        Ok::<_, io::Error>((read > 0).then(|| frame[..read].to_vec()))
    };
    let violation = split_everywhere(&Blocking::new(read_once), &stream(b"abcdefgh"), &Segmentations::up_to_one_cut());
    let violation = violation.unwrap_err();
    assert_eq!((violation.input, violation.cuts), (stream(b"aa"), vec![1]));
}

#[test]
fn a_reader_that_returns_the_error_of_a_signal_is_caught() {
    let messages: [&[u8]; 2] = [b"\x01a", b"\x02bc"];
    let input = stream(&messages.concat());
    hold(&Blocking::new(frame), &messages);
    // `read_exact` reads again after a signal, `read` does not.
    let violation = quiet(&Blocking::new(frame).interrupted(), &input, &[]).unwrap_err();
    assert_eq!(violation.verdict, "a call without new bytes gave output: failed: Kind(Interrupted)");
}

#[test]
fn a_reader_that_peeks_before_it_emits_a_line_is_caught() {
    // It checks for another line before it returns one.
    let peeking = Blocking::with(
        |incoming| BufReader::new(incoming).lines().peekable(),
        |lines| {
            let line = lines.next().transpose();
            lines.peek();
            line
        },
    );
    split_everywhere(&peeking, &stream(&LINES.concat()), &Segmentations::up_to_two_cuts()).unwrap();
    let violation = prompt(&peeking, &LINES, &[5]).unwrap_err();
    assert_eq!(violation.verdict, "a message was complete at byte 8, and was not emitted before more was requested");
}

/// A line reader over a non-blocking connection.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    loses: bool,
}

impl Lines {
    fn next(&mut self, reader: &mut Incoming) -> io::Result<Option<String>> {
        let mut byte = [0];
        loop {
            match reader.read(&mut byte) {
                Ok(0) => return Ok(None),
                Ok(_) if byte == *b"\n" => {
                    return Ok(Some(String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned()));
                }
                Ok(_) => self.line.push(byte[0]),
                Err(error) => {
                    if self.loses {
                        self.line.clear();
                    }
                    return Err(error);
                }
            }
        }
    }
}

#[test]
fn a_reader_that_loses_bytes_when_a_read_would_block_is_caught() {
    let lines = |loses| {
        Blocking::with(
            move |incoming| (incoming, Lines { loses, ..Lines::default() }),
            |(incoming, lines): &mut (Incoming, Lines)| lines.next(incoming),
        )
        .would_block(|error: &io::Error| error.kind() == ErrorKind::WouldBlock)
    };
    hold_but(&lines(false), &LINES, &[Law::End]);
    let violation = split_everywhere(&lines(true), &stream(b"one\n"), &Segmentations::up_to_one_cut()).unwrap_err();
    assert_eq!((violation.input, violation.cuts), (stream(b"a\n"), vec![1]));
}

#[test]
fn a_reader_that_never_reads_again_after_would_block_is_caught() {
    let stuck = Blocking::with(
        |incoming| (incoming, false),
        |(incoming, refused): &mut (Incoming, bool)| -> io::Result<Option<u8>> {
            let mut byte = [0];
            if !*refused && incoming.read(&mut byte).is_ok() {
                return Ok(Some(byte[0]));
            }
            *refused = true;
            Err(ErrorKind::WouldBlock.into())
        },
    )
    .would_block(|error: &io::Error| error.kind() == ErrorKind::WouldBlock);
    let violation = awake(&stuck, &stream(b"a"), &[]).unwrap_err();
    assert_eq!(violation.verdict, Breach::Asleep.to_string());
}

#[test]
fn a_reader_that_never_checks_for_the_end_is_caught() {
    let line = |reader: &mut Incoming| -> io::Result<Option<String>> {
        let mut line = String::new();
        while !line.ends_with('\n') {
            reader.read_line(&mut line)?;
        }
        Ok(Some(line))
    };
    let violation = total(&Blocking::new(line), &stream(b"a\nb"), &[]).unwrap_err();
    assert_eq!(violation.verdict, Breach::Hung.to_string());
}

#[test]
fn a_reader_whose_buffer_dies_with_the_call_is_caught() {
    let line = |reader: &mut Incoming| {
        let mut line = String::new();
        let read = BufReader::new(reader).read_line(&mut line)?;
        Ok::<_, io::Error>((read > 0).then_some(line))
    };
    let violation = broken(&Blocking::new(line), &[b"a\n", b"b\n"], &[]).unwrap();
    assert_eq!(violation.law, Law::Split);
}

#[test]
fn an_error_ends_the_run_only_if_it_stops() {
    let texts = || Blocking::iterator(|incoming| BufReader::new(incoming).lines());
    let failed = "failed: Error { kind: InvalidData, message: _ }";
    assert_eq!(output(texts().stops(), b"a\n\xff\nb\n", &[3]), [r#""a""#, failed]);
    assert_eq!(output(texts(), b"a\n\xff\nb\n", &[3]), [r#""a""#, failed, r#""b""#]);
}
