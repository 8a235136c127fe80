//! The tables of a TOML text, with the places of their keys and values.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::error::SpecFileError;

/// The longest name, in bytes.
const NAME_MAX: usize = 64;

/// The longest explanation, in bytes.
const ABOUT_MAX: usize = 400;

pub(super) type Parsed<T> = Result<T, SpecFileError>;

/// A value, and its place in the text.
#[derive(Clone, Copy)]
pub(super) struct Value<'t> {
    pub(super) text: &'t str,
    value: &'t Spanned<DeValue<'t>>,
}

/// A table: its entries in the order of the text.
pub(super) struct Table<'t> {
    pub(super) text: &'t str,
    /// The place of the table, for what is missing in it.
    pub(super) span: Range<usize>,
    pub(super) entries: Vec<Entry<'t>>,
}

#[derive(Clone)]
pub(super) struct Entry<'t> {
    pub(super) key: &'t str,
    pub(super) span: Range<usize>,
    pub(super) value: Value<'t>,
}

impl<'t> Table<'t> {
    pub(super) fn new(text: &'t str, span: Range<usize>, table: &'t DeTable<'t>) -> Self {
        let mut entries: Vec<Entry<'t>> = table
            .iter()
            .map(|(key, value)| Entry { key: key.get_ref(), span: key.span(), value: Value { text, value } })
            .collect();
        entries.sort_by_key(|entry| entry.span.start);
        Self { text, span, entries }
    }

    pub(super) fn fail(&self, reason: impl Into<String>) -> SpecFileError {
        SpecFileError::new(self.text, self.span.clone(), reason)
    }

    /// Refuses every key that is not known.
    pub(super) fn allow(&self, owner: &str, known: &[&str]) -> Parsed<()> {
        match self.entries.iter().find(|entry| !known.contains(&entry.key)) {
            None => Ok(()),
            Some(entry) => {
                let error = entry.fail(format!("{owner} has no key {:?}", entry.key));
                Err(match similar(entry.key, known.iter().copied()) {
                    Some(name) => error.remedy(format!("did you mean {name:?}?")),
                    None => error.remedy(format!("the keys are {}", known.join(", "))),
                })
            }
        }
    }

    pub(super) fn entry(&self, key: &str) -> Option<&Entry<'t>> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(super) fn get(&self, key: &str) -> Option<Value<'t>> {
        self.entry(key).map(|entry| entry.value)
    }

    pub(super) fn text_of(&self, key: &str) -> Parsed<Option<&'t str>> {
        self.get(key).map(|value| value.string()).transpose()
    }

    pub(super) fn about(&self) -> Parsed<&'t str> {
        match self.get("about") {
            None => Ok(""),
            Some(value) => match value.string()? {
                text if text.len() > ABOUT_MAX || text.contains(char::is_control) => {
                    Err(value.fail(format!("an explanation is one line of at most {ABOUT_MAX} bytes")))
                }
                text => Ok(text),
            },
        }
    }

    pub(super) fn flag(&self, key: &str) -> Parsed<bool> {
        self.get(key).map_or(Ok(false), |value| value.bool())
    }
}

impl Entry<'_> {
    pub(super) fn fail(&self, reason: impl Into<String>) -> SpecFileError {
        SpecFileError::new(self.value.text, self.span.clone(), reason)
    }

    /// Checks that the key is a name.
    pub(super) fn name(&self) -> Parsed<&str> {
        check_name(self.key).map_err(|reason| self.fail(reason))?;
        Ok(self.key)
    }
}

impl<'t> Value<'t> {
    pub(super) fn span(&self) -> Range<usize> {
        self.value.span()
    }

    pub(super) fn fail(&self, reason: impl Into<String>) -> SpecFileError {
        SpecFileError::new(self.text, self.span(), reason)
    }

    fn expected(&self, wanted: &str) -> SpecFileError {
        self.fail(format!("expected {wanted}, found {}", article(self.value.get_ref().type_str())))
    }

