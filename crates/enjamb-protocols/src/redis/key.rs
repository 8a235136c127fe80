//! The place of the first key of a command, by the command table of Redis 7 (`COMMAND DOCS`).
//!
//! A command that is not in the table has no key here: a module may place its keys anywhere.

use std::borrow::Cow;

/// The place of the first key among the arguments.
#[derive(Clone, Copy)]
enum Place {
    /// It is the argument with this number.
    At(u64),
    /// This argument is the number of keys, and the first key follows.
    Behind(u64),
    /// It follows the word `STREAMS`.
    Streams,
}

/// Returns the number of the argument that is the first key of the command `name`, given in
/// capitals. `argument` returns an argument, if all of it is known.
pub(super) fn first_key<'a>(name: &str, argument: impl Fn(u64) -> Option<Cow<'a, [u8]>>) -> Option<u64> {
    let word = |number: u64| argument(number).map(|word| word.to_ascii_uppercase());
    let place = match name {
        // The subcommand decides.
        "OBJECT" | "MEMORY" | "DEBUG" | "XGROUP" | "XINFO" => match (name, word(1)?.as_slice()) {
            ("OBJECT", b"ENCODING" | b"FREQ" | b"IDLETIME" | b"REFCOUNT")
            | ("MEMORY", b"USAGE")
            | ("DEBUG", b"OBJECT")
            | ("XGROUP", b"CREATE" | b"CREATECONSUMER" | b"DELCONSUMER" | b"DESTROY" | b"SETID")
            | ("XINFO", b"STREAM" | b"GROUPS" | b"CONSUMERS") => Place::At(2),
            _ => return None,
        },
        // With an empty key, the keys follow the word KEYS.
        "MIGRATE" => match argument(3)?.as_ref() {
            b"" => return (6..64).find(|&at| word(at).is_some_and(|word| word == b"KEYS")).map(|at| at + 1),
            _ => Place::At(3),
        },
        _ => place(name)?,
    };
    match place {
        Place::At(number) => Some(number),
        Place::Behind(count) => {
            let keys = argument(count)?;
            let keys: u64 = std::str::from_utf8(&keys).ok()?.parse().ok()?;
            (keys > 0).then_some(count + 1)
        }
        // The options before it are at most COUNT, BLOCK, GROUP, NOACK with their values.
        Place::Streams => (1..12).find(|&at| word(at).is_some_and(|word| word == b"STREAMS")).map(|at| at + 1),
    }
}

