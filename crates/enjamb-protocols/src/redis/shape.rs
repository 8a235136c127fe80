//! The forms of reply that a command may get.
//!
//! A reply of another form shows that a command or a reply was missed. Only commands whose replies
//! are the same in all versions of the server have a shape of their own; the others may get
//! anything. An error answers every command, and so does `QUEUED`.

use super::excerpt::Form;

/// A set of forms of reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape(u8);

impl Default for Shape {
    fn default() -> Self {
        Self::ANY
    }
}

impl Shape {
    pub(super) const SIMPLE: Self = Self(1 | Self::ERROR);
    pub(super) const INTEGER: Self = Self(1 << 1 | Self::ERROR);
    /// A string, or a number that RESP2 returns as a string.
    pub(super) const STRING: Self = Self(1 << 2 | Self::ERROR);
    pub(super) const NULL: Self = Self(1 << 3 | Self::ERROR);
    pub(super) const AGGREGATE: Self = Self(1 << 4 | Self::ERROR);
    /// Not a form: the reply may take any time, since the command may block.
    pub(super) const BLOCKS: Self = Self(1 << 5 | Self::ERROR);
    /// Any form, at any time.
    pub(super) const ANY: Self = Self(u8::MAX);

    pub(super) const STRING_OR_NULL: Self = Self::STRING.or(Self::NULL);
    pub(super) const AGGREGATE_OR_NULL: Self = Self::AGGREGATE.or(Self::NULL);
    pub(super) const BLOCKING_POP: Self = Self::AGGREGATE_OR_NULL.or(Self::BLOCKS);

    /// An error, which is in every set.
    const ERROR: u8 = 1 << 6;
    /// A form that is in [`ANY`](Self::ANY) alone.
    const RARE: u8 = 1 << 7;

    /// The bits of each form. A table, since the forms of replies vary too much for branches.
    const BITS: [u8; Form::COUNT] = {
        let mut bits = [0; Form::COUNT];
        let mut at = 0;
        while at < Form::COUNT {
            let form = Form::ALL[at];
            bits[form as usize] = match form {
                Form::Error | Form::BulkError => Self::ERROR,
                Form::Simple => 1,
                Form::Integer => 1 << 1,
                Form::Bulk | Form::Verbatim | Form::Double => 1 << 2,
                Form::Boolean | Form::BigNumber => 1 << 1 | 1 << 2,
                Form::Null => 1 << 3,
                Form::Array | Form::Map | Form::Set => 1 << 4,
                Form::Push | Form::Snapshot => Self::RARE,
            };
            at += 1;
        }
        bits
    };

    /// Returns the forms of both sets.
    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn may_be_aggregate(self) -> bool {
        self.0 & 1 << 4 != 0
    }

    pub(super) fn may_block(self) -> bool {
        self.0 & 1 << 5 != 0
    }

    /// Returns whether a reply of this form belongs to the set.
    #[inline(always)]
    pub(super) fn admits(self, form: Form) -> bool {
        self.0 & Self::BITS[form as usize] != 0
    }
}
