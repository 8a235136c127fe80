//! The line server of `echo`, with TLS.
//!
//! ```sh
//! cargo run --release --example tls -- 127.0.0.1:7443 certificate.pem
//! printf 'one\ntwo\n' | openssl s_client -quiet -CAfile certificate.pem -connect 127.0.0.1:7443
//! ```
//!
//! It makes a certificate for `localhost` and writes it to the file.

use std::sync::Arc;

use anyhow::Context as _;
use enjamb::{FrameHandler, FrameInfo, Framer, Step, Terminator};
use enjamb_net::{Handle, Server, answer, listen};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

struct Lines;

impl FrameHandler for Lines {
    type Event = Vec<u8>;
    type Error = std::convert::Infallible;

    fn start(&self) -> Terminator {
        Terminator::lf()
    }
    fn frame(&mut self, line: &[u8], _: FrameInfo) -> Result<Step<Vec<u8>>, Self::Error> {
        Ok(Step::event([line, b"\n"].concat()))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:7443".to_owned());
    let file = arguments.next().unwrap_or_else(|| "certificate.pem".to_owned());

    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names)?;
    std::fs::write(&file, made.cert.pem()).with_context(|| format!("cannot write {file}"))?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![made.cert.der().clone()], key.into())?;
    let acceptor = TlsAcceptor::from(Arc::new(config));

    let listener = listen(&address).await.with_context(|| format!("cannot listen on {address}"))?;
    println!("TLS on {}, the certificate is in {file}", listener.local_addr()?);
    Server::new(|_: &Handle| answer(Framer::whole(Lines), |line, peer| peer.push(line)))
        .handshake(move |tcp: TcpStream| acceptor.accept(tcp))
        .serve(listener)
        .await;
    Ok(())
}
