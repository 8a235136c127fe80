//! `flat_map` replaces pieces that follow the cuts by events that do not, and keeps the time at
//! which they are emitted.

use enjamb_law::{Law, Laws, Never, Pushing, Subject, Verdict};

/// A parser that emits a body as it arrives, and the `;` after it as a piece of its own.
fn bodies() -> impl Subject<Event = Vec<u8>, Error = enjamb_law::Kind> + Send + Sync + 'static {
    Pushing::returning(
        || (),
        |(), chunk| {
            let pieces = chunk.chunk_by(|a, b| (*a == b';') == (*b == b';')).map(<[u8]>::to_vec);
            Ok::<_, Never>(pieces.collect::<Vec<_>>())
        },
    )
}

fn laws<S>(subject: S) -> Laws<S>
where
    S: Subject<Event: PartialEq + std::fmt::Debug, Error: PartialEq + std::fmt::Debug> + Send + Sync + 'static,
{
    Laws::new("bodies", subject).messages([&b"hello;"[..], b"hi;", b";"]).cases(100)
}

#[test]
fn pieces_depend_on_the_cuts_but_their_bytes_do_not() {
    assert!(matches!(laws(bodies()).check(Law::Split), Verdict::Broken(_)));
    assert!(matches!(laws(bodies().flat_map(|piece| piece)).check(Law::Split), Verdict::Holds(_)));
    assert!(matches!(laws(bodies().flat_map(|piece| piece)).check(Law::Prompt), Verdict::Holds(_)));
}

#[test]
fn a_piece_that_is_held_back_still_breaks_prompt() {
    let late = Pushing::new(
        || false,
        |held: &mut bool, chunk, out: &mut dyn FnMut(Result<Vec<u8>, Never>)| {
            for &byte in chunk {
                if std::mem::replace(held, byte == b';') {
                    out(Ok(b";".to_vec()));
                }
                if byte != b';' {
                    out(Ok(vec![byte]));
                }
            }
        },
    )
    .at_end(|held, out| {
        if *held {
            out(Ok(b";".to_vec()));
        }
    });
    assert!(matches!(laws(late.flat_map(|piece| piece)).check(Law::Prompt), Verdict::Broken(_)));
}
