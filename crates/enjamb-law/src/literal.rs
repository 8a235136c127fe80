//! Inputs as Rust expressions, for the test that a violation prints.

use std::fmt::Write as _;

use enjamb::Ending;
use enjamb::transcript::Content;

use crate::cutting::{Cutting, ONLY};

/// Appends one byte as it is written in a byte string literal.
pub(crate) fn escape(byte: u8, text: &mut String) {
    match byte {
        b'\'' => text.push('\''),
        byte => {
            let _ = write!(text, "{}", std::ascii::escape_default(byte));
        }
    }
}

/// Returns bytes as a Rust expression for a slice. Many repetitions of one unit are written with
/// `repeat`.
pub(crate) fn literal(bytes: &[u8]) -> String {
    const MUCH: usize = 64;
    let literal = |bytes: &[u8]| {
        let mut text = String::from("b\"");
        bytes.iter().for_each(|&byte| escape(byte, &mut text));
        text.push('"');
        text
    };
    let repeated = (bytes.len() > MUCH).then(|| repetition(bytes)).flatten();
    let Some((start, unit, times)) = repeated else {
        return literal(bytes);
    };
    let rest = &bytes[start + unit * times..];
    let repeat = format!("{}.repeat({times})", literal(&bytes[start..start + unit]));
    match (start, rest) {
        (0, []) => format!("&{repeat}"),
        (_, []) => format!("&[{}.to_vec(), {repeat}].concat()", literal(&bytes[..start])),
        (0, _) => format!("&[{repeat}, {}.to_vec()].concat()", literal(rest)),
        _ => format!("&[{}.to_vec(), {repeat}, {}.to_vec()].concat()", literal(&bytes[..start]), literal(rest)),
    }
}

/// Returns the start, the length and the count of a short unit that fills most of `bytes`.
fn repetition(bytes: &[u8]) -> Option<(usize, usize, usize)> {
    const LONGEST: usize = 32;
    (0..LONGEST).flat_map(|start| (1..LONGEST).map(move |unit| (start, unit))).find_map(|(start, unit)| {
        let first = bytes.get(start..start + unit)?;
        let times = bytes[start..].chunks_exact(unit).take_while(|chunk| *chunk == first).count();
        (times >= 8 && 4 * unit * times >= 3 * bytes.len()).then_some((start, unit, times))
    })
}

/// Returns the input as a Rust expression.
pub(crate) fn input_code(input: &Cutting) -> String {
    if let [(side, Content::Chunk(bytes))] = input.turns()
        && *side == ONLY
    {
        return format!("stream({})", literal(bytes));
    }
    let turns = input.turns().iter().map(|(side, what)| {
        let side = if *side == enjamb::Side::Client { "Client" } else { "Server" };
        let what = match what {
            Content::Chunk(bytes) => format!("enjamb::transcript::Content::Chunk({}.to_vec())", literal(bytes)),
            Content::Gap(missing) => format!("enjamb::transcript::Content::Gap({missing})"),
            Content::Close(ending) => {
                let ending = match ending {
                    Ending::Closed => "Closed",
                    Ending::Reset => "Reset",
                    Ending::Lost => "Lost",
                };
                format!("enjamb::transcript::Content::Close(enjamb::Ending::{ending})")
            }
        };
        format!("(enjamb::Side::{side}, {what})")
    });
    format!("Cutting::of([{}])", turns.collect::<Vec<_>>().join(", "))
}

/// Returns cuts as a Rust expression. Many cuts at the same distance are written as a range.
pub(crate) fn cuts_code(cuts: &[usize]) -> String {
    const MUCH: usize = 16;
    if let [first, second, .., last] = cuts
        && cuts.len() > MUCH
        && cuts.windows(2).all(|pair| pair[1] - pair[0] == second - first)
    {
        return match second - first {
            1 => format!("({first}..={last}).collect::<Vec<usize>>()"),
            step => format!("({first}..={last}).step_by({step}).collect::<Vec<usize>>()"),
        };
    }
    format!("{cuts:?}")
}

/// Returns messages as a Rust expression.
pub(crate) fn messages_code(messages: &[&[u8]]) -> String {
    let each = |message: &&[u8]| match literal(message) {
        code if code.starts_with('&') => code,
        code => format!("&{code}[..]"),
    };
    if let [first, rest @ ..] = messages
        && rest.len() > 3
        && rest.iter().all(|message| message == first)
    {
        return format!("&[{}; {}]", each(first), messages.len());
    }
    format!("&[{}]", messages.iter().map(each).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_rust() {
        assert_eq!(literal(b"a\"\r\n'\xff"), r#"b"a\"\r\n'\xff""#);
        let long = [b"x".as_slice(), &b"ab".repeat(300), b"\r\n"].concat();
        assert_eq!(literal(&long), r#"&[b"x".to_vec(), b"ab".repeat(300), b"\r\n".to_vec()].concat()"#);
        assert_eq!(cuts_code(&[1, 2]), "[1, 2]");
        let every: Vec<usize> = (1..50).collect();
        assert_eq!(cuts_code(&every), "(1..=49).collect::<Vec<usize>>()");
        assert_eq!(messages_code(&[b"a", b"b"]), "&[&b\"a\"[..], &b\"b\"[..]]");
        assert_eq!(messages_code(&[b"a".as_slice(); 20]), "&[&b\"a\"[..]; 20]");
    }
}
