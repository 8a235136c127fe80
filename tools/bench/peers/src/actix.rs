//! A line server over actix-codec, as its documentation shows a `Framed`.

use std::net::{Ipv4Addr, SocketAddr};

use actix_codec::{Framed, LinesCodec};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpListener;
use tokio::task::LocalSet;

use crate::Result;

/// Answers each line with `+LINE`, on one thread, until the process is killed.
pub(crate) fn echo(port: u16) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(async move {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::task::spawn_local(async move {
                let mut lines = Framed::new(stream, LinesCodec::default());
                while let Some(Ok(line)) = lines.next().await {
                    if lines.send(format!("+{line}\r")).await.is_err() {
                        return;
                    }
                }
            });
        }
    }))
}
