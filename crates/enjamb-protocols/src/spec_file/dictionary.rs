//! The constants of a protocol, for a fuzzer.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::model::{Constant, Field, Form, Length, Spec};

/// The maximum number of tokens.
const TOKENS_MAX: usize = 1 << 12;

/// Writes each constant, each value that has a name, and each delimiter.
pub(super) fn dictionary(spec: &Spec) -> String {
    let mut tokens = BTreeSet::new();
    for field in spec.layouts.iter().flat_map(|layout| &layout.fields) {
        match field.equals.as_ref().map(|equals| &equals.value) {
            Some(Constant::Bytes(bytes)) => drop(tokens.insert(bytes.clone())),
            Some(Constant::Integer(value)) => tokens.extend(bytes_of(field, *value)),
            None => {}
        }
        for (value, _) in &field.names.0 {
            tokens.extend(bytes_of(field, *value));
        }
        for bits in &field.bits {
            for (value, _) in &bits.names.0 {
                tokens.extend(bytes_of(field, value << bits.shift));
            }
        }
        tokens.extend(field.words.iter().map(|word| word.as_bytes().to_vec()));
        if let Form::Bytes { length: Length::Until(delimiter), .. } = &field.form {
            tokens.insert(delimiter.clone());
        }
    }
    let mut text = format!("# The constants of {}.\n", spec.name);
    for token in tokens.iter().take(TOKENS_MAX) {
        text.push('"');
        for byte in token {
            let _ = match byte {
                b'"' | b'\\' => write!(text, "\\{}", *byte as char),
                b' '..=b'~' => write!(text, "{}", *byte as char),
                _ => write!(text, "\\x{byte:02x}"),
            };
        }
        text.push_str("\"\n");
    }
    text
}

/// Returns the bytes of an integer.
fn bytes_of(field: &Field, value: u64) -> Option<Vec<u8>> {
    match field.form {
        Form::Integer { width, little, .. } => {
            let bytes = value.to_be_bytes();
            let mut bytes = bytes[8 - usize::from(width)..].to_vec();
            if little {
                bytes.reverse();
            }
            Some(bytes)
        }
        Form::Varint { zigzag } => {
            let mut rest = if zigzag { value << 1 ^ ((value as i64 >> 63) as u64) } else { value };
            let mut bytes = Vec::new();
            while rest >= 0x80 {
                bytes.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
            Some(bytes)
        }
        Form::Bytes { .. } | Form::Align(_) => None,
    }
}
