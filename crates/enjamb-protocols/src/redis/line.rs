//! Lines, and the numbers in them.
//!
//! Lines end at LF, and nearly all must have a CR before it. Most lie in one chunk and are read
//! there. Of a split line the beginning is kept, which is enough for every number. Every verdict is
//! about the whole line, so the same number of bytes is kept of a line that was not split.

/// The maximum number of bytes of a line that are kept: a number of 64 bits has 20, and a printed
/// double has fewer than this.
pub(super) const LINE_KEPT: usize = 128;

/// The beginning of a line that was split.
#[derive(Clone, Debug, Default)]
pub(super) struct LineBuffer {
    kept: Vec<u8>,
    length: u64,
    last: Option<u8>,
    /// Whether all bytes behind the kept ones are digits, except the last.
    digits: bool,
    /// Whether there is a CR before the last byte.
    cr_inside: bool,
}

/// A whole line, without its LF.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// Its first bytes, without the CR at its end.
    pub(super) head: &'a [u8],
    /// Its length, without the CR at its end.
    pub(super) length: u64,
    /// Whether there is a CR at its end.
    pub(super) cr: bool,
    /// Whether everything beyond `head` is digits.
    digits: bool,
    /// Whether there is a CR before its end.
    pub(super) cr_inside: bool,
}

impl LineBuffer {
    pub(super) fn clear(&mut self) {
        *self = Self { kept: std::mem::take(&mut self.kept), ..Self::default() };
        self.kept.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(super) fn kept(&self) -> &[u8] {
        &self.kept
    }

    pub(super) fn push(&mut self, piece: &[u8]) {
        let Some((&last, before)) = piece.split_last() else { return };
        let kept = piece.len().min(LINE_KEPT - self.kept.len());
        // The last byte of the piece before is judged now: it was not the CR at the end.
        let earlier = self.length as usize > self.kept.len();
        if self.length == 0 {
            self.digits = true;
        }
        if earlier {
            self.digits &= self.last.is_some_and(|byte| byte.is_ascii_digit());
        }
        self.digits &= before.iter().skip(kept).all(u8::is_ascii_digit);
        self.cr_inside |= self.last == Some(b'\r') || before.contains(&b'\r');
        self.kept.extend_from_slice(&piece[..kept]);
        self.length += piece.len() as u64;
        self.last = Some(last);
    }

    /// Returns the whole line.
    pub(super) fn line(&self) -> Line<'_> {
        let cr = self.last == Some(b'\r');
        let length = self.length - u64::from(cr);
        let head = &self.kept[..usize::try_from(length).map_or(self.kept.len(), |n| n.min(self.kept.len()))];
        let last_is_kept = self.length as usize == self.kept.len();
        let digits = self.digits && (cr || last_is_kept || self.last.is_some_and(|byte| byte.is_ascii_digit()));
        Line { head, length, cr, digits, cr_inside: self.cr_inside }
    }

    pub(super) fn held(&self) -> usize {
        self.kept.len()
    }
}

impl<'a> Line<'a> {
    /// Creates a line that was not split.
    pub(super) fn borrowed(line: &'a [u8]) -> Self {
        let (line, cr) = match line {
            [line @ .., b'\r'] => (line, true),
            line => (line, false),
        };
        let (head, tail) = line.split_at(line.len().min(LINE_KEPT));
        let cr_inside = memchr::memchr(b'\r', line).is_some();
        Self { head, length: line.len() as u64, cr, digits: tail.iter().all(u8::is_ascii_digit), cr_inside }
    }

    /// Returns whether the line is white space only.
    pub(super) fn is_blank(&self) -> bool {
        self.is_kept() && self.head.iter().all(|&byte| is_space(byte))
    }

    /// Returns whether `head` is the whole line.
    pub(super) fn is_kept(&self) -> bool {
        self.length == self.head.len() as u64
    }

    /// Returns the text behind the first byte, if the whole line was kept.
    pub(super) fn argument(&self) -> Option<&'a [u8]> {
        if self.is_kept() { self.head.get(1..) } else { None }
    }

    /// Returns whether the text behind the first byte is digits, any number of them, with or
    /// without a sign.
    pub(super) fn is_big_number(&self) -> bool {
        let number = unsigned(self.head.get(1..).unwrap_or_default());
        !number.is_empty() && number.iter().all(u8::is_ascii_digit) && self.digits
    }
}

/// Returns whether the byte separates the words of an inline command (`isspace` of C).
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Reads a number of 64 bits as the Redis server reads them in requests (`string2ll`): no plus
/// sign, no leading zero.
pub(super) fn strict_integer(text: &[u8]) -> Option<i64> {
    match text {
        b"0" => return Some(0),
        [b'1'..=b'9', ..] | [b'-', b'1'..=b'9', ..] => {}
        _ => return None,
    }
    signed_integer(text)
}

