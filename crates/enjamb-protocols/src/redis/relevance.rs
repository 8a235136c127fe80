//! The messages whose content pairing needs.
//!
//! A message that is read at a glance has an excerpt only if pairing needs one, since making it
//! costs more than reading the message.

/// Returns whether pairing needs the arguments of a command of this kind. It always gets their
/// number.
#[inline]
pub(super) fn needs_arguments(kind: &str) -> bool {
    matches!(kind.as_bytes(), b"CLIENT" | b"REPLCONF")
}

/// Returns whether pairing needs the content of a reply that begins with `text`. It needs that of a
/// text on one line, and of an array or push of three or four elements, which may be a confirmation
/// or a published message.
#[inline]
pub(super) fn needs_content(text: &[u8]) -> bool {
    matches!(text, [b'+' | b'-', ..] | [b'*' | b'>', b'3' | b'4', b'\r', ..])
}
