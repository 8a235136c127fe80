//! Clients that connect to an address.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use enjamb_law::{Connecting, Law, Segmentations, prompt, split_everywhere, stream};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};

use crate::laws::{broken, hold, output};

const LINES: [&[u8]; 3] = [b"one\r\n", b"\n", "größe\n".as_bytes()];

/// Sends a request and reads lines.
fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let mut socket = TcpStream::connect(address)?;
    socket.write_all(b"GET\n")?;
    Ok(BufReader::new(socket))
}

fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    Ok((reader.read_line(&mut line)? > 0).then_some(line))
}

/// Reads lines in a thread of its own.
fn connect_with_thread(address: SocketAddr) -> io::Result<Receiver<io::Result<String>>> {
    let lines = BufReader::new(TcpStream::connect(address)?).lines();
    let (sender, receiver) = channel();
    std::thread::spawn(move || lines.for_each(|line| drop(sender.send(line))));
    Ok(receiver)
}

#[test]
fn clients_of_the_standard_library_obey_the_laws() {
    hold(&Connecting::new(connect, read_line), &LINES);
    let exact = |socket: &mut TcpStream| {
        let mut frame = [0; 2];
        socket.read_exact(&mut frame).map(|()| Some(frame))
    };
    hold(&Connecting::new(TcpStream::connect, exact), &[b"aa", b"bb"]);
}

#[test]
fn a_client_with_a_thread_gets_one_chunk_at_a_time() {
    let client = Connecting::new(connect_with_thread, |lines: &mut Receiver<_>| lines.recv().ok().transpose());
    let input = stream(b"one\ntwo\n");
    split_everywhere(&client, &input, &Segmentations::up_to_one_cut()).unwrap();
    for _ in 0..50 {
        prompt(&client, &[b"one\n", b"two\n"], &[4]).unwrap();
    }
}

#[test]
fn a_client_that_takes_a_read_for_a_message_is_caught() {
    let read = |socket: &mut TcpStream| {
        let mut message = [0; 4];
        let length = socket.read(&mut message)?;
        Ok::<_, io::Error>((length > 0).then(|| message[..length].to_vec()))
    };
    let client = Connecting::new(TcpStream::connect, read);
    let violation = split_everywhere(&client, &stream(b"abcdefgh"), &Segmentations::up_to_one_cut()).unwrap_err();
    assert_eq!((violation.input, violation.cuts), (stream(b"aa"), vec![1]));
}

#[test]
fn a_client_that_reads_ahead_before_it_returns_a_line_is_caught() {
    let client = Connecting::new(
        |address| connect(address).map(|reader| reader.lines().peekable()),
        |lines| {
            let line = lines.next().transpose();
            let _ = lines.peek();
            line
        },
    );
    assert_eq!(broken(&client, &LINES, &[]).unwrap().law, Law::Prompt);
}

#[test]
fn a_greeting_is_read_before_a_client_is_connected() {
    let connect = |address| {
        let mut reader = connect(address)?;
        read_line(&mut reader)?;
        reader.get_mut().write_all(b"HELO\n")?;
        Ok::<_, io::Error>(reader)
    };
    let client = Connecting::new(connect, read_line);
    assert_eq!(output(client, b"hello\none\n", &[3]), ["\"one\\n\""]);
}

#[test]
fn a_refused_connection_and_an_early_end_are_outputs() {
    let refused = |_| Err::<TcpStream, _>(io::Error::other("no"));
    let client = Connecting::new(refused, |_: &mut TcpStream| Ok(None::<u8>));
    assert_eq!(output(client, b"one\n", &[]).len(), 1);
    // It closes its connection before the rest was sent.
    let one = |socket: &mut Option<TcpStream>| match socket.take() {
        Some(mut socket) => {
            let mut byte = [0];
            socket.read_exact(&mut byte).map(|()| Some(byte))
        }
        None => Ok(None),
    };
    let client = Connecting::new(|address| TcpStream::connect(address).map(Some), one);
    assert_eq!(output(client, b"abcd", &[1, 2, 3]), ["[97]"]);
}

#[test]
fn a_second_connection_is_refused_and_a_leaked_one_does_not_hang() {
    let twice = |address| {
        let first = TcpStream::connect(address)?;
        let mut byte = [0];
        (&first).read_exact(&mut byte)?;
        TcpStream::connect(address)
    };
    let client = Connecting::new(twice, |_: &mut TcpStream| Ok(None::<u8>));
    assert!(output(client, b"a", &[])[0].contains("ConnectionRefused"));
    let leaked = |socket: &mut TcpStream| {
        std::mem::forget(socket.try_clone()?);
        Ok::<_, io::Error>(None::<u8>)
    };
    let started = Instant::now();
    assert_eq!(output(Connecting::new(TcpStream::connect, leaked), b"a", &[]), [""; 0]);
    assert!(started.elapsed() < Duration::from_secs(2));
}

async fn connect_async(address: SocketAddr) -> io::Result<tokio::io::BufReader<tokio::net::TcpStream>> {
    let mut socket = tokio::net::TcpStream::connect(address).await?;
    socket.write_all(b"GET\n").await?;
    Ok(tokio::io::BufReader::new(socket))
}

#[test]
fn async_clients_obey_the_laws() {
    let client = Connecting::asynchronous(connect_async, async |reader: &mut tokio::io::BufReader<_>| {
        let mut line = String::new();
        Ok::<_, io::Error>((reader.read_line(&mut line).await? > 0).then_some(line))
    });
    hold(&client, &LINES);
}

#[test]
fn an_async_client_with_a_task_and_a_timeout_obeys_the_laws() {
    let connect = async |address| {
        let mut reader = connect_async(address).await?;
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            while let Ok(number) = reader.read_u16().await {
                let _ = sender.send(number).await;
            }
        });
        Ok::<_, io::Error>(receiver)
    };
    let read = async |numbers: &mut tokio::sync::mpsc::Receiver<u16>| {
        let next = tokio::time::timeout(Duration::from_secs(60), numbers.recv()).await;
        next.map_err(|_| io::Error::other("too late"))
    };
    let client = Connecting::asynchronous(connect, read);
    let input = stream(b"aabbcc");
    split_everywhere(&client, &input, &Segmentations::up_to_two_cuts()).unwrap();
    prompt(&client, &[b"aa", b"bb"], &[1, 2, 3]).unwrap();
}

#[test]
fn an_async_client_that_takes_a_read_for_a_message_is_caught() {
    let client = Connecting::asynchronous(
        async |address| tokio::net::TcpStream::connect(address).await,
        async |socket: &mut tokio::net::TcpStream| {
            let mut message = [0; 4];
            let length = socket.read(&mut message).await?;
            Ok::<_, io::Error>((length > 0).then(|| message[..length].to_vec()))
        },
    );
    let violation = split_everywhere(&client, &stream(b"abcdefgh"), &Segmentations::up_to_one_cut()).unwrap_err();
    assert_eq!((violation.input, violation.cuts), (stream(b"aa"), vec![1]));
}
