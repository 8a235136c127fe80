//! Spec files from arbitrary bytes. Fuzz targets include this file, too.

use std::fmt::Write as _;

/// Returns the text of a spec with the choices that the bytes make. It may be wrong: a length may
/// be a string, or a field may be the rest of a message without an end.
pub(crate) fn spec(choices: &[u8]) -> String {
    let mut choices = choices.iter().copied();
    let mut next = move || usize::from(choices.next().unwrap_or(0));
    let mut text = String::from("name = \"random\"\n");
    if next() % 2 == 0 {
        text.push_str("order = \"little\"\n");
    }
    let messages = 1 + next() % 2;
    match (messages, next() % 3) {
        (2, 0) => text.push_str("client = { first = \"m1\", then = \"m0\" }\nserver = \"m1\"\n"),
        (2, 1) => text.push_str("client = \"m0\"\nserver = \"m1\"\non = [{ kind = \"A\", switch = \"opaque\" }]\n"),
        (2, _) => text.push_str("client = \"m1\"\nserver = \"m0\"\n"),
        _ => {}
    }
    for message in 0..messages {
        let _ = writeln!(text, "[messages.m{message}]\nkind = \"t\"");
        let has_length = next() % 3 > 0;
        if has_length {
            let counts = ["rest", "message"][next() % 2];
            let _ = writeln!(text, "length = {{ field = \"n\", counts = \"{counts}\", add = {} }}", next() % 4);
        }
        match next() % 4 {
            0 => text.push_str("request = [\"A\"]\nanswer = [\"B\"]\n"),
            1 => text.push_str("request = [\"A\"]\nanswer = [\"B\"]\nid = \"n\"\n"),
            2 => text.push_str("answer = true\nmore = { t = \"A\" }\nfailed = { t = { not = \"A\" } }\ncode = \"n\"\n"),
            _ => {}
        }
        if next() % 4 == 0 {
            text.push_str("continues = { when = { t = 3 }, with = \"m0\" }\n");
        }
        let _ = writeln!(text, "max = {}", 1 + next() * 2);
        let integers = ["u8", "u16", "varint", "u32", "u8", "i8", "u24le", "zigzag", "u8"];
        let integer = integers[next() % 3];
        text.push_str("fields = [\n");
        if next() % 3 == 0 {
            text.push_str("{ name = \"magic\", type = \"string\", equals = \"\\u0001\\u0002\" },\n");
        }
        let _ = writeln!(text, "{{ name = \"t\", type = \"u8\", names = {{ 1 = \"A\", 2 = \"B\", 0x03 = \"C\" }} }},");
        let _ = writeln!(text, "{{ name = \"n\", type = \"{integer}\" }},");
        for field in 0..next() % 6 {
            let when = ["", "", ", when = { t = \"A\" }", ", when = { n = { not = [0, 1] } }"][next() % 4];
            let optional = if has_length && next() % 4 == 0 { ", optional = true" } else { "" };
            let secret = ["", "", ", secret = true"][next() % 3];
            let end = match next() % 9 {
                0 => format!("type = \"{}\"", integers[next() % integers.len()]),
                1 => format!("type = \"bytes\", length = {}", 1 + next() % 5),
                2 => "type = \"string\", length = \"n - 1\"".to_owned(),
                3 => "type = \"string\", prefix = \"u8\"".to_owned(),
                4 => "type = \"string\", prefix = \"varint\", max = 9".to_owned(),
                5 => "type = \"string\", until = \"\\u0000\"".to_owned(),
                6 => "type = \"string\", until = \"\\u0001\\u0002\", names = [\"x\", \"y\"]".to_owned(),
                7 => "type = \"u8\", bits = { a = 3, b = 5 }"
                    .replace("a =", &format!("a{field} ="))
                    .replace("b =", &format!("b{field} =")),
                _ => {
                    let _ = writeln!(text, "{{ align = 4 }},");
                    continue;
                }
            };
            let _ = writeln!(text, "{{ name = \"f{field}\", {end}{when}{optional}{secret} }},");
        }
        if has_length && next() % 2 == 0 {
            text.push_str("{ name = \"rest\", type = \"bytes\" },\n{ name = \"crc\", type = \"u16\" },\n");
        }
        text.push_str("]\n");
    }
    text
}