    pub(super) fn as_str(&self) -> Option<&'t str> {
        self.value.get_ref().as_str()
    }

    pub(super) fn as_bool(&self) -> Option<bool> {
        self.value.get_ref().as_bool()
    }

    pub(super) fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }

    pub(super) fn is_array(&self) -> bool {
        self.value.get_ref().is_array()
    }

    pub(super) fn is_integer(&self) -> bool {
        self.value.get_ref().is_integer()
    }

    pub(super) fn string(&self) -> Parsed<&'t str> {
        self.as_str().ok_or_else(|| self.expected("a string"))
    }

    /// A string that is a name.
    pub(super) fn name(&self) -> Parsed<&'t str> {
        let name = self.string()?;
        check_name(name).map_err(|reason| self.fail(reason))?;
        Ok(name)
    }

    pub(super) fn bool(&self) -> Parsed<bool> {
        self.as_bool().ok_or_else(|| self.expected("true or false"))
    }

    pub(super) fn integer(&self) -> Parsed<i128> {
        let integer = self.value.get_ref().as_integer().ok_or_else(|| self.expected("an integer"))?;
        i128::from_str_radix(DeInteger::as_str(integer), integer.radix())
            .ok()
            .filter(|value| i64::try_from(*value).is_ok() || u64::try_from(*value).is_ok())
            .ok_or_else(|| self.fail("the integer has more than 64 bits"))
    }

    pub(super) fn unsigned(&self, range: std::ops::RangeInclusive<u64>) -> Parsed<u64> {
        let value = self.integer()?;
        u64::try_from(value)
            .ok()
            .filter(|value| range.contains(value))
            .ok_or_else(|| self.fail(format!("expected a number from {} to {}", range.start(), range.end())))
    }

    /// A size: a number of bytes, or a string such as `64k`.
    pub(super) fn size(&self) -> Parsed<u64> {
        match self.as_str() {
            Some(text) => enjamb::units::parse_size(text).map_err(|error| self.fail(error.to_string())),
            None if self.is_integer() => self.unsigned(0..=u64::MAX),
            None => Err(self.expected("a size, such as 64 or \"64k\"")),
        }
    }

    pub(super) fn array(&self) -> Parsed<Vec<Value<'t>>> {
        let array = self.value.get_ref().as_array().ok_or_else(|| self.expected("an array"))?;
        Ok(array.iter().map(|value| Value { text: self.text, value }).collect())
    }

    pub(super) fn table(&self) -> Parsed<Table<'t>> {
        let table = self.value.get_ref().as_table().ok_or_else(|| self.expected("a table"))?;
        Ok(Table::new(self.text, self.span(), table))
    }

    /// Bytes: a string, or an array of numbers from 0 to 255.
    pub(super) fn bytes(&self) -> Parsed<Vec<u8>> {
        match self.as_str() {
            Some(text) => Ok(text.as_bytes().to_vec()),
            None if self.is_array() => {
                self.array()?.iter().map(|byte| byte.unsigned(0..=255).map(|byte| byte as u8)).collect()
            }
            None => Err(self.expected("bytes: a string, or an array of numbers from 0 to 255")),
        }
    }
}

fn article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

/// Checks a name: a letter, then letters, digits, `_`, `-`, `.`, `/` and spaces inside.
fn check_name(name: &str) -> Result<(), String> {
    let is_allowed = |letter: char| letter.is_alphanumeric() || "_-./: ".contains(letter);
    if name.is_empty() || name.len() > NAME_MAX || name.trim() != name || !name.chars().all(is_allowed) {
        return Err(format!("a name has 1 to {NAME_MAX} bytes: letters, digits, spaces inside, and _ - . / :"));
    }
    Ok(())
}

/// Returns the known name that `text` resembles, if it looks like a slip.
pub(super) fn similar<'n>(text: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let lower = text.to_lowercase();
    let (slips, name) = known.map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name)).min()?;
    let length = text.chars().count();
    (slips < length && slips <= length.max(3) / 3).then_some(name)
}
