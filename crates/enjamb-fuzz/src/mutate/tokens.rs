//! The tokens of a target's dictionary.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::target::Target;

/// The tokens of each target.
type Dictionaries = BTreeMap<&'static str, &'static [Vec<u8>]>;

/// Returns the tokens of a target's dictionary. They are read once.
pub fn tokens(target: &Target) -> &'static [Vec<u8>] {
    static READ: LazyLock<Mutex<Dictionaries>> = LazyLock::new(Mutex::default);
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    read.entry(target.name).or_insert_with(|| Vec::leak(parse(target.dictionary)))
}

/// Parses a dictionary in the form of libFuzzer: `"token"` or `name="token"`, one on a line.
pub(crate) fn parse(dictionary: &str) -> Vec<Vec<u8>> {
    let lines = dictionary.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| unquote(line.split_once('"')?.1.strip_suffix('"')?)).collect()
}

fn unquote(text: &str) -> Option<Vec<u8>> {
    let mut token = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next()? {
                b'x' => {
                    let digits = [bytes.next()?, bytes.next()?];
                    token.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
                }
                other => token.push(other),
            },
            byte => token.push(byte),
        }
    }
    Some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_is_read_with_names_and_escapes() {
        let tokens = parse("# words\nget=\"GET \"\n\n\"\\x0d\\x0a\"\n\"a\\\\\\\"b\"\nbroken\n");
        assert_eq!(tokens, [b"GET ".to_vec(), b"\r\n".to_vec(), b"a\\\"b".to_vec()]);
    }
}
