//! Random conversations of tokens that are valid, damaged or noise.

use enjamb::Side;
use proptest::prelude::*;

use crate::{Step, assert_same_for_every_cut, say, trace, whole};

const COMMANDS: [&[u8]; 36] = [
    b"*1\r\n$4\r\nPING\r\n",
    b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n",
    b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10\r\n\r\n*1\r\n$0\r\n\r\n\r\n",
    b"*3\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n$1\r\nb\r\n",
    b"*1\r\n$11\r\nUNSUBSCRIBE\r\n",
    b"PSUBSCRIBE p q\r\n",
    b"PUNSUBSCRIBE p\n",
    b"MONITOR\r\n",
    b"MULTI\r\n",
    b"EXEC\r\n",
    b"RESET\r\n",
    b"HELLO 3\r\n",
    b"CLIENT REPLY OFF\r\n",
    b"CLIENT REPLY SKIP\r\n",
    b"CLIENT REPLY ON\r\n",
    b"REPLCONF ACK 1\r\n",
    b"PSYNC ? -1\r\n",
    b"SYNC\r\n",
    b"*0\r\n",
    b"*-1\r\n",
    b"\r\n",
    b" \t\n",
    b"SET k \"a \\x41\\n\" 'b'\r\n",
    b"*1\r\n",
    b"$4\r\n",
    b"PING\r\n",
    b"*2\r\n$4\r\nPING",
    b"*01\r\n",
    b"*01\r\n$4\r\nPING\r\n",
    b"*1\r\n$04\r\nPING\r\n",
    b"*1\n",
    b"*1\r\n$3\r\nGETxx",
    b"SET \"open\r\n",
    b"\r",
    b"*",
    b"\xff\x00",
];

const REPLIES: [&[u8]; 47] = [
    b"+OK\r\n",
    b"+PONG\r\n",
    b"+QUEUED\r\n",
    b"+RESET\r\n",
    b"-ERR unknown\r\n",
    b"-ERR Protocol error: x\r\n",
    b":1\r\n",
    b"$3\r\nbar\r\n",
    b"$0\r\n\r\n",
    b"$-1\r\n",
    b"*-1\r\n",
    b"*0\r\n",
    b"*2\r\n:1\r\n*1\r\n-ERR in\r\n",
    b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n",
    b"*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n",
    b"*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n",
    b">3\r\n+psubscribe\r\n+p\r\n:1\r\n",
    b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n",
    b">2\r\n+invalidate\r\n*1\r\n$1\r\na\r\n",
    b"+1339518083.107412 [0 127.0.0.1:60866] \"keys\" \"*\"\r\n",
    b"+FULLRESYNC abc 0\r\n",
    b"_\r\n",
    b"#t\r\n",
    b",1.5\r\n",
    b",inf\r\n",
    b"(123456789012345678901234567890\r\n",
    b"!5\r\nERR x\r\n",
    b"=7\r\ntxt:abc\r\n",
    b"%1\r\n+a\r\n:1\r\n",
    b"~2\r\n:1\r\n:2\r\n",
    b"|1\r\n+ttl\r\n:3\r\n",
    b"$?\r\n",
    b";2\r\nab\r\n",
    b";0\r\n",
    b"*?\r\n",
    b"%?\r\n",
    b".\r\n",
    b"*2\r\n",
    b"$5\r\n",
    b"\r\n",
    b"\n",
    b"$1\r\nab\r\n",
    b":x\r\n",
    b"*2147483647\r\n",
    b"+",
    b"$EOF:0123\r\n",
    b"\xff\x00",
];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let from = |side: Side, tokens: &'static [&'static [u8]]| {
        proptest::sample::select(tokens).prop_map(move |token| Step::Feed(side, token.to_vec()))
    };
    let step = prop_oneof![
        8 => from(Side::Client, &COMMANDS),
        10 => from(Side::Server, &REPLIES),
        1 => (any::<bool>(), 1u64..12).prop_map(|(client, missing)| Step::Gap(side(client), missing)),
        1 => (any::<bool>(), prop::collection::vec(any::<u8>(), 1..12)).prop_map(|(client, bytes)| Step::Feed(side(client), bytes)),
        2 => (any::<bool>(), "[*$+:;.|%~>?0-9a-c \"\r\n-]{1,10}").prop_map(|(client, text)| Step::Feed(side(client), text.into_bytes())),
    ];
    prop::collection::vec(step, 1..14)
}

fn side(client: bool) -> Side {
    if client { Side::Client } else { Side::Server }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn every_cut_gives_the_same_trace(steps in steps(), sizes in prop::collection::vec(1usize..9, 1..8)) {
        let expected = say(&whole(&steps));
        let mut next = 0;
        let cut = trace(&steps, |_, mut bytes| {
            let mut pieces = Vec::new();
            while !bytes.is_empty() {
                next = (next + 1) % sizes.len();
                let (piece, rest) = bytes.split_at(sizes[next].min(bytes.len()));
                pieces.push(piece.to_vec());
                bytes = rest;
            }
            pieces
        });
        prop_assert_eq!(say(&cut), &expected[..]);
        // Adjacent chunks of one side are joined, as if they had arrived at once.
        let mut glued: Vec<Step> = Vec::new();
        for step in &steps {
            match (glued.last_mut(), step) {
                (Some(Step::Feed(before, bytes)), Step::Feed(side, more)) if before == side => bytes.extend(more),
                _ => glued.push(step.clone()),
            }
        }
        prop_assert_eq!(say(&whole(&glued)), &expected[..]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn every_cut_of_a_short_conversation_gives_the_same_messages(steps in prop::collection::vec(steps(), 1).prop_map(|mut all| {
        let mut steps = all.remove(0);
        steps.truncate(5);
        steps
    })) {
        assert_same_for_every_cut("at random", &steps);
    }
}
