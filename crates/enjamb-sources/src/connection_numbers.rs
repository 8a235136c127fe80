//! Sets of connection numbers, as users write them.

use std::fmt;
use std::str::FromStr;

/// A set of connection numbers: single numbers and inclusive ranges, as in `3` or `1,5-9`.
///
/// Connections count from 1, continuously over all inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionNumbers(Vec<(u64, u64)>);

impl ConnectionNumbers {
    /// Returns whether `number` is in the set.
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&number))
    }
}

impl FromStr for ConnectionNumbers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            let number = text.parse::<u64>().ok().filter(|number| *number > 0);
            number.ok_or_else(|| {
                format!("\"{text}\" is not the number of a connection: they count from 1, as in 3 or 1,5-9")
            })
        };
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            if first <= last {
                Ok((first, last))
            } else {
                Err(format!("the range \"{part}\" is empty: {last} is less than {first}"))
            }
        };
        text.split(',').map(range).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for ConnectionNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (first, last)) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "," };
            if first == last {
                write!(f, "{separator}{first}")?;
            } else {
                write!(f, "{separator}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::ConnectionNumbers;

    #[test]
    fn numbers_and_ranges_are_read_and_written() {
        for (text, inside, outside) in [("3", vec![3], vec![2, 4]), ("1,5-7", vec![1, 5, 6, 7], vec![2, 4, 8])] {
            let numbers: ConnectionNumbers = text.parse().unwrap();
            assert!(inside.into_iter().all(|number| numbers.contains(number)));
            assert!(!outside.into_iter().any(|number| numbers.contains(number)));
            assert_eq!(numbers.to_string(), text);
        }
        for text in ["", "0", "x", "1,", "5-3", "1-2-3", "-1", "99999999999999999999"] {
            assert!(text.parse::<ConnectionNumbers>().is_err(), "{text}");
        }
    }
}
