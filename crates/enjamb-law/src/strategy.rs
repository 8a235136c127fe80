//! Segmentations, scripts and streams as proptest strategies. They shrink to fewer items and cuts,
//! then to earlier ones.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use crate::classics::{BYTES, TOKENS};
use crate::grammar::Grammar;
use crate::script::{Item, Script};

/// Generates cuts of an input of `len` bytes, from none to many, in ascending order.
pub fn cuts(len: usize) -> impl Strategy<Value = Vec<usize>> {
    let places = 1..len.max(2);
    let few = btree_set(places.clone(), 0..4);
    let many = btree_set(places, 0..len.max(1));
    let cuts = prop_oneof![3 => few, 1 => many];
    cuts.prop_map(move |cuts| cuts.into_iter().filter(|&cut| cut < len).collect())
}

/// Generates streams of one to `most` pieces: whole `tokens`, damaged ones, and arbitrary bytes.
pub fn tokens(tokens: &'static [&'static [u8]], most: usize) -> impl Strategy<Value = Vec<u8>> {
    let grammar = Grammar { tokens: tokens.iter().map(|token| token.to_vec()).collect(), ..Grammar::default() };
    vec(item(&grammar), 1..=most).prop_map(move |items| Script::new(items).case(&grammar).input.bytes())
}

/// Generates scripts over `grammar`: half of them one to five well-formed messages, which find most
/// bugs within a few tries, and half of them a mix with damaged, partial, rare and over-long
/// pieces. Some cuts lie at the edges of items; the caller adds others.
pub fn scripts(grammar: &Grammar) -> impl Strategy<Value = Script> + use<> {
    let messages = u8::try_from(grammar.messages.len()).unwrap_or(u8::MAX);
    let cut = || prop_oneof![3 => Just(None), 1 => Just(Some(Item::Cut))];
    let well_formed = (vec((0..messages.max(1), cut()), 1..=5)).prop_map(|messages| {
        messages.into_iter().flat_map(|(number, cut)| [Some(Item::Message(number)), cut]).flatten().collect::<Vec<_>>()
    });
    let anything = vec((item(grammar), cut()), 1..=10)
        .prop_map(|items| items.into_iter().flat_map(|(item, cut)| [Some(item), cut]).flatten().collect::<Vec<_>>());
    if messages == 0 {
        anything.prop_map(Script::new).boxed()
    } else {
        prop_oneof![1 => well_formed, 1 => anything].prop_map(Script::new).boxed()
    }
}

/// Generates one item with bytes, in most cases a whole piece.
fn item(grammar: &Grammar) -> impl Strategy<Value = Item> + use<> {
    let (messages, tokens) = (grammar.messages.len(), grammar.tokens.len());
    let number = |of: usize| 0..u8::try_from(of).unwrap_or(u8::MAX).max(1);
    let piece = || number(messages + tokens);
    let weight = |of: usize, weight: u32| if of > 0 { weight } else { 0 };
    prop_oneof![
        weight(messages, 8) => number(messages).prop_map(Item::Message),
        weight(tokens, 5) => number(tokens).prop_map(Item::Token),
        weight(messages + tokens, 2) => (piece(), any::<u8>()).prop_map(|(piece, keep)| Item::Partial { piece, keep: keep % 24 }),
        weight(messages + tokens, 2) => (piece(), any::<u8>(), any::<u8>()).prop_map(|(piece, at, byte)| Item::Damaged { piece, at, byte }),
        weight(grammar.prefixes.len(), 3) => (any::<u8>(), 0..40_u8, prop_oneof![4 => Just(0_i8), 1 => any::<i8>()])
            .prop_map(|(prefix, length, off)| Item::Prefixed { prefix, length, off }),
        2 => vec(any::<u8>(), 1..4).prop_map(Item::Bytes),
        1 => proptest::sample::select(TOKENS).prop_map(|token| Item::Bytes(token.to_vec())),
        1 => proptest::sample::select(BYTES).prop_map(|byte| Item::Bytes(vec![byte])),
        2 => "[a-z0-9 ]{1,6}".prop_map(|text| Item::Bytes(text.into_bytes())),
        1 => (prop_oneof![Just(b'a'), any::<u8>()], prop_oneof![4 => 1..64_u16, 1 => 64..2000_u16])
            .prop_map(|(byte, length)| Item::Run { byte, length }),
    ]
}
