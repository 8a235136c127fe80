//! Counted work: the number of bytes that searches look at. Only tests count; other builds contain
//! none of this code.

#[cfg(test)]
extern crate std;

#[cfg(test)]
std::thread_local! {
    static STEPS: core::cell::Cell<u64> = const { core::cell::Cell::new(0) };
}

/// Adds `steps` bytes that a search looked at.
#[inline(always)]
pub(crate) fn count(steps: usize) {
    #[cfg(test)]
    STEPS.with(|all| all.set(all.get() + steps as u64));
    #[cfg(not(test))]
    let _ = steps;
}

/// Returns the number of bytes that `work` looked at.
#[cfg(test)]
pub(crate) fn of(work: impl FnOnce()) -> u64 {
    let before = STEPS.get();
    work();
    STEPS.get() - before
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use crate::{Scanner, Terminator, Token};

    /// The maximum number of steps per byte: the substring search looks at it once, and the failure
    /// table steps over it twice at the end of a chunk and twice at the beginning of the next.
    const A_BYTE_MAX: u64 = 5;

    /// Returns streams that contain these delimiters, and near misses of them, all the time.
    fn streams(delimiters: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut streams = vec![b"\r".repeat(30_000), b"a".repeat(30_000), b"ab".repeat(15_000), b"aab".repeat(10_000)];
        for delimiter in delimiters.iter().rev().take(4) {
            let (last, most) = delimiter.split_last().unwrap();
            streams.push(delimiter.repeat(30_000_usize.div_ceil(delimiter.len())));
            streams.push(most.repeat(30_000_usize.div_ceil(most.len().max(1))));
            let other = if *last == b'!' { b'?' } else { b'!' };
            streams.push([most, &[other]].concat().repeat(30_000_usize.div_ceil(delimiter.len())));
        }
        streams
    }

    fn check(terminator: &Terminator, delimiters: &[Vec<u8>]) {
        for stream in streams(delimiters) {
            for size in [1, 2, 16, 1000, 4096, 65536] {
                let mut scanner = Scanner::new(terminator.clone());
                let steps = super::of(|| {
                    for mut chunk in stream.chunks(size) {
                        while let Some(token) = scanner.next(&mut chunk) {
                            // Like a handler that returns a terminator for every frame.
                            if let Token::Last(_) = token {
                                scanner.set(terminator.clone());
                            }
                        }
                    }
                    while scanner.finish().is_some() {}
                });
                let begins = stream.get(..20).unwrap_or_default().escape_ascii();
                assert!(
                    steps <= A_BYTE_MAX * stream.len() as u64,
                    "{} bytes that begin \"{begins}\", in chunks of {size}, took {steps} steps under {:.60}",
                    stream.len(),
                    alloc::format!("{terminator:?}"),
                );
            }
        }
    }

    #[test]
    fn a_byte_costs_a_few_steps_for_every_delimiter_and_chunk_size() {
        let long = b"a".repeat(4096);
        let periodic = [&b"ab".repeat(2048)[..], b"c"].concat();
        for delimiter in
            [&b"\n"[..], b"\r\n", b"aaab", b"aabaab", b"abababac", &long, &[&long[1..], b"b"].concat(), &periodic]
        {
            check(&Terminator::delimiter(delimiter).unwrap(), &[delimiter.to_vec()]);
        }
    }

    #[test]
    fn a_byte_costs_a_few_steps_for_every_set_and_chunk_size() {
        let run = |length: usize| b"a".repeat(length);
        let ends_in = |length: usize, end: &[u8]| [&run(length)[..], end].concat();
        let sets = [
            vec![b"\r".to_vec(), b"\r\n".to_vec()],
            vec![b"a".to_vec(), ends_in(4096, b"b")],
            vec![b"aa".to_vec(), ends_in(3000, b"b"), ends_in(4095, b"c")],
            (1..60).map(|length| ends_in(length, b"b")).chain([run(1)]).collect(),
            (1..60).map(run).chain([ends_in(2000, b"!")]).collect(),
            vec![b"b".to_vec(), b"ab".repeat(2000), [&b"ab".repeat(2000)[..], b"c"].concat()],
            vec![b"ba".to_vec(), b"ab".repeat(2000), b"aab".repeat(1000)],
            (0..=255).map(|byte| vec![b'a', byte]).collect(),
        ];
        for set in sets {
            check(&Terminator::any_of(&set).unwrap(), &set);
        }
    }

    #[test]
    fn a_frame_of_known_length_costs_one_step_a_chunk() {
        let mut scanner = Scanner::new(Terminator::length(1000).unwrap());
        let steps = super::of(|| {
            for mut chunk in [0; 100_000].chunks(500) {
                while scanner.next(&mut chunk).is_some() {}
            }
        });
        assert_eq!(steps, 200);
    }
}
