//! Each law catches planted bugs, most of which no other law catches.

use enjamb::End;
use enjamb_law::{Breach, Comparable, Law, Laws, Output, Run, Subject, Verdict};

/// A planted bug in a line reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    /// Drops the first byte of a chunk that continues a line.
    DropsAByteBehindACut,
    /// Takes 100 lines of a chunk and drops the rest.
    HundredLinesAChunk,
    /// Holds a line back until another byte arrives.
    WaitsForOneByteMore,
    /// Takes an empty read for an empty line.
    EmptyReadIsALine,
    /// Panics on bytes that are not UTF-8.
    PanicsOnBinary,
    /// Recurses once for each bracket.
    RecursesForEachBracket,
    /// Keeps a line of any length: there is no limit.
    KeepsAll,
    /// Searches the line from its first byte again for every byte.
    SearchesFromTheStart,
    /// Continues with the next line after an error.
    GoesOnAfterAnError,
    /// Reports every end of the stream as clean.
    EveryEndIsClean,
    /// Carries over to the next line that a line began with `x`.
    RemembersX,
    /// Wakes itself although nothing arrives.
    Spins,
    /// Encodes a line without its line feed.
    EncodesNoLineFeed,
}

const LIMIT: usize = 64;

struct Lines(Bug);

#[derive(Debug, PartialEq)]
enum LineError {
    TooLong,
    Nul,
}

/// Counts the brackets, with one call for each.
#[allow(unconditional_recursion, reason = "it ends after the last bracket")]
fn depth(line: &[u8]) -> usize {
    let frame = std::hint::black_box([0_u8; 256]);
    match line.split_first() {
        Some((b'[', rest)) => 1 + depth(rest) + usize::from(frame[0]),
        Some((_, rest)) => depth_of_rest(rest),
        None => 0,
    }
}

fn depth_of_rest(rest: &[u8]) -> usize {
    rest.iter().position(|byte| *byte == b'[').map_or(0, |at| depth(&rest[at..]))
}

impl Lines {
    fn limited(&self) -> bool {
        !matches!(self.0, Bug::KeepsAll | Bug::SearchesFromTheStart | Bug::RecursesForEachBracket)
    }
}

impl Subject for Lines {
    type Event = String;
    type Error = LineError;

    fn run(&self, run: &mut Run<'_, String, LineError>) {
        let bug = self.0;
        let mut line: Vec<u8> = Vec::new();
        let mut waiting: Option<String> = None;
        let mut seen_x = false;
        let mut spun = false;
        while let Some(mut chunk) = run.next_chunk() {
            if chunk.is_empty() && bug == Bug::EmptyReadIsALine {
                run.event(String::new());
            }
            if bug == Bug::DropsAByteBehindACut && !line.is_empty() && !chunk.is_empty() && chunk[0] != b'\n' {
                chunk = &chunk[1..];
            }
            if bug == Bug::Spins && !chunk.is_empty() && !std::mem::replace(&mut spun, true) {
                run.breach(Breach::Busy);
            }
            let mut lines = 0;
            for &byte in chunk {
                if let Some(held) = waiting.take() {
                    run.event(held);
                }
                if bug == Bug::HundredLinesAChunk && lines == 100 {
                    break;
                }
                if bug == Bug::SearchesFromTheStart {
                    let found = line.iter().position(|byte| std::hint::black_box(*byte) == b'\n');
                    assert_eq!(found, None);
                }
                if byte == 0 || (self.limited() && byte != b'\n' && line.len() == LIMIT) {
                    let error = if byte == 0 { LineError::Nul } else { LineError::TooLong };
                    if !run.fail(error) {
                        return;
                    }
                    if bug == Bug::GoesOnAfterAnError {
                        line.clear();
                        continue;
                    }
                    while run.next_chunk().is_some() {
                        if !run.fail(if byte == 0 { LineError::Nul } else { LineError::TooLong }) {
                            return;
                        }
                    }
                    return;
                }
                if byte != b'\n' {
                    line.push(byte);
                    continue;
                }
                lines += 1;
                if bug == Bug::RecursesForEachBracket {
                    std::hint::black_box(depth(&line));
                }
                let mut text = match String::from_utf8(std::mem::take(&mut line)) {
                    Ok(text) => text,
                    Err(error) if bug == Bug::PanicsOnBinary => panic!("{error}"),
                    Err(error) => error.to_string(),
                };
                if bug == Bug::RemembersX && std::mem::replace(&mut seen_x, text.starts_with('x')) {
                    text.push_str(" after x");
                }
                if bug == Bug::WaitsForOneByteMore {
                    waiting = Some(text);
                } else {
                    run.event(text);
                }
            }
            run.holds(line.capacity());
        }
        if let Some(held) = waiting {
            run.event(held);
        }
        let end = match line.len() {
            0 => End::Clean,
            _ if bug == Bug::EveryEndIsClean => End::Clean,
            have => End::Truncated { have: have as u64, missing: None },
        };
        run.emit(Output::End(end));
    }

