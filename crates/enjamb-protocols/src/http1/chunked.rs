//! The lines of the chunked transfer coding: RFC 9112, section 7.1.

use super::framing::LENGTH_MAX;
use super::line::without_cr;
use super::syntax_error::SyntaxError;

/// Reads the size in the line before a chunk, without its LF. Blanks behind the size are tolerated,
/// since some servers pad it. Extensions are ignored.
pub(super) fn size(line: &[u8]) -> Result<u64, SyntaxError> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, rest) = line.split_at(digits);
    let rest = without_cr(rest).trim_ascii_start();
    if digits.is_empty() || !matches!(rest, [] | [b';', ..]) {
        return Err(SyntaxError::ChunkSize);
    }
    digits
        .iter()
        .try_fold(0u64, |size, &digit| {
            let digit = char::from(digit).to_digit(16)?;
            size.checked_mul(16)?.checked_add(u64::from(digit))
        })
        .filter(|&size| size <= LENGTH_MAX)
        .ok_or(SyntaxError::ChunkTooLarge)
}
