//! The lines of the chunked transfer coding: RFC 9112, section 7.1.

use super::fault::Fault;
use super::framing::LENGTH_MAX;

/// The size in the line before a chunk, without its line feed. Blanks behind the size are tolerated, as servers exist that pad it;
/// extensions are not looked at.
pub(super) fn size(line: &[u8]) -> Result<u64, Fault> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, rest) = line.split_at(digits);
    let rest = without_cr(rest).trim_ascii_start();
    if digits.is_empty() || !matches!(rest, [] | [b';', ..]) {
        return Err(Fault::ChunkSize);
    }
    digits
        .iter()
        .try_fold(0u64, |size, &digit| {
            let digit = char::from(digit).to_digit(16)?;
            size.checked_mul(16)?.checked_add(u64::from(digit))
        })
        .filter(|&size| size <= LENGTH_MAX)
        .ok_or(Fault::ChunkTooLarge)
}

/// Is the line, without its line feed, a field: a token, a colon, anything?
pub(super) fn is_field(line: &[u8]) -> bool {
    let name = line.iter().take_while(|&&byte| is_token(byte)).count();
    name > 0 && line.get(name) == Some(&b':')
}

/// May the byte be part of a token (RFC 9110, section 5.6.2)?
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The line without the carriage return at its end, if there is one.
pub(super) fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
