//! Lines: fields and tokens (RFC 9110, sections 5.1 and 5.6.2).

/// Returns whether the line, without its LF, is a field: a token, a colon, anything.
pub(super) fn is_field(line: &[u8]) -> bool {
    let name = line.iter().take_while(|&&byte| is_token(byte)).count();
    name > 0 && line.get(name) == Some(&b':')
}

/// Returns whether the byte may be part of a token (RFC 9110, section 5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Returns the line without the CR at its end, if there is one.
pub(super) fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Returns whether the byte is a space or a tab: the only white space within a line.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Returns the text without the blanks around it. A folded value has line ends in it, which count
/// as blanks too.
pub(super) fn trim(text: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = text.iter().position(|byte| !blank(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// Returns the line without a version `HTTP/1.x` and the space before it at its end, and the
/// version's minor number.
pub(super) fn strip_version(line: &[u8]) -> Option<(&[u8], u8)> {
    match line {
        [before @ .., b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor] if minor.is_ascii_digit() => {
            Some((before, minor - b'0'))
        }
        _ => None,
    }
}
