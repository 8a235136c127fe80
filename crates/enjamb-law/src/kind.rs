//! The kind of an error, without the values that its text quotes.

use std::cmp::Ordering;
use std::fmt::{self, Debug, Display};
use std::hash::{Hash, Hasher};

/// The kind of an error: its [`Debug`] text without the values in it. Only the kind is compared.
///
/// Texts quote buffers and count bytes, so two runs that fail in the same way may print different
/// texts. The names of types and variants stay the same.
///
/// ```
/// use enjamb_law::Kind;
///
/// let error = std::io::Error::new(std::io::ErrorKind::InvalidData, "bad byte 0x0d in \"ab\\r\"");
/// assert_eq!(Kind::of(&error).to_string(), "Custom { kind: InvalidData, error: _ }");
/// ```
#[derive(Clone)]
pub struct Kind {
    kind: String,
    /// The whole text, if the kind is shorter.
    text: Option<String>,
}

impl Kind {
    /// Reads the kind from the debug text of an error. Strings, characters and numbers become `_`,
    /// and so does a list of them. A backtrace is left out.
    pub fn of(error: &(impl Debug + ?Sized)) -> Self {
        let whole = format!("{error:?}");
        let text = without_backtrace(&whole);
        let kind = without_values(text);
        let text = (kind != text).then(|| text.to_owned());
        Self { kind, text }
    }

    /// Returns the [`Debug`] text of the error, with its values.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or(&self.kind)
    }
}

/// Removes the backtrace, which `anyhow` and similar crates print when the environment enables it.
/// It depends on the call, not on the error.
fn without_backtrace(text: &str) -> &str {
    text.split_once("Stack backtrace:").map_or(text, |(error, _)| error.trim_end())
}

/// Returns the text with its shape and without its values.
fn without_values(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text.chars().peekable();
    let blank = |kept: &mut String| {
        if !kept.ends_with('_') {
            kept.push('_');
        }
    };
    while let Some(c) = rest.next() {
        let in_word = kept.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        match c {
            '"' | '\'' => {
                let mut escaped = false;
                for inner in rest.by_ref() {
                    match inner {
                        _ if escaped => escaped = false,
                        '\\' => escaped = true,
                        inner if inner == c => break,
                        _ => {}
                    }
                }
                // `b"..."`: the letter belongs to the string.
                if kept.ends_with('b') && !kept[..kept.len() - 1].ends_with(char::is_alphanumeric) {
                    kept.pop();
                }
                blank(&mut kept);
            }
            '0'..='9' if !in_word => {
                while rest.next_if(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_')).is_some() {}
                if kept.ends_with('-') {
                    kept.pop();
                }
                blank(&mut kept);
            }
            c => kept.push(c),
        }
    }
    while kept.contains("_, _") {
        kept = kept.replace("_, _", "_");
    }
    kept
}

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)
    }
}

/// Prints the kind, and with `{:#?}` the whole text.
impl Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if f.alternate() { self.text() } else { &self.kind })
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl Eq for Kind {}

impl Hash for Kind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind.hash(state);
    }
}

impl PartialOrd for Kind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kind {
    fn cmp(&self, other: &Self) -> Ordering {
        self.kind.cmp(&other.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_dropped_and_names_stay() {
        for (text, kind) in [
            ("MaxLineLengthExceeded", "MaxLineLengthExceeded"),
            ("Utf8Error { valid_up_to: 3, error_len: Some(1) }", "Utf8Error { valid_up_to: _, error_len: Some(_) }"),
            ("Bad([1, 2, 3], \"a\\\"b\", -4)", "Bad([_], _)"),
            ("Io(Kind(UnexpectedEof))", "Io(Kind(UnexpectedEof))"),
            ("Header(b\"x: y\", 'c', 1.5e3, u8)", "Header(_, u8)"),
            ("Utf8 at 0x1f", "Utf8 at _"),
        ] {
            assert_eq!(without_values(text), kind, "{text}");
        }
    }

    #[test]
    fn the_text_is_kept_and_not_compared() {
        let (first, second) = (Kind::of(&"bad byte 1"), Kind::of(&"bad byte 2"));
        assert_eq!(
            (first.text(), format!("{first:#?}"), format!("{first:?}")),
            ("\"bad byte 1\"", "\"bad byte 1\"".to_owned(), "_".to_owned())
        );
        assert_eq!(first, second);
    }

    #[test]
    fn a_backtrace_is_left_out() {
        assert_eq!(without_backtrace("no frame\n\nStack backtrace:\n   0: decode\n   1: main"), "no frame");
        assert_eq!(without_backtrace("no frame"), "no frame");
    }
}
