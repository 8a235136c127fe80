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
    pub(super) const SIMPLE: Self = Self(1);
    pub(super) const INTEGER: Self = Self(1 << 1);
    /// A string, or a number that RESP2 returns as a string.
    pub(super) const STRING: Self = Self(1 << 2);
    pub(super) const NULL: Self = Self(1 << 3);
    pub(super) const AGGREGATE: Self = Self(1 << 4);
    /// Not a form: the reply may take any time, since the command may block.
    pub(super) const BLOCKS: Self = Self(1 << 5);
    /// Any form, at any time.
    pub(super) const ANY: Self = Self(0x3f);

    pub(super) const STRING_OR_NULL: Self = Self::STRING.or(Self::NULL);
    pub(super) const AGGREGATE_OR_NULL: Self = Self::AGGREGATE.or(Self::NULL);
    pub(super) const BLOCKING_POP: Self = Self::AGGREGATE_OR_NULL.or(Self::BLOCKS);

    /// Returns the forms of both sets.
    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn may_be_aggregate(self) -> bool {
        self.0 & Self::AGGREGATE.0 != 0
    }

    pub(super) fn may_block(self) -> bool {
        self.0 & Self::BLOCKS.0 != 0
    }

    /// Returns whether a reply of this form belongs to the set.
    pub(super) fn admits(self, form: Form) -> bool {
        let forms = match form {
            Form::Error | Form::BulkError => return true,
            Form::Simple => Self::SIMPLE,
            Form::Integer => Self::INTEGER,
            Form::Bulk | Form::Verbatim | Form::Double => Self::STRING,
            Form::Boolean | Form::BigNumber => Self::INTEGER.or(Self::STRING),
            Form::Null => Self::NULL,
            Form::Array | Form::Map | Form::Set => Self::AGGREGATE,
            Form::Push | Form::Snapshot => return self == Self::ANY,
        };
        self.0 & forms.0 != 0
    }
}