fn place(name: &str) -> Option<Place> {
    Some(match name {
        "APPEND"
        | "BITCOUNT"
        | "BITFIELD"
        | "BITFIELD_RO"
        | "BITPOS"
        | "BLMOVE"
        | "BLPOP"
        | "BRPOP"
        | "BRPOPLPUSH"
        | "BZPOPMAX"
        | "BZPOPMIN"
        | "COPY"
        | "DECR"
        | "DECRBY"
        | "DEL"
        | "DUMP"
        | "EXISTS"
        | "EXPIRE"
        | "EXPIREAT"
        | "EXPIRETIME"
        | "GEOADD"
        | "GEODIST"
        | "GEOHASH"
        | "GEOPOS"
        | "GEORADIUS"
        | "GEORADIUSBYMEMBER"
        | "GEORADIUSBYMEMBER_RO"
        | "GEORADIUS_RO"
        | "GEOSEARCH"
        | "GEOSEARCHSTORE"
        | "GET"
        | "GETBIT"
        | "GETDEL"
        | "GETEX"
        | "GETRANGE"
        | "GETSET"
        | "HDEL"
        | "HEXISTS"
        | "HGET"
        | "HGETALL"
        | "HINCRBY"
        | "HINCRBYFLOAT"
        | "HKEYS"
        | "HLEN"
        | "HMGET"
        | "HMSET"
        | "HRANDFIELD"
        | "HSCAN"
        | "HSET"
        | "HSETNX"
        | "HSTRLEN"
        | "HVALS"
        | "INCR"
        | "INCRBY"
        | "INCRBYFLOAT"
        | "LCS"
        | "LINDEX"
        | "LINSERT"
        | "LLEN"
        | "LMOVE"
        | "LPOP"
        | "LPOS"
        | "LPUSH"
        | "LPUSHX"
        | "LRANGE"
        | "LREM"
        | "LSET"
        | "LTRIM"
        | "MGET"
        | "MOVE"
        | "MSET"
        | "MSETNX"
        | "PERSIST"
        | "PEXPIRE"
        | "PEXPIREAT"
        | "PEXPIRETIME"
        | "PFADD"
        | "PFCOUNT"
        | "PFMERGE"
        | "PSETEX"
        | "PTTL"
        | "RENAME"
        | "RENAMENX"
        | "RESTORE"
        | "RPOP"
        | "RPOPLPUSH"
        | "RPUSH"
        | "RPUSHX"
        | "SADD"
        | "SCARD"
        | "SDIFF"
        | "SDIFFSTORE"
        | "SET"
        | "SETBIT"
        | "SETEX"
        | "SETNX"
        | "SETRANGE"
        | "SINTER"
        | "SINTERSTORE"
        | "SISMEMBER"
        | "SMEMBERS"
        | "SMISMEMBER"
        | "SMOVE"
        | "SORT"
        | "SORT_RO"
        | "SPOP"
        | "SRANDMEMBER"
        | "SREM"
        | "SSCAN"
        | "STRLEN"
        | "SUBSTR"
        | "SUNION"
        | "SUNIONSTORE"
        | "TOUCH"
        | "TTL"
        | "TYPE"
        | "UNLINK"
        | "WATCH"
        | "XACK"
        | "XADD"
        | "XAUTOCLAIM"
        | "XCLAIM"
        | "XDEL"
        | "XLEN"
        | "XPENDING"
        | "XRANGE"
        | "XREVRANGE"
        | "XSETID"
        | "XTRIM"
        | "ZADD"
        | "ZCARD"
        | "ZCOUNT"
        | "ZDIFFSTORE"
        | "ZINCRBY"
        | "ZINTERSTORE"
        | "ZLEXCOUNT"
        | "ZMSCORE"
        | "ZPOPMAX"
        | "ZPOPMIN"
        | "ZRANDMEMBER"
        | "ZRANGE"
        | "ZRANGEBYLEX"
        | "ZRANGEBYSCORE"
        | "ZRANGESTORE"
        | "ZRANK"
        | "ZREM"
        | "ZREMRANGEBYLEX"
        | "ZREMRANGEBYRANK"
        | "ZREMRANGEBYSCORE"
        | "ZREVRANGE"
        | "ZREVRANGEBYLEX"
        | "ZREVRANGEBYSCORE"
        | "ZREVRANK"
        | "ZSCAN"
        | "ZSCORE"
        | "ZUNIONSTORE" => Place::At(1),
        "BITOP" => Place::At(2),
        "LMPOP" | "SINTERCARD" | "ZDIFF" | "ZINTER" | "ZINTERCARD" | "ZMPOP" | "ZUNION" => Place::Behind(1),
        "BLMPOP" | "BZMPOP" | "EVAL" | "EVALSHA" | "EVALSHA_RO" | "EVAL_RO" | "FCALL" | "FCALL_RO" => Place::Behind(2),
        "XREAD" | "XREADGROUP" => Place::Streams,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_is_where_the_command_has_it() {
        for (line, key) in [
            ("GET k", Some("k")),
            ("PING k", None),
            ("AUTH k", None),
            ("PUBLISH c m", None),
            ("MODULE.COMMAND k", None),
            ("BITOP AND d k", Some("d")),
            ("OBJECT encoding k", Some("k")),
            ("OBJECT HELP", None),
            ("MEMORY STATS", None),
            ("XGROUP CREATE k g $", Some("k")),
            ("EVAL script 1 k a", Some("k")),
            ("EVAL script 0 a", None),
            ("EVAL script x a", None),
            ("ZUNION 2 k l", Some("k")),
            ("BLMPOP 5 2 k l LEFT", Some("k")),
            ("XREAD COUNT 2 BLOCK 5 streams k 0", Some("k")),
            ("XREADGROUP GROUP g c COUNT 1 BLOCK 2 NOACK STREAMS k >", Some("k")),
            ("XREAD COUNT 2", None),
            ("MIGRATE h 6379 k 0 5", Some("k")),
            ("GET", None),
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            let word = |at: u64| words.get(at as usize).map(|word| Cow::Borrowed(word.as_bytes()));
            let found = first_key(words[0], word).and_then(|at| words.get(at as usize)).copied();
            assert_eq!(found, key, "{line}");
        }
        let words = ["MIGRATE", "h", "1", "", "0", "5", "COPY", "keys", "k", "l"];
        assert_eq!(
            first_key("MIGRATE", |at| words.get(at as usize).map(|word| Cow::Borrowed(word.as_bytes()))),
            Some(8)
        );
    }
}