    fn fuses(&self) -> bool {
        true
    }

    fn waits(&self) -> bool {
        true
    }
}

fn laws(bug: Bug) -> Laws<impl Subject<Event: Comparable, Error: Comparable> + Send + Sync> {
    let line_feed = if bug == Bug::EncodesNoLineFeed { "" } else { "\n" };
    let laws = Laws::new(format!("{bug:?}"), Lines(bug)).messages(["one\n", "x\n", "\n", "[three]\n"]).canonical(true);
    let laws = laws.encode(move |line: &String| {
        (!line.contains("utf-8") && !line.ends_with("after x")).then(|| format!("{line}{line_feed}").into_bytes())
    });
    if matches!(bug, Bug::SearchesFromTheStart | Bug::RecursesForEachBracket) { laws } else { laws.limit(LIMIT) }
}

fn broken(bug: Bug) -> Vec<Law> {
    let verdicts = laws(bug).in_test(&format!("catches_{bug:?}")).check_all();
    let broken = verdicts.into_iter().filter_map(|(law, verdict)| match verdict {
        Verdict::Broken(violation) => {
            println!("{violation}");
            assert_eq!(violation.law, law, "a violation names the law that was tried");
            Some(law)
        }
        Verdict::Unfit(what) => panic!("{what}"),
        Verdict::Holds(_) | Verdict::NotTried(_) => None,
    });
    broken.collect()
}

macro_rules! each_bug {
    ($($name:ident: $bug:ident => [$($law:ident),*];)*) => { $(
        #[test]
        #[allow(non_snake_case)]
        fn $name() {
            assert_eq!(broken(Bug::$bug), Vec::<Law>::from([$(Law::$law),*]));
        }
    )* };
}

each_bug! {
    catches_None: None => [];
    catches_DropsAByteBehindACut: DropsAByteBehindACut => [Split];
    catches_HundredLinesAChunk: HundredLinesAChunk => [Split, Coalesce];
    catches_WaitsForOneByteMore: WaitsForOneByteMore => [Prompt];
    catches_EmptyReadIsALine: EmptyReadIsALine => [Quiet];
    catches_PanicsOnBinary: PanicsOnBinary => [Total];
    catches_RecursesForEachBracket: RecursesForEachBracket => [Total];
    catches_KeepsAll: KeepsAll => [Bounded];
    catches_SearchesFromTheStart: SearchesFromTheStart => [Linear];
    catches_GoesOnAfterAnError: GoesOnAfterAnError => [Fused];
    catches_EveryEndIsClean: EveryEndIsClean => [End];
    catches_RemembersX: RemembersX => [Alone];
    catches_Spins: Spins => [Awake];
    catches_EncodesNoLineFeed: EncodesNoLineFeed => [RoundTrip];
}
