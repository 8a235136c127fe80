//! The servers inside this program. Each serves on one thread.

mod answers;
mod by_hand;
mod enjamb;
mod framed;
mod resp;
mod tuned;

use anyhow::bail;
use tokio::net::TcpListener;

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
