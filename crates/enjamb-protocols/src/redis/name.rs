//! Names of commands.
//!
//! A name in capitals is a message's kind. The names that make up most of the traffic of most
//! servers are constants, in both spellings that clients use, with the shape of their reply. Any
//! other name is copied and converted to capitals.

use super::limits::NAME_MAX;
use super::shape::Shape;

/// A frequent name.
#[derive(Clone, Copy, Debug)]
struct Known {
    name: &'static str,
    /// The shape of the reply to a command that pairing need not look at: it gets one reply, and
    /// changes nothing about later ones.
    plain: Option<Shape>,
}

/// The name of the command in progress.
#[derive(Clone, Debug, Default)]
pub(super) struct Name {
    known: Option<Known>,
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
            Some(known) => known.name,
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

/// Returns a frequent name, given in capitals or small letters.
#[inline]
fn known(text: &[u8]) -> Option<Known> {
    let (name, plain) = match text {
        b"GET" | b"get" => ("GET", Some(Shape::STRING_OR_NULL)),
        b"SET" | b"set" => ("SET", Some(Shape::SIMPLE.or(Shape::STRING_OR_NULL))),
        b"DEL" | b"del" => ("DEL", Some(Shape::INTEGER)),
        b"EXISTS" | b"exists" => ("EXISTS", Some(Shape::INTEGER)),
        b"EXPIRE" | b"expire" => ("EXPIRE", Some(Shape::INTEGER)),
        b"PEXPIRE" | b"pexpire" => ("PEXPIRE", Some(Shape::INTEGER)),
        b"TTL" | b"ttl" => ("TTL", Some(Shape::INTEGER)),
        b"PTTL" | b"pttl" => ("PTTL", Some(Shape::INTEGER)),
        b"INCR" | b"incr" => ("INCR", Some(Shape::INTEGER)),
        b"INCRBY" | b"incrby" => ("INCRBY", Some(Shape::INTEGER)),
        b"DECR" | b"decr" => ("DECR", Some(Shape::INTEGER)),
        b"DECRBY" | b"decrby" => ("DECRBY", Some(Shape::INTEGER)),
        b"APPEND" | b"append" => ("APPEND", Some(Shape::INTEGER)),
        b"GETSET" | b"getset" => ("GETSET", Some(Shape::STRING_OR_NULL)),
        b"GETDEL" | b"getdel" => ("GETDEL", Some(Shape::STRING_OR_NULL)),
        b"GETEX" | b"getex" => ("GETEX", Some(Shape::STRING_OR_NULL)),
        b"MGET" | b"mget" => ("MGET", Some(Shape::AGGREGATE_OR_NULL)),
        b"MSET" | b"mset" => ("MSET", Some(Shape::SIMPLE)),
        b"SETEX" | b"setex" => ("SETEX", Some(Shape::SIMPLE)),
        b"PSETEX" | b"psetex" => ("PSETEX", Some(Shape::SIMPLE)),
        b"SETNX" | b"setnx" => ("SETNX", Some(Shape::INTEGER)),
        b"STRLEN" | b"strlen" => ("STRLEN", Some(Shape::INTEGER)),
        b"HGET" | b"hget" => ("HGET", Some(Shape::STRING_OR_NULL)),
        b"HSET" | b"hset" => ("HSET", Some(Shape::INTEGER)),
        b"HDEL" | b"hdel" => ("HDEL", Some(Shape::INTEGER)),
        b"HMGET" | b"hmget" => ("HMGET", Some(Shape::AGGREGATE_OR_NULL)),
        b"HMSET" | b"hmset" => ("HMSET", Some(Shape::SIMPLE)),
        b"HGETALL" | b"hgetall" => ("HGETALL", Some(Shape::AGGREGATE_OR_NULL)),
        b"HINCRBY" | b"hincrby" => ("HINCRBY", Some(Shape::INTEGER)),
        b"HEXISTS" | b"hexists" => ("HEXISTS", Some(Shape::INTEGER)),
        b"HLEN" | b"hlen" => ("HLEN", Some(Shape::INTEGER)),
        b"HKEYS" | b"hkeys" => ("HKEYS", Some(Shape::AGGREGATE_OR_NULL)),
        b"HVALS" | b"hvals" => ("HVALS", Some(Shape::AGGREGATE_OR_NULL)),
        b"LPUSH" | b"lpush" => ("LPUSH", Some(Shape::INTEGER)),
        b"RPUSH" | b"rpush" => ("RPUSH", Some(Shape::INTEGER)),
        b"LPOP" | b"lpop" => ("LPOP", Some(Shape::STRING_OR_NULL.or(Shape::AGGREGATE))),
        b"RPOP" | b"rpop" => ("RPOP", Some(Shape::STRING_OR_NULL.or(Shape::AGGREGATE))),
        b"BLPOP" | b"blpop" => ("BLPOP", Some(Shape::BLOCKING_POP)),
        b"BRPOP" | b"brpop" => ("BRPOP", Some(Shape::BLOCKING_POP)),
        b"LRANGE" | b"lrange" => ("LRANGE", Some(Shape::AGGREGATE_OR_NULL)),
        b"LTRIM" | b"ltrim" => ("LTRIM", Some(Shape::SIMPLE)),
        b"LLEN" | b"llen" => ("LLEN", Some(Shape::INTEGER)),
        b"SADD" | b"sadd" => ("SADD", Some(Shape::INTEGER)),
        b"SREM" | b"srem" => ("SREM", Some(Shape::INTEGER)),
        b"SMEMBERS" | b"smembers" => ("SMEMBERS", Some(Shape::AGGREGATE_OR_NULL)),
        b"SISMEMBER" | b"sismember" => ("SISMEMBER", Some(Shape::INTEGER)),
        b"SCARD" | b"scard" => ("SCARD", Some(Shape::INTEGER)),
        b"ZADD" | b"zadd" => ("ZADD", Some(Shape::INTEGER.or(Shape::STRING_OR_NULL))),
        b"ZREM" | b"zrem" => ("ZREM", Some(Shape::INTEGER)),
        b"ZRANGE" | b"zrange" => ("ZRANGE", Some(Shape::AGGREGATE_OR_NULL)),
        b"ZSCORE" | b"zscore" => ("ZSCORE", Some(Shape::STRING_OR_NULL)),
        b"ZINCRBY" | b"zincrby" => ("ZINCRBY", Some(Shape::STRING)),
        b"ZCARD" | b"zcard" => ("ZCARD", Some(Shape::INTEGER)),
        b"ZRANGEBYSCORE" | b"zrangebyscore" => ("ZRANGEBYSCORE", Some(Shape::AGGREGATE_OR_NULL)),
        b"XADD" | b"xadd" => ("XADD", Some(Shape::STRING_OR_NULL)),
        b"XREAD" | b"xread" => ("XREAD", Some(Shape::BLOCKING_POP)),
        b"XREADGROUP" | b"xreadgroup" => ("XREADGROUP", Some(Shape::BLOCKING_POP)),
        b"XACK" | b"xack" => ("XACK", Some(Shape::INTEGER)),
        b"PUBLISH" | b"publish" => ("PUBLISH", Some(Shape::INTEGER)),
        b"PING" | b"ping" => ("PING", Some(Shape::SIMPLE.or(Shape::STRING).or(Shape::AGGREGATE))),
        b"ECHO" | b"echo" => ("ECHO", Some(Shape::STRING)),
        b"SELECT" | b"select" => ("SELECT", Some(Shape::SIMPLE)),
        b"MULTI" | b"multi" => ("MULTI", None),
        b"EXEC" | b"exec" => ("EXEC", None),
        b"EVAL" | b"eval" => ("EVAL", Some(Shape::ANY)),
        b"EVALSHA" | b"evalsha" => ("EVALSHA", Some(Shape::ANY)),
        b"SCAN" | b"scan" => ("SCAN", Some(Shape::AGGREGATE_OR_NULL)),
        b"TYPE" | b"type" => ("TYPE", Some(Shape::SIMPLE)),
        b"INFO" | b"info" => ("INFO", Some(Shape::STRING)),
        b"AUTH" | b"auth" => ("AUTH", Some(Shape::SIMPLE)),
        b"HELLO" | b"hello" => ("HELLO", None),
        b"CLIENT" | b"client" => ("CLIENT", None),
        b"COMMAND" | b"command" => ("COMMAND", Some(Shape::ANY)),
        _ => return None,
    };
    Some(Known { name, plain })
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
