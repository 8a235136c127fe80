//! The progress of one side's stream. The other side uses it to deliver nothing too early.

/// The offset of the first known byte of a stream. It is so far from 0 that earlier bytes have an
/// offset too.
pub(super) const ORIGIN: u64 = 1 << 32;

/// The largest window of TCP (RFC 7323, section 2.3). No valid segment is further ahead.
pub(super) const WINDOW_MAX: i64 = 1 << 30;

/// The offset up to which a stream was delivered.
#[derive(Clone, Copy, Default)]
pub(super) struct Progress {
    /// The sequence number of [`ORIGIN`]. `None` if no segment of this stream was captured.
    base: Option<u32>,
    next: u64,
    fin: Option<u64>,
    /// Whether bytes are held and it is not certain that they are the first ones of the stream.
    /// Then earlier bytes may still come.
    beginning_unknown: bool,
}

impl Progress {
    pub(super) fn new(base: Option<u32>, next: u64, fin: Option<u64>, beginning_unknown: bool) -> Self {
        Self { base, next, fin, beginning_unknown }
    }

    /// Returns whether all bytes before `acknowledgement` were delivered, or nothing is known about
    /// that.
    pub(super) fn covers(&self, acknowledgement: Option<u32>) -> bool {
        self.undelivered(acknowledgement) == 0 && !(self.beginning_unknown && acknowledgement.is_some())
    }

    /// Returns how many bytes before `acknowledgement` were not delivered.
    pub(super) fn undelivered(&self, acknowledgement: Option<u32>) -> u64 {
        let (Some(sequence), Some(base)) = (acknowledgement, self.base) else {
            return 0;
        };
        let mut ahead = i64::from(sequence.wrapping_sub(sequence_at(base, self.next)) as i32);
        // A FIN takes a sequence number of its own.
        if ahead > 0 && self.fin == Some((self.next as i64 + ahead - 1) as u64) {
            ahead -= 1;
        }
        if ahead > WINDOW_MAX { 0 } else { ahead.max(0) as u64 }
    }

    /// Returns whether a segment of this side was captured.
    pub(super) fn is_seen(&self) -> bool {
        self.base.is_some()
    }

    /// Returns whether all bytes before the FIN were delivered.
    pub(super) fn has_ended(&self) -> bool {
        self.fin.is_some_and(|fin| fin <= self.next)
    }

    /// Returns the offset of the next byte to deliver.
    pub(super) fn next(&self) -> u64 {
        self.next
    }
}

/// Returns the sequence number of an offset.
pub(super) fn sequence_at(base: u32, offset: u64) -> u32 {
    base.wrapping_add(offset.wrapping_sub(ORIGIN) as u32)
}
