//! The built-in sessions under every law, fed with the bytes that a client sends, and under the
//! interleaved law with the answers. Both sides together are under the split law over all of
//! `corpora/`.

use enjamb_law::{Sessions, laws};
use enjamb_protocols::{http1, redis};

laws! {
    mod redis_commands {
        subject: Sessions(redis::session),
        messages: [
            "*1\r\n$4\r\nPING\r\n",
            "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\n",
            "*2\r\n$3\r\nGET\r\n$0\r\n\r\n",
            "PING\r\n",
        ],
        answers: ["+PONG\r\n", "+OK\r\n", "$-1\r\n", "-ERR no\r\n"],
        tokens: ["*", "$", "$-1\r\n", "+", ":"],
        limit: 1 << 20,
    }
}

laws! {
    mod http1_requests {
        subject: Sessions(http1::session),
        messages: [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n",
            "HEAD * HTTP/1.0\r\n\r\n",
        ],
        answers: [
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
            "HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n",
        ],
        tokens: ["\r\n\r\n", "Content-Length: ", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n", "HTTP/1.1"],
        limit: 1 << 20,
    }
}
