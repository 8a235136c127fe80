//! The messages in generated captures.

use std::io::Write as _;

use crate::random::Random;

/// Messages between a client and a server.
pub(crate) trait Traffic {
    /// Returns the server's port.
    fn port(&self) -> u16;

    /// Appends requests to the first side and their responses to the second. Returns the number of
    /// messages of both.
    fn exchange(&mut self, random: &mut Random, sides: &mut [Vec<u8>; 2]) -> u64;
}

/// HTTP/1.1 over keep-alive connections: a request with a browser's head, and a response with a
/// body of up to 12 KB. One response in twenty is a 404.
pub(crate) struct Http;

/// Pipelined Redis commands and their replies.
pub(crate) struct Redis;

/// Appends formatted text to a `Vec<u8>`. Writing to memory does not fail.
macro_rules! append {
    ($to:expr, $($format:tt)*) => { let _ = write!($to, $($format)*); };
}

impl Traffic for Http {
    fn port(&self) -> u16 {
        80
    }

    fn exchange(&mut self, random: &mut Random, [requests, responses]: &mut [Vec<u8>; 2]) -> u64 {
        let item = random.below(100_000);
        append!(
            requests,
            "GET /catalogue/items/{item}?page={}&sort=price HTTP/1.1\r\nHost: shop.example.com\r\n\
             User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
             Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
             Accept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n\
             Cookie: session={:016x}; seen={item}\r\nConnection: keep-alive\r\n\r\n",
            random.below(9),
            random.below(1 << 31)
        );
        let found = random.below(20) > 0;
        let length = if found { 500 + random.below(11_500) } else { 160 };
        append!(
            responses,
            "HTTP/1.1 {}\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\nServer: example\r\n\
             Content-Type: text/html; charset=utf-8\r\nCache-Control: max-age=60\r\nVary: Accept-Encoding\r\n\
             Content-Length: {length}\r\n\r\n",
            if found { "200 OK" } else { "404 Not Found" }
        );
        text(random, length, responses);
        2
    }
}

impl Traffic for Redis {
    fn port(&self) -> u16 {
        6379
    }

    fn exchange(&mut self, random: &mut Random, [requests, responses]: &mut [Vec<u8>; 2]) -> u64 {
        let count = 1 + random.below(31);
        for _ in 0..count {
            let key = format!("user:{:07}", random.below(1_000_000));
            let length = 8 + random.below(400);
            match random.below(20) {
                0..=8 => {
                    command(requests, &["GET", &key]);
                    append!(responses, "${length}\r\n");
                    text(random, length, responses);
                    append!(responses, "\r\n");
                }
                9..=13 => {
                    let mut value = Vec::new();
                    text(random, length, &mut value);
                    command(requests, &["SET", &key, &String::from_utf8_lossy(&value)]);
                    append!(responses, "+OK\r\n");
                }
                14..=16 => {
                    command(requests, &["INCR", &key]);
                    append!(responses, ":{}\r\n", random.below(100_000));
                }
                17 | 18 => {
                    command(requests, &["MGET", &key, "user:1", "user:2", "user:3"]);
                    append!(responses, "*4\r\n$-1\r\n$5\r\nvalue\r\n$-1\r\n$4\r\nmore\r\n");
                }
                _ => {
                    command(requests, &["HSET", &key, "field", "1"]);
                    append!(responses, "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
                }
            }
        }
        2 * count as u64
    }
}

/// Appends a command as an array of bulk strings.
fn command(to: &mut Vec<u8>, arguments: &[&str]) {
    append!(to, "*{}\r\n", arguments.len());
    for argument in arguments {
        append!(to, "${}\r\n{argument}\r\n", argument.len());
    }
}

/// Appends `length` letters and spaces, from a random place in a repeated text.
fn text(random: &mut Random, length: usize, to: &mut Vec<u8>) {
    const WORDS: &[u8] = b"the quick brown fox jumps over the lazy dog and then some more of it comes along ";
    let from = random.below(WORDS.len());
    to.extend(WORDS.iter().cycle().skip(from).take(length));
}
