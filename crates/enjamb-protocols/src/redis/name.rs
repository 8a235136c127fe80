//! Names of commands.
//!
//! A name in capitals is a message's kind. The names that make up most of the traffic of most
//! servers are constants, in both spellings that clients use. Any other name is copied and
//! converted to capitals.

use super::limits::NAME_MAX;

/// The name of the command in progress.
#[derive(Clone, Debug, Default)]
pub(super) struct Name {
    known: Option<&'static str>,
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
        self.known.unwrap_or(&self.other)
    }

    /// Returns the number of stored bytes.
    pub(super) fn held(&self) -> usize {
        self.other.len()
    }
}

/// Returns a frequent name, given in capitals or small letters.
#[inline]
fn known(text: &[u8]) -> Option<&'static str> {
    Some(match text {
        b"GET" | b"get" => "GET",
        b"SET" | b"set" => "SET",
        b"DEL" | b"del" => "DEL",
        b"EXISTS" | b"exists" => "EXISTS",
        b"EXPIRE" | b"expire" => "EXPIRE",
        b"PEXPIRE" | b"pexpire" => "PEXPIRE",
        b"TTL" | b"ttl" => "TTL",
        b"PTTL" | b"pttl" => "PTTL",
        b"INCR" | b"incr" => "INCR",
        b"INCRBY" | b"incrby" => "INCRBY",
        b"DECR" | b"decr" => "DECR",
        b"DECRBY" | b"decrby" => "DECRBY",
        b"APPEND" | b"append" => "APPEND",
        b"GETSET" | b"getset" => "GETSET",
        b"GETDEL" | b"getdel" => "GETDEL",
        b"GETEX" | b"getex" => "GETEX",
        b"MGET" | b"mget" => "MGET",
        b"MSET" | b"mset" => "MSET",
        b"SETEX" | b"setex" => "SETEX",
        b"PSETEX" | b"psetex" => "PSETEX",
        b"SETNX" | b"setnx" => "SETNX",
        b"STRLEN" | b"strlen" => "STRLEN",
        b"HGET" | b"hget" => "HGET",
        b"HSET" | b"hset" => "HSET",
        b"HDEL" | b"hdel" => "HDEL",
        b"HMGET" | b"hmget" => "HMGET",
        b"HMSET" | b"hmset" => "HMSET",
        b"HGETALL" | b"hgetall" => "HGETALL",
        b"HINCRBY" | b"hincrby" => "HINCRBY",
        b"HEXISTS" | b"hexists" => "HEXISTS",
        b"HLEN" | b"hlen" => "HLEN",
        b"HKEYS" | b"hkeys" => "HKEYS",
        b"HVALS" | b"hvals" => "HVALS",
        b"LPUSH" | b"lpush" => "LPUSH",
        b"RPUSH" | b"rpush" => "RPUSH",
        b"LPOP" | b"lpop" => "LPOP",
        b"RPOP" | b"rpop" => "RPOP",
        b"BLPOP" | b"blpop" => "BLPOP",
        b"BRPOP" | b"brpop" => "BRPOP",
        b"LRANGE" | b"lrange" => "LRANGE",
        b"LTRIM" | b"ltrim" => "LTRIM",
        b"LLEN" | b"llen" => "LLEN",
        b"SADD" | b"sadd" => "SADD",
        b"SREM" | b"srem" => "SREM",
        b"SMEMBERS" | b"smembers" => "SMEMBERS",
        b"SISMEMBER" | b"sismember" => "SISMEMBER",
        b"SCARD" | b"scard" => "SCARD",
        b"ZADD" | b"zadd" => "ZADD",
        b"ZREM" | b"zrem" => "ZREM",
        b"ZRANGE" | b"zrange" => "ZRANGE",
        b"ZSCORE" | b"zscore" => "ZSCORE",
        b"ZINCRBY" | b"zincrby" => "ZINCRBY",
        b"ZCARD" | b"zcard" => "ZCARD",
        b"ZRANGEBYSCORE" | b"zrangebyscore" => "ZRANGEBYSCORE",
        b"XADD" | b"xadd" => "XADD",
        b"XREAD" | b"xread" => "XREAD",
        b"XREADGROUP" | b"xreadgroup" => "XREADGROUP",
        b"XACK" | b"xack" => "XACK",
        b"PUBLISH" | b"publish" => "PUBLISH",
        b"PING" | b"ping" => "PING",
        b"ECHO" | b"echo" => "ECHO",
        b"SELECT" | b"select" => "SELECT",
        b"MULTI" | b"multi" => "MULTI",
        b"EXEC" | b"exec" => "EXEC",
        b"EVAL" | b"eval" => "EVAL",
        b"EVALSHA" | b"evalsha" => "EVALSHA",
        b"SCAN" | b"scan" => "SCAN",
        b"TYPE" | b"type" => "TYPE",
        b"INFO" | b"info" => "INFO",
        b"AUTH" | b"auth" => "AUTH",
        b"HELLO" | b"hello" => "HELLO",
        b"CLIENT" | b"client" => "CLIENT",
        b"COMMAND" | b"command" => "COMMAND",
        _ => return None,
    })
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
