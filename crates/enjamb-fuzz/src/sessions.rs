//! The split law over sessions, for each family of protocols.

mod contents;
pub(crate) mod family;
pub(crate) mod play;
mod specs;

use enjamb::Session;
use enjamb_law::{Case, Cutting, Grammar, Interleavings, Script, Sessions, interleaved, split};

pub(crate) use contents::check_contents;
pub use family::{FAMILIES, Family};
pub use specs::SPEC_FILES;
pub(crate) use specs::split_specs;

use play::{Cuts, digest, digest_and_tile};

/// A constructor of sessions.
pub(crate) type Open<'o> = &'o dyn Fn() -> Box<dyn Session>;

/// The maximum number of bytes that a session may hold beyond the bytes of the conversation: its
/// queues of requests, and its tables.
const HELD_EXTRA_MAX: usize = 64 << 10;

/// Checks three things of one conversation: the messages are the same however it is cut, they tile
/// the stream of each side, and the session holds no more than it was fed. A conversation without
/// cuts is cut between all bytes.
///
/// # Panics
/// With the smallest violation.
pub(crate) fn check_split(script: &[u8], open: Open<'_>) {
    let Case { input, cuts } = Script::read(script).case(&Grammar::default());
    let (whole, broken, held) = digest_and_tile(open().as_mut(), &input);
    if let Some(broken) = broken {
        panic!("the messages do not tile the stream\n  {broken}\n{}", input.transcript(&[]));
    }
    assert!(
        held <= input.len() + HELD_EXTRA_MAX,
        "the session holds too much\n  {held} bytes of {}\n{}",
        input.len(),
        input.transcript(&[])
    );
    let chosen = if cuts.is_empty() { Cuts::Everywhere } else { Cuts::At(&cuts) };
    if digest(open().as_mut(), &input, chosen) != whole {
        let every: Vec<usize> = (1..input.len()).collect();
        let violation = split(&Sessions(open), &input, if cuts.is_empty() { &every } else { &cuts });
        match violation {
            Err(violation) => panic!("{violation}"),
            Ok(()) => panic!("the split law is broken, and does not repeat\n{}", input.transcript(&cuts)),
        }
    }
}

/// Checks that the messages of each side are the same for every order of the chunks that cause and
/// effect allow.
///
/// # Panics
/// With the smallest violation.
pub(crate) fn check_interleaved(input: &Cutting, cuts: &[usize], open: Open<'_>) {
    let orders = Interleavings::all_up_to(4, input.len() as u64, 3);
    if let Err(violation) = interleaved(&Sessions(open), input, cuts, &orders) {
        panic!("{violation}");
    }
}

/// Returns the offsets at which the messages of each side end, gaps counted.
pub(crate) fn messages_end(session: &mut dyn Session, input: &Cutting) -> [Vec<u64>; 2] {
    let mut ends = [Vec::new(), Vec::new()];
    play::play(session, input, Cuts::Whole, &mut |_, _, _| {}, &mut |message| {
        ends[message.side.index()].push(message.span.end());
    });
    ends
}

macro_rules! targets {
    ($($name:ident)*) => { $(
        /// The target of this name, over the [family](Family) of protocols of this name. The first
        /// byte chooses one of them, if there are several. A script follows.
        ///
        /// # Panics
        /// When the property does not hold.
        pub(crate) fn $name(data: &[u8]) {
            static FAMILY: std::sync::LazyLock<&'static Family> =
                std::sync::LazyLock::new(|| Family::named(stringify!($name)));
            FAMILY.check(data);
        }
    )* };
}

targets! {
    split_http1 split_redis split_web split_databases split_mail split_chat split_messaging
    split_directory split_industry split_rpc split_tunnels
}
