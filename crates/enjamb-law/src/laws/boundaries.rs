//! The places between messages.

/// Returns the offsets between two messages, in ascending order.
pub(super) fn boundaries(messages: &[&[u8]]) -> Vec<usize> {
    let ends = messages.iter().scan(0, |at, message| {
        *at += message.len();
        Some(*at)
    });
    let mut boundaries: Vec<usize> = ends.filter(|end| *end > 0).collect();
    boundaries.dedup();
    boundaries.pop();
    boundaries
}
