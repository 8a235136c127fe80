//! Headers of the PROXY protocol, from clients and to the server.

use enjamb::Side;
use enjamb_net::relay::ProxyProtocol;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::{Memory, Received, World, options, within};

const V1: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n";

fn v2() -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0f".to_vec();
    header.extend([192, 0, 2, 1, 198, 51, 100, 7, 0xdc, 0x04, 0x01, 0xbb]);
    // An extension, which is passed over.
    header.extend([0x04, 0, 0]);
    header
}

#[tokio::test]
async fn the_address_in_a_header_is_that_of_the_client_however_the_header_is_cut() {
    let v2 = v2();
    for header in [V1, &v2] {
        for cut in [1, 6, 16, header.len() - 1, header.len()] {
            let memory = Memory::default();
            let accepting = options(|options| options.accept_proxy_protocol = true);
            let world = World::with(accepting, memory.clone()).await;
            let mut client = TcpStream::connect(world.address).await.unwrap();
            client.set_nodelay(true).unwrap();
            client.write_all(&header[..cut]).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            client.write_all(&[&header[cut..], b"hello"].concat()).await.unwrap();
            let (mut server, _) = within(10, world.server.accept()).await.unwrap();
            let mut received = [0; 5];
            within(10, server.read_exact(&mut received)).await.unwrap();
            assert_eq!(&received, b"hello");
            drop((client, server));
            memory.until(Received::Done).await;
            assert_eq!(memory.bytes(Side::Client), b"hello");
            let connection = memory.received.lock().unwrap()[0].0;
            assert_eq!(connection.client.to_string(), "192.0.2.1:56324");
        }
    }
}

#[tokio::test]
async fn a_client_that_speaks_for_itself_keeps_its_address_and_one_without_a_header_is_reset() {
    let memory = Memory::default();
    let world = World::with(options(|options| options.accept_proxy_protocol = true), memory.clone()).await;
    let mut client = TcpStream::connect(world.address).await.unwrap();
    client.write_all(b"PROXY UNKNOWN\r\nhello").await.unwrap();
    let _ = within(10, world.server.accept()).await.unwrap();
    memory.until(Received::Open).await;
    let connection = memory.received.lock().unwrap()[0].0;
    assert_eq!(connection.client, client.local_addr().unwrap());
    for wrong in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"PROXY TCP4 nonsense\r\n"] {
        let mut client = TcpStream::connect(world.address).await.unwrap();
        client.write_all(wrong).await.unwrap();
        assert!(within(10, client.read(&mut [0; 8])).await.is_err());
    }
    let errors = memory.errors();
    assert!(errors.len() == 2 && errors[0].contains("no PROXY protocol header from client"), "{errors:?}");
}

#[tokio::test]
async fn the_server_gets_a_header_before_the_first_byte() {
    for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
        let memory = Memory::default();
        let sending = options(|options| {
            options.accept_proxy_protocol = true;
            options.send_proxy_protocol = Some(version);
        });
        let world = World::with(sending, memory.clone()).await;
        let mut client = TcpStream::connect(world.address).await.unwrap();
        client.write_all(&[V1, b"hello"].concat()).await.unwrap();
        client.shutdown().await.unwrap();
        let (mut server, _) = within(10, world.server.accept()).await.unwrap();
        let mut received = Vec::new();
        within(10, server.read_to_end(&mut received)).await.unwrap();
        let mut expected = if version == ProxyProtocol::V1 { V1.to_vec() } else { v2() };
        if version == ProxyProtocol::V2 {
            // Without the extension.
            expected.truncate(28);
            expected[15] = 12;
        }
        assert_eq!(received, [&expected[..], b"hello"].concat());
        // It is not part of the stream that taps receive.
        assert_eq!(memory.bytes(Side::Client), b"hello");
    }
}
