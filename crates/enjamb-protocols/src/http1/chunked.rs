//! The lines of the chunked transfer coding: RFC 9112, section 7.1.

use super::flags::{Flag, FlagSet};
use super::framing::LENGTH_MAX;
use super::line::{is_blank, without_cr};
use super::syntax_error::SyntaxError;

/// Reads the size in the line before a chunk, without its LF. Blanks behind the size are flagged,
/// since some servers pad it. Extensions are ignored.
pub(super) fn size(line: &[u8], flags: &mut FlagSet) -> Result<u64, SyntaxError> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, rest) = line.split_at(digits);
    let extensions = without_cr(rest);
    // Some parsers end the line at this LF, others only at a CRLF.
    flags.add_if(extensions.len() == rest.len(), Flag::BareLf);
    if digits.is_empty() {
        return Err(SyntaxError::ChunkSize);
    }
    let blanks = extensions.iter().take_while(|&&byte| is_blank(byte)).count();
    flags.add_if(blanks > 0, Flag::OddChunkLine);
    if !matches!(extensions[blanks..], [] | [b';', ..]) {
        return Err(SyntaxError::ChunkExtension);
    }
    flags.add_if(extensions.contains(&b'\r'), Flag::BareCr);
    flags.add_if(extensions.iter().any(|&byte| byte.is_ascii_control() && byte != b'\t'), Flag::OddChunkLine);
    digits
        .iter()
        .try_fold(0u64, |size, &digit| {
            let digit = char::from(digit).to_digit(16)?;
            size.checked_mul(16)?.checked_add(u64::from(digit))
        })
        .filter(|&size| size <= LENGTH_MAX)
        .ok_or(SyntaxError::ChunkTooLarge)
}
