//! Clients over real sockets.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use enjamb_law::Connecting;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::planted;

fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let mut socket = TcpStream::connect(address)?;
    socket.write_all(b"GET\n")?;
    Ok(BufReader::new(socket))
}

/// Reads a line. The bug: a line is what one read brings.
fn read_line(bug: bool, reader: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if bug {
        let arrived = reader.fill_buf()?;
        let len = arrived.iter().position(|byte| *byte == b'\n').map_or(arrived.len(), |at| at + 1);
        line.extend_from_slice(&arrived[..len]);
        reader.consume(len);
    } else {
        reader.read_until(b'\n', &mut line)?;
    }
    Ok((!line.is_empty()).then_some(line))
}

/// Reads records of four bytes. The bug: an end inside a record is a clean one.
fn read_record(bug: bool, socket: &mut TcpStream) -> io::Result<Option<[u8; 4]>> {
    let mut record = [0; 4];
    let mut have = 0;
    while have < 4 {
        match socket.read(&mut record[have..])? {
            0 if have == 0 || bug => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => have += read,
        }
    }
    Ok(Some(record))
}

async fn connect_async(address: SocketAddr) -> io::Result<tokio::net::TcpStream> {
    let mut socket = tokio::net::TcpStream::connect(address).await?;
    socket.write_all(b"GET\n").await?;
    Ok(socket)
}

/// Reads a length and a payload. The bug: the payload is what one read brings.
async fn read_frame(bug: bool, socket: &mut tokio::net::TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut payload = vec![0; socket.read_u8().await?.into()];
    if bug {
        let read = socket.read(&mut payload).await?;
        payload.truncate(read);
    } else {
        socket.read_exact(&mut payload).await?;
    }
    Ok(Some(payload))
}

planted! {
    client_takes_a_read_for_a_line: [Split], ["one\n", "two\n"], .cases(100),
        |bug| Connecting::new(connect, move |reader: &mut BufReader<TcpStream>| read_line(bug, reader));
    client_takes_every_end_for_a_clean_one: [End], ["abcd", "efgh"], .cases(100),
        |bug| Connecting::new(TcpStream::connect, move |socket: &mut TcpStream| read_record(bug, socket));
    async_client_takes_a_read_for_a_payload: [Split], [&b"\x03abc"[..], b"\x02de"], .cases(100),
        |bug| Connecting::asynchronous(connect_async, async move |socket: &mut tokio::net::TcpStream| read_frame(bug, socket).await);
}
