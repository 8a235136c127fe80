//! Conversations of valid and damaged pieces, with arbitrary cuts and gaps.

use enjamb::{Ending, Side};
use proptest::prelude::*;

use crate::play::{Turn, play, whole};

/// Pieces of a stream: whole messages mostly, and damage.
fn token(side: Side) -> impl Strategy<Value = Vec<u8>> {
    let own: &[&str] = match side {
        Side::Client => &[
            "GET / HTTP/1.1\r\n\r\n",
            "HEAD /h HTTP/1.1\r\nHost: h\r\n\r\n",
            "CONNECT h:1 HTTP/1.1\r\n\r\n",
            "FROB / HTTP/1.0\n\n",
            "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "PUT / HTTP/1.1\r\n",
            "GET / HTTP/1.",
        ],
        Side::Server => &[
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 407 No\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.0 404 Not Found\nTransfer-Encoding: chunked\n\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 204\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "HTTP/1.0 200 OK\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\nX: y\r\n z\r\n\r\n",
            "HTTP/1.1 2",
        ],
    };
    let common: &[&str] = &[
        "hello",
        "0\r\n\r\n",
        "5\r\nhello\r\n",
        "3;x=y\r\nabc\r\n",
        "0\r\nA: b\r\n\r\n",
        "\r\n",
        "\n",
        "\r",
        " ",
        "Content-Length: 2\r\n",
        "A: b\r\n",
        "ffffffffffffffff\r\n",
        "HTTP/1.1",
        "0",
        "\0",
    ];
    let own: Vec<_> = own.iter().map(|text| text.as_bytes().to_vec()).collect();
    let common: Vec<_> = common.iter().map(|text| text.as_bytes().to_vec()).collect();
    prop_oneof![6 => prop::sample::select(own), 5 => prop::sample::select(common)]
}

fn turn() -> impl Strategy<Value = Turn> {
    let bytes = |side| prop::collection::vec(token(side), 1..5).prop_map(|tokens| tokens.concat());
    let side = || prop::sample::select(Side::BOTH.to_vec());
    prop_oneof![
        6 => bytes(Side::Client).prop_map(Turn::Client),
        6 => bytes(Side::Server).prop_map(Turn::Server),
        1 => (side(), 0u64..12).prop_map(|(side, missing)| Turn::Gap(side, missing)),
    ]
}

fn conversation() -> impl Strategy<Value = Vec<Turn>> {
    let ending = prop::sample::select(vec![Ending::Closed, Ending::Reset, Ending::Lost]);
    (prop::collection::vec(turn(), 1..8), ending).prop_map(|(mut turns, ending)| {
        turns.extend(Side::BOTH.map(|side| Turn::Close(side, ending)));
        turns
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn every_cut_gives_the_same_messages(turns in conversation(), sizes in prop::collection::vec(1usize..20, 1..10)) {
        let expected = whole(&turns);
        let mut sizes = sizes.iter().cycle();
        let cut = play(&turns, |_, mut bytes, feed| {
            while !bytes.is_empty() {
                let size = sizes.next().map_or(1, |size| (*size).min(bytes.len()));
                feed(&bytes[..size]);
                bytes = &bytes[size..];
            }
        });
        prop_assert_eq!(&cut, &expected);
        let bytewise = play(&turns, |_, bytes, feed| bytes.chunks(1).for_each(feed));
        prop_assert_eq!(&bytewise, &expected);
    }

    #[test]
    fn the_numbers_of_answers_never_decrease(turns in conversation()) {
        let answered: Vec<_> = whole(&turns)
            .iter()
            .filter_map(|message| message.answers)
            .collect();
        prop_assert!(answered.is_sorted());
    }

    #[test]
    fn messages_tile_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0usize..300) {
        for turn in [Turn::Client(bytes.clone()), Turn::Server(bytes.clone())] {
            let expected = whole(std::slice::from_ref(&turn));
            let parts = play(&[turn], |_, bytes, feed| {
                let (one, other) = bytes.split_at(cut.min(bytes.len()));
                feed(one);
                feed(other);
            });
            prop_assert_eq!(parts, expected);
        }
    }
}
