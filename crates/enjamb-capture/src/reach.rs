//! How far one side has come, for the other side, which must not overtake it.

/// The offset of the first byte known of a stream. Far enough from 0 that earlier ones have an offset too.
pub(crate) const ORIGIN: u64 = 1 << 32;

/// The largest window that TCP has (RFC 7323, section 2.3): nothing honest is further ahead.
pub(crate) const WINDOW_MAX: i64 = 1 << 30;

/// How far a stream was delivered, for the other one.
#[derive(Clone, Copy, Default)]
pub(crate) struct Reach {
    /// The sequence number of [`ORIGIN`], where segments of this stream were captured.
    base: Option<u32>,
    next: u64,
    fin: Option<u64>,
    /// Bytes of it are held that may not be its first ones: what was delivered may not be all that comes before them.
    begins: bool,
}

impl Reach {
    pub(crate) fn new(base: Option<u32>, next: u64, fin: Option<u64>, begins: bool) -> Self {
        Self { base, next, fin, begins }
    }

    /// Was everything delivered that `acknowledgement` says was received? Also when that cannot be known.
    pub(crate) fn covers(&self, acknowledgement: Option<u32>) -> bool {
        self.lacks(acknowledgement) == 0 && !(self.begins && acknowledgement.is_some())
    }

    /// How many bytes of it were not delivered.
    pub(crate) fn lacks(&self, acknowledgement: Option<u32>) -> u64 {
        let (Some(sequence), Some(base)) = (acknowledgement, self.base) else {
            return 0;
        };
        let mut ahead = i64::from(sequence.wrapping_sub(sequence_at(base, self.next)) as i32);
        // A FIN takes a number of its own.
        if ahead > 0 && self.fin == Some((self.next as i64 + ahead - 1) as u64) {
            ahead -= 1;
        }
        if ahead > WINDOW_MAX { 0 } else { ahead.max(0) as u64 }
    }

    /// What is delivered next.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }
}

/// The sequence number of an offset.
pub(crate) fn sequence_at(base: u32, offset: u64) -> u32 {
    base.wrapping_add(offset.wrapping_sub(ORIGIN) as u32)
}
