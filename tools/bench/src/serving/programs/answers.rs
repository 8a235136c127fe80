//! The answers of all servers.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Write as _;

use bytes::Bytes;

/// The body of every response of HTTP.
const BODY_LENGTH: usize = 1024;

thread_local! {
    /// The values of the small Redis.
    static STORE: RefCell<HashMap<Bytes, Bytes>> = RefCell::default();
}

/// The response of HTTP.
pub(crate) fn response() -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {BODY_LENGTH}\r\n\r\n");
    [head.as_bytes(), &[b'x'; BODY_LENGTH]].concat()
}

/// Runs a command of the small Redis.
pub(crate) fn execute<A: AsRef<[u8]>>(command: &[A], reply: &mut Vec<u8>) {
    let argument = |index: usize| command.get(index).map(AsRef::as_ref).unwrap_or_default();
    let name = argument(0);
    if name.eq_ignore_ascii_case(b"GET") && command.len() == 2 {
        STORE.with_borrow(|store| match store.get(argument(1)) {
            Some(value) => {
                let _ = write!(reply, "${}\r\n", value.len());
                reply.extend_from_slice(value);
                reply.extend_from_slice(b"\r\n");
            }
            None => reply.extend_from_slice(b"$-1\r\n"),
        });
    } else if name.eq_ignore_ascii_case(b"SET") && command.len() == 3 {
        let (key, value) = (Bytes::copy_from_slice(argument(1)), Bytes::copy_from_slice(argument(2)));
        STORE.with_borrow_mut(|store| store.insert(key, value));
        reply.extend_from_slice(b"+OK\r\n");
    } else if name.eq_ignore_ascii_case(b"CONFIG") {
        reply.extend_from_slice(b"*0\r\n");
    } else {
        reply.extend_from_slice(b"-ERR unknown command\r\n");
    }
}
