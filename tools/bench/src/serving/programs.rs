//! The servers inside this program. Each serves on one thread.

mod by_hand;
mod enjamb;
mod framed;
mod resp;
mod tuned;

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Write as _;

use anyhow::bail;
use bytes::Bytes;
use tokio::net::TcpListener;

/// The body of every response of HTTP.
const BODY_LENGTH: usize = 1024;

thread_local! {
    /// The values of the small Redis.
    static STORE: RefCell<HashMap<Bytes, Bytes>> = RefCell::default();
}

/// Runs a server until the process is killed.
pub(crate) fn run(name: &str, port: &str, arguments: &[String]) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Each connection is an open file.
    rlimit::increase_nofile_limit(65_536)?;
    let address = format!("127.0.0.1:{port}");
    runtime.block_on(tokio::task::LocalSet::new().run_until(async move {
        let listener: TcpListener = ::enjamb_net::listen(&address).await?;
        match name {
            "enjamb-echo" => enjamb::echo(listener).await,
            "enjamb-redis" => enjamb::redis(listener).await,
            "enjamb-http" => enjamb::http(listener).await,
            "hand-echo" => by_hand::serve(listener, by_hand::echo).await,
            "hand-redis" => by_hand::serve(listener, by_hand::redis).await,
            "hand-http" => by_hand::serve(listener, by_hand::http).await,
            "framed-echo" => framed::echo(listener).await,
            "framed-send-echo" => framed::send_echo(listener).await,
            "framed-redis" => framed::redis(listener).await,
            "framed-http" => framed::http(listener).await,
            "tuned" => tuned::serve(listener, arguments).await,
            name => bail!("no server is called {name}"),
        }
        Ok(())
    }))
}

/// The response of HTTP.
fn response() -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {BODY_LENGTH}\r\n\r\n");
    [head.as_bytes(), &[b'x'; BODY_LENGTH]].concat()
}

/// Runs a command of the small Redis.
fn execute<A: AsRef<[u8]>>(command: &[A], reply: &mut Vec<u8>) {
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
