//! Flags: what is unusual about a message that is framed right.

use core::fmt;

/// The separator of names in the text form.
const SEPARATOR: char = ',';

/// The findings about a message, as a list of short names: `bare-lf`, `two-hosts`.
///
/// A flag marks bytes that are framed without doubt, and that the protocol forbids or that another
/// parser may read differently. It does not change the outcome: an `ok` message may have flags. The
/// names are few, fixed by the protocol and listed in its documentation, so that they can be
/// counted. Most messages have none.
///
/// ```
/// use enjamb::Flags;
///
/// let flags = Flags::from_list("bare-lf,two-hosts");
/// assert!(flags.contains("two-hosts") && !flags.contains("two"));
/// assert_eq!(flags.names().collect::<Vec<_>>(), ["bare-lf", "two-hosts"]);
/// assert_eq!(flags.to_string(), "bare-lf,two-hosts");
/// assert_eq!(Flags::NONE.names().count(), 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags<'a>(&'a str);

impl<'a> Flags<'a> {
    /// No flags.
    pub const NONE: Self = Self("");

    /// The flags of a list: names of lower-case letters, digits and hyphens, separated by commas.
    /// An empty list has no flags.
    #[must_use]
    pub const fn from_list(list: &'a str) -> Self {
        Self(list)
    }

    /// Returns the names, separated by commas.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Returns whether there are no flags.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Returns the names, in their order.
    pub fn names(self) -> impl Iterator<Item = &'a str> {
        self.0.split(SEPARATOR).filter(|name| !name.is_empty())
    }

    /// Returns whether the flag with this name is set.
    #[must_use]
    pub fn contains(self, name: &str) -> bool {
        self.names().any(|other| other == name)
    }
}

impl fmt::Display for Flags<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::Flags;

    #[test]
    fn a_list_is_read_as_it_is_written() {
        assert!(Flags::NONE.is_empty() && Flags::from_list("").is_empty());
        let flags = Flags::from_list("bare-lf,two-hosts");
        assert!(!flags.is_empty() && flags.names().eq(["bare-lf", "two-hosts"]));
        assert!(flags.contains("bare-lf") && flags.contains("two-hosts") && !flags.contains("two"));
        assert_eq!((flags.as_str(), flags.to_string().as_str()), ("bare-lf,two-hosts", "bare-lf,two-hosts"));
    }
}
