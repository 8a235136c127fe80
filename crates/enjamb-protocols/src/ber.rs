//! BER: elements of a tag, a length and a value (X.690, section 8.1).
//!
//! Only tags of one byte and definite lengths are read. LDAP and Kerberos use no others (RFC 4511,
//! section 5.1; RFC 4120, section 5.1).

use crate::kit::{Cursor, Fault, Next, Short};

/// The tags of the universal class.
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const ENUMERATED: u8 = 0x0a;

/// An element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) value: &'a [u8],
}

/// Returns what follows the first bytes of an element: more bytes of its length, or its value.
///
/// # Errors
/// The length is indefinite, or has more than four bytes.
pub(crate) fn next(head: &[u8]) -> Result<Next, Fault> {
    match *head {
        [] | [_] => Ok(Next::Bytes(2 - head.len() as u64)),
        [_, length @ ..=0x7f, ..] => Ok(Next::Last(length.into())),
        [_, bytes @ 0x81..=0x84, ref length @ ..] => {
            let bytes = usize::from(bytes & 0x7f);
            match length.get(..bytes) {
                Some(length) => Ok(Next::Last(number(length))),
                None => Ok(Next::Bytes((bytes - length.len()) as u64)),
            }
        }
        _ => Err(Fault("the length is indefinite, or has more than four bytes")),
    }
}

/// Returns the length of an element, with its tag and its length, once its first bytes are there.
pub(crate) fn total(head: &[u8]) -> Option<u64> {
    match *head {
        [_, length @ ..=0x7f, ..] => Some(2 + u64::from(length)),
        [_, bytes @ 0x81..=0x84, ref length @ ..] => {
            let length = length.get(..usize::from(bytes & 0x7f))?;
            Some(2 + length.len() as u64 + number(length))
        }
        _ => None,
    }
}

/// Takes the tag and the length of an element. The value follows, perhaps not all of it.
pub(crate) fn header(fields: &mut Cursor<'_>) -> Result<(u8, u64), Short> {
    let tag = fields.u8()?;
    let length = match fields.u8()? {
        length @ ..=0x7f => length.into(),
        bytes @ 0x81..=0x84 => number(fields.take((bytes & 0x7f).into())?),
        _ => return Err(Short),
    };
    Ok((tag, length))
}

/// Takes an element.
pub(crate) fn element<'a>(fields: &mut Cursor<'a>) -> Result<Element<'a>, Short> {
    let mut copy = *fields;
    let (tag, length) = header(&mut copy)?;
    let value = copy.take(usize::try_from(length).map_err(|_| Short)?)?;
    *fields = copy;
    Ok(Element { tag, value })
}

/// Takes an element with this tag. Returns its value.
pub(crate) fn expect<'a>(fields: &mut Cursor<'a>, tag: u8) -> Result<&'a [u8], Fault> {
    match element(fields)? {
        found if found.tag == tag => Ok(found.value),
        _ => Err(Fault("an element has another tag than its place demands")),
    }
}

/// Returns the value of a number that is not negative. Only its last eight bytes count.
pub(crate) fn number(value: &[u8]) -> u64 {
    value.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::{element, next, number, total};
    use crate::kit::{Cursor, Next};

    #[test]
    fn lengths_have_up_to_four_bytes() {
        assert_eq!(next(b"\x30\x05"), Ok(Next::Last(5)));
        assert_eq!(next(b"\x30\x82\x01"), Ok(Next::Bytes(1)));
        assert_eq!(next(b"\x30\x84\xff\xff\xff\xff"), Ok(Next::Last(u32::MAX.into())));
        assert!(next(b"\x30\x80").is_err() && next(b"\x30\x85").is_err());
        assert_eq!(total(b"\x30\x82\x01\x00"), Some(260));
        assert_eq!(total(b"\x30\x82\x01"), None);
    }

    #[test]
    fn elements_are_taken_whole_or_not_at_all() {
        let mut fields = Cursor::new(b"\x02\x01\x07\x04\x05ab");
        assert_eq!(number(element(&mut fields).unwrap().value), 7);
        assert!(element(&mut fields).is_err());
        assert_eq!(fields.rest(), b"\x04\x05ab");
    }
}
