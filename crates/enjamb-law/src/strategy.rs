//! Segmentations and chunked streams as proptest strategies. They shrink: to fewer cuts, then to earlier ones.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

/// Cuts of an input of `len` bytes: none to many, in ascending order.
pub fn cuts(len: usize) -> impl Strategy<Value = Vec<usize>> {
    let places = 1..len.max(2);
    let few = btree_set(places.clone(), 0..4);
    let many = btree_set(places, 0..len.max(1));
    let cuts = prop_oneof![3 => few, 1 => many];
    cuts.prop_map(move |cuts| cuts.into_iter().filter(|&cut| cut < len).collect())
}

/// A stream made of one to `most` of these `tokens`, whole ones, damaged ones and arbitrary bytes between them.
pub fn tokens(tokens: &'static [&'static [u8]], most: usize) -> impl Strategy<Value = Vec<u8>> {
    let whole = || proptest::sample::select(tokens).prop_map(<[u8]>::to_vec);
    let damaged = (whole(), any::<proptest::sample::Index>(), any::<u8>()).prop_map(|(mut token, at, byte)| {
        if !token.is_empty() {
            let at = at.index(token.len());
            token[at] = byte;
        }
        token
    });
    let partial = (whole(), any::<proptest::sample::Index>()).prop_map(|(mut token, at)| {
        token.truncate(at.index(token.len() + 1));
        token
    });
    let token = prop_oneof![12 => whole(), 1 => damaged, 1 => partial, 1 => vec(any::<u8>(), 0..4)];
    vec(token, 1..=most).prop_map(|tokens| tokens.concat())
}
