//! Names of commands.
//!
//! A name in capitals is a message's kind. The names that make up most of the traffic of most
//! servers are constants, with the shape of their reply, and found by a hash of the name. Any other
//! name is copied and converted to capitals.

use enjamb::ConstantKind;

use super::glance;
use super::kinds::NAME;
use super::limits::NAME_MAX;
use super::shape::Shape;

/// A frequent name.
#[derive(Debug)]
pub(super) struct Known {
    folded: Folded,
    /// The protocol and the name.
    pub(super) constant: ConstantKind,
    /// The shape of the reply to a command that pairing need not look at: it gets one reply, and
    /// changes nothing about later ones.
    pub(super) plain: Option<Shape>,
}

/// The name of the command in progress.
#[derive(Clone, Debug, Default)]
pub(super) struct Name {
    known: Option<&'static Known>,
    /// The name in capitals, if it is not a known one. Empty if there is no name.
    other: String,
}

impl Name {
    /// Sets the name to `text`, if that is a name.
    #[inline]
    pub(super) fn set(&mut self, text: &[u8]) {
        self.known = known(text);
        if self.known.is_none() {
            self.copy(text);
        }
    }

    /// Sets the name to a frequent one.
    #[inline(always)]
    pub(super) fn set_known(&mut self, known: &'static Known) {
        self.known = Some(known);
    }

    fn copy(&mut self, text: &[u8]) {
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        self.other.clear();
        if text.len() <= NAME_MAX
            && text.iter().all(is_name)
            && let Ok(name) = std::str::from_utf8(text)
        {
            self.other.push_str(name);
            self.other.make_ascii_uppercase();
        }
    }

    #[inline]
    pub(super) fn clear(&mut self) {
        self.known = None;
        self.other.clear();
    }

    /// Returns the name in capitals; empty if there is none.
    #[inline]
    pub(super) fn as_str(&self) -> &str {
        match self.known {
            Some(known) => known.constant.kind,
            None => &self.other,
        }
    }

    /// Returns the shape of the reply, if the command is known to be a plain one.
    #[inline]
    pub(super) fn plain(&self) -> Option<Shape> {
        self.known?.plain
    }

    /// Returns the number of stored bytes.
    pub(super) fn held(&self) -> usize {
        self.other.len()
    }
}

/// The frequent names.
static KNOWN: [Known; 73] = [
    Known::new("GET", Some(Shape::STRING_OR_NULL)),
    Known::new("SET", Some(Shape::SIMPLE.or(Shape::STRING_OR_NULL))),
    Known::new("DEL", Some(Shape::INTEGER)),
    Known::new("EXISTS", Some(Shape::INTEGER)),
    Known::new("EXPIRE", Some(Shape::INTEGER)),
    Known::new("PEXPIRE", Some(Shape::INTEGER)),
    Known::new("TTL", Some(Shape::INTEGER)),
    Known::new("PTTL", Some(Shape::INTEGER)),
    Known::new("INCR", Some(Shape::INTEGER)),
    Known::new("INCRBY", Some(Shape::INTEGER)),
    Known::new("DECR", Some(Shape::INTEGER)),
    Known::new("DECRBY", Some(Shape::INTEGER)),
    Known::new("APPEND", Some(Shape::INTEGER)),
    Known::new("GETSET", Some(Shape::STRING_OR_NULL)),
    Known::new("GETDEL", Some(Shape::STRING_OR_NULL)),
    Known::new("GETEX", Some(Shape::STRING_OR_NULL)),
    Known::new("MGET", Some(Shape::AGGREGATE_OR_NULL)),
    Known::new("MSET", Some(Shape::SIMPLE)),
    Known::new("SETEX", Some(Shape::SIMPLE)),
    Known::new("PSETEX", Some(Shape::SIMPLE)),
    Known::new("SETNX", Some(Shape::INTEGER)),
    Known::new("STRLEN", Some(Shape::INTEGER)),
    Known::new("HGET", Some(Shape::STRING_OR_NULL)),
    Known::new("HSET", Some(Shape::INTEGER)),
    Known::new("HDEL", Some(Shape::INTEGER)),
    Known::new("HMGET", Some(Shape::AGGREGATE_OR_NULL)),
    Known::new("HMSET", Some(Shape::SIMPLE)),
    Known::new("HGETALL", Some(Shape::AGGREGATE_OR_NULL)),
    Known::new("HINCRBY", Some(Shape::INTEGER)),
    Known::new("HEXISTS", Some(Shape::INTEGER)),
    Known::new("HLEN", Some(Shape::INTEGER)),
    Known::new("HKEYS", Some(Shape::AGGREGATE_OR_NULL)),
    Known::new("HVALS", Some(Shape::AGGREGATE_OR_NULL)),
    Known::new("LPUSH", Some(Shape::INTEGER)),
    Known::new("RPUSH", Some(Shape::INTEGER)),
    Known::new("LPOP", Some(Shape::STRING_OR_NULL.or(Shape::AGGREGATE))),
    Known::new("RPOP", Some(Shape::STRING_OR_NULL.or(Shape::AGGREGATE))),
    Known::new("BLPOP", Some(Shape::BLOCKING_POP)),
    Known::new("BRPOP", Some(Shape::BLOCKING_POP)),
    Known::new("LRANGE", Some(Shape::AGGREGATE_OR_NULL)),
    Known::new("LTRIM", Some(Shape::SIMPLE)),
    Known::new("LLEN", Some(Shape::INTEGER)),
    Known::new("SADD", Some(Shape::INTEGER)),
    Known::new("SREM", Some(Shape::INTEGER)),
    Known::new("SMEMBERS", Some(Shape::AGGREGATE_OR_NULL)),
    Known::new("SISMEMBER", Some(Shape::INTEGER)),
    Known::new("SCARD", Some(Shape::INTEGER)),
    Known::new("ZADD", Some(Shape::INTEGER.or(Shape::STRING_OR_NULL))),
    Known::new("ZREM", Some(Shape::INTEGER)),
    Known::new("ZRANGE", Some(Shape::AGGREGATE_OR_NULL)),
    Known::new("ZSCORE", Some(Shape::STRING_OR_NULL)),
    Known::new("ZINCRBY", Some(Shape::STRING)),
    Known::new("ZCARD", Some(Shape::INTEGER)),
    Known::new("ZRANGEBYSCORE", Some(Shape::AGGREGATE_OR_NULL)),
    Known::new("XADD", Some(Shape::STRING_OR_NULL)),
    Known::new("XREAD", Some(Shape::BLOCKING_POP)),
    Known::new("XREADGROUP", Some(Shape::BLOCKING_POP)),
    Known::new("XACK", Some(Shape::INTEGER)),
    Known::new("PUBLISH", Some(Shape::INTEGER)),
    Known::new("PING", Some(Shape::SIMPLE.or(Shape::STRING).or(Shape::AGGREGATE))),
    Known::new("ECHO", Some(Shape::STRING)),
    Known::new("SELECT", Some(Shape::SIMPLE)),
    Known::new("MULTI", None),
    Known::new("EXEC", None),
    Known::new("EVAL", Some(Shape::ANY)),
    Known::new("EVALSHA", Some(Shape::ANY)),
    Known::new("SCAN", Some(Shape::AGGREGATE_OR_NULL)),
    Known::new("TYPE", Some(Shape::SIMPLE)),
    Known::new("INFO", Some(Shape::STRING)),
    Known::new("AUTH", Some(Shape::SIMPLE)),
    Known::new("HELLO", None),
    Known::new("CLIENT", None),
    Known::new("COMMAND", Some(Shape::ANY)),
];

