//! The target `interleaved`.

use std::cell::RefCell;
use std::sync::LazyLock;

use enjamb::{Outcome, Session, Side};
use enjamb_law::{Case, Cutting, Event, Grammar, Script};

use crate::sessions::play::{Cuts, play};
use crate::sessions::{FAMILIES, Family, check_interleaved};

/// The target `interleaved`: the messages of each side do not depend on how the chunks of the two
/// sides interleave, as far as cause and effect allow. The first byte chooses a protocol, and a
/// script follows. Only conversations count in which every message is whole and every
/// message of the server answers an earlier one of the client.
///
/// # Panics
/// When the property does not hold.
pub(crate) fn interleaved(data: &[u8]) {
    let Some((family, choice, script)) = split_input(data) else { return };
    let (protocol, _) = family.split_input(&[choice]);
    let Case { input, cuts } = Script::read(script).case(&Grammar::default());
    if is_well_formed(protocol.session(None).as_mut(), &input) {
        check_interleaved(&input, &cuts, &|| protocol.session(None));
    }
}

/// Returns whether every message of a conversation is whole and in its protocol, and every answer
/// begins behind its request. Of others it is not known what caused what, so no order of the chunks
/// is the right one.
fn is_well_formed(session: &mut dyn Session, input: &Cutting) -> bool {
    let fed = RefCell::new([0u64; 2]);
    // The offset of each chunk of the server, and the bytes of the client before it.
    let chunks: RefCell<Vec<(u64, u64)>> = RefCell::default();
    let mut requests: Vec<u64> = Vec::new();
    let mut is_well_formed = true;
    let mut before = |side: Side, event: &Event<'_>, _: usize| {
        let Event::Chunk(bytes) = event else { return };
        let mut fed = fed.borrow_mut();
        if side == Side::Server {
            chunks.borrow_mut().push((fed[1], fed[0]));
        }
        fed[side.index()] += bytes.len() as u64;
    };
    play(session, input, Cuts::Whole, &mut before, &mut |message| {
        is_well_formed &= matches!(message.outcome, Outcome::Ok | Outcome::Failed)
            && !matches!(message.kind, "opaque" | "unparsed" | "blank");
        if message.side == Side::Client {
            requests.push(message.span.end());
            return;
        }
        let request = message.answers.and_then(|number| requests.get(usize::try_from(number).ok()?));
        let chunks = chunks.borrow();
        let begun = chunks.iter().rfind(|(offset, _)| *offset <= message.span.offset).map(|(_, client)| *client);
        is_well_formed &= matches!((request, begun), (Some(end), Some(client)) if *end <= client);
    });
    is_well_formed
}

/// The protocols whose answers come in the order of their requests. Where numbers pair the two, a
/// number that a mutation uses twice has no right order.
const IN_ORDER: [&str; 9] = ["http1", "redis", "postgres", "mysql", "memcached", "smtp", "pop3", "ftp", "tds"];

/// The family of each of these protocols, and its number there.
static PROTOCOLS: LazyLock<Vec<(&'static Family, u8, &'static str)>> = LazyLock::new(|| {
    let place = |name: &'static str| {
        let numbered = |family: &'static Family| (0..).zip(family.protocols).find(|(_, known)| **known == name);
        FAMILIES.iter().find_map(|family| numbered(family).map(|(at, _)| (family, at, name)))
    };
    IN_ORDER.into_iter().filter_map(place).collect()
});

fn split_input(data: &[u8]) -> Option<(&'static Family, u8, &[u8])> {
    let (&choice, script) = data.split_first()?;
    let (family, number, _) = PROTOCOLS[usize::from(choice) % PROTOCOLS.len()];
    Some((family, number, script))
}

/// Returns the byte that chooses a protocol.
#[must_use]
pub fn interleaved_choice(protocol: &str) -> Option<u8> {
    PROTOCOLS.iter().position(|(_, _, name)| *name == protocol).and_then(|at| u8::try_from(at).ok())
}

/// Returns the protocol that an input chooses.
pub(crate) fn interleaved_protocol(data: &[u8]) -> Option<&'static str> {
    data.first().map(|choice| PROTOCOLS[usize::from(*choice) % PROTOCOLS.len()].2)
}