/// Reads a number of 64 bits as RESP defines it: decimal digits, with or without a sign.
pub(super) fn signed_integer(text: &[u8]) -> Option<i64> {
    let digits = unsigned(text);
    if digits.is_empty() {
        return None;
    }
    let negative = text.first() == Some(&b'-');
    // Counted downwards, since there is one more negative number than positive ones.
    let value = digits.iter().try_fold(0i64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_sub(digit)
    })?;
    if negative { Some(value) } else { value.checked_neg() }
}

/// Reads a length or a count: decimal digits, or -1 for null.
pub(super) fn length(text: &[u8]) -> Option<i64> {
    match text {
        b"-1" => Some(-1),
        [b'0'..=b'9', ..] => signed_integer(text),
        _ => None,
    }
}

/// Returns whether the text is a double, as RESP3 defines it and `hiredis` accepts it: `inf` and
/// `nan` in any case, and a fraction without an integral part.
pub(super) fn is_double(text: &[u8]) -> bool {
    let number = unsigned(text);
    if number.eq_ignore_ascii_case(b"inf") || number.eq_ignore_ascii_case(b"nan") {
        return true;
    }
    let (mantissa, exponent) = match number.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&number[..at], Some(unsigned(&number[at + 1..]))),
        None => (number, None),
    };
    let (integral, fraction) = match mantissa.iter().position(|&byte| byte == b'.') {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &[][..]),
    };
    let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    digits(integral)
        && digits(fraction)
        && !(integral.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

fn unsigned(text: &[u8]) -> &[u8] {
    match text {
        [b'+' | b'-', digits @ ..] => digits,
        digits => digits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_64_bits() {
        let cases: [(&[u8], Option<i64>); 11] = [
            (b"0", Some(0)),
            (b"-0", Some(0)),
            (b"+7", Some(7)),
            (b"007", Some(7)),
            (b"9223372036854775807", Some(i64::MAX)),
            (b"-9223372036854775808", Some(i64::MIN)),
            (b"9223372036854775808", None),
            (b"-9223372036854775809", None),
            (b"", None),
            (b"-", None),
            (b"1 ", None),
        ];
        for (text, value) in cases {
            assert_eq!(signed_integer(text), value, "{}", text.escape_ascii());
        }
        for refused in [&b"01"[..], b"+1", b"-0", b"-01", b"1x", b""] {
            assert_eq!(strict_integer(refused), None, "{}", refused.escape_ascii());
        }
        assert_eq!(strict_integer(b"-5"), Some(-5));
        assert_eq!(length(b"-1"), Some(-1));
        assert_eq!(length(b"-2"), None);
        assert_eq!(length(b"+2"), None);
    }

    #[test]
    fn doubles_have_digits_and_perhaps_a_fraction_and_an_exponent() {
        for double in ["1", "1.5", "-1.5e10", "+1E-7", "10.", ".5", "inf", "-inf", "nan", "-NaN", "0"] {
            assert!(is_double(double.as_bytes()), "{double}");
        }
        for other in ["", "-", ".", "1.5.2", "e5", "1e", "1e+", "0x10", "infinity", "1 ", "one"] {
            assert!(!is_double(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_split_line_is_the_line() {
        let digits = format!("({}\r", "7".repeat(300));
        let spoiled = format!("({}x{}\r", "7".repeat(150), "7".repeat(100));
        let last = format!("({}x\r", "7".repeat(LINE_KEPT + 3));
        let no_cr = format!("({}x", "7".repeat(LINE_KEPT + 3));
        let edge = format!("({}\r", "7".repeat(LINE_KEPT - 1));
        for line in
            ["", "\r", "x", "+OK\r", "\r\r", "+a\rb\r", "+a\rb", "+a\r\r", &digits, &spoiled, &last, &no_cr, &edge]
        {
            let whole = Line::borrowed(line.as_bytes());
            for size in [1, 2, 3, 127, 128, 129] {
                let mut buffer = LineBuffer::default();
                line.as_bytes().chunks(size).for_each(|piece| buffer.push(piece));
                let split = buffer.line();
                assert_eq!(
                    (split.head, split.length, split.cr, split.digits || split.length == 0, split.cr_inside),
                    (whole.head, whole.length, whole.cr, whole.digits, whole.cr_inside),
                    "{line:?} in pieces of {size}"
                );
            }
        }
        assert!(Line::borrowed(digits.as_bytes()).is_big_number());
        assert!(!Line::borrowed(spoiled.as_bytes()).is_big_number());
        assert!(!Line::borrowed(last.as_bytes()).is_big_number());
    }
}