/// The number of places in the table of the frequent names: a power of two.
const PLACES: usize = 256;

/// The index of a frequent name for each hash, plus 1. A name whose place is taken is at the next
/// free one. 0: free.
static PLACES_BY_HASH: [u8; PLACES] = {
    let mut places = [0; PLACES];
    let mut index = 0;
    while index < KNOWN.len() {
        let mut place = hash(KNOWN[index].folded);
        while places[place] != 0 {
            place = (place + 1) % PLACES;
        }
        places[place] = index as u8 + 1;
        index += 1;
    }
    places
};

/// A text of up to 16 bytes as two numbers. Letters are capitals.
type Folded = [u64; 2];

const fn hash(folded: Folded) -> usize {
    // The upper bits of a product depend on all bits of its factors (Fibonacci hashing).
    let mixed = folded[0] ^ folded[1].rotate_left(29);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PLACES.trailing_zeros())) as usize
}

/// Returns the frequent name of `length` bytes at `at`, in any case.
#[inline(always)]
pub(super) fn known_at(chunk: &[u8], at: usize, length: usize) -> Option<&'static Known> {
    /// The difference between a small letter and a capital. Names consist of letters, so a byte
    /// that is equal to one of them without it is that letter.
    const CAPITALS: u64 = 0xdfdf_dfdf_dfdf_dfdf;
    let part = |at, length: usize| glance::word(chunk, at) & CAPITALS & (u64::MAX >> (64 - 8 * length));
    let folded = match length {
        1..=8 => [part(at, length), 0],
        9..=16 => [part(at, 8), part(at + 8, length - 8)],
        _ => return None,
    };
    let mut place = hash(folded);
    loop {
        let known = KNOWN.get(usize::from(PLACES_BY_HASH[place]).checked_sub(1)?)?;
        if known.folded[0] == folded[0] && known.folded[1] == folded[1] && known.constant.kind.len() == length {
            return Some(known);
        }
        place = (place + 1) % PLACES;
    }
}

/// Returns a frequent name, given in any case.
#[inline]
fn known(text: &[u8]) -> Option<&'static Known> {
    known_at(text, 0, text.len())
}

impl Known {
    const fn new(name: &'static str, plain: Option<Shape>) -> Self {
        let mut folded = [0; 2];
        let mut at = name.len();
        while at > 0 {
            at -= 1;
            folded[at / 8] = folded[at / 8] << 8 | name.as_bytes()[at] as u64;
        }
        Self { folded, constant: ConstantKind { protocol: NAME, kind: name }, plain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_and_other_names_are_in_capitals() {
        let mut name = Name::default();
        let long = "x".repeat(NAME_MAX);
        let cases = ["GET", "get", "gEt", "hgetall", "json.set", "FT.SEARCH", "x-y_z", &long];
        for text in cases {
            name.set(text.as_bytes());
            assert_eq!(name.as_str(), text.to_ascii_uppercase());
        }
        for name in KNOWN.iter().map(|known| known.constant.kind) {
            for length in 0..=name.len() {
                let text = [name[..length].to_ascii_lowercase(), name[length..].to_owned()].concat();
                assert_eq!(known(text.as_bytes()).map(|known| known.constant.kind), Some(name));
                for other in [format!("{text}X"), format!("{text} "), format!("{text}\0"), text[..length].to_owned()] {
                    let found = known(other.as_bytes()).map(|known| known.constant.kind);
                    assert!(found.is_none_or(|found| other.eq_ignore_ascii_case(found)), "{other:?} is {found:?}");
                }
            }
        }
        for text in ["", "no name", "sét", "get\0", &"x".repeat(NAME_MAX + 1)] {
            name.set(b"other");
            name.set(text.as_bytes());
            assert_eq!(name.as_str(), "", "{text:?}");
        }
        name.set(b"GET");
        name.clear();
        assert_eq!(name.as_str(), "");
    }
}
