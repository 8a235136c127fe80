//! Compressed streams, archives and images.

use std::io::{self, Read, Write as _};

use enjamb_law::{Blocking, DebugText, Incoming, Kind, Pushing, Reading, Subject as _};

use super::{ASYNC, BLOCKING, PUSH};
use crate::entry::Entry;
use crate::subject::{AnySubject, any};

const GZIP: [&[u8]; 2] = [
    b"\x1f\x8b\x08\0\0\0\0\0\x02\xff\xcbH\xcd\xc9\xc9\xd7Q\xc8\0Q\0\xff\xc5\xcc\xf3\x0c\0\0\0",
    b"\x1f\x8b\x08\0\0\0\0\0\x02\xff\x03\0\0\0\0\0\0\0\0\0",
];
const ZLIB: &[u8] = b"x\x9c\xcbH\xcd\xc9\xc9\xd7Q\xc8\0Q\0\x1c\xda\x04u";
const DEFLATE: &[u8] = b"\xcbH\xcd\xc9\xc9\xd7Q\xc8\0Q\0";
/// An uncompressed block of a brotli stream.
const BROTLI: &[u8] = b"\x8b\x01\x80abcd\x03";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x02\0\0\0\x01\x08\0\0\0\0\xd1I V\0\0\0\x03tEXtk\0v\xcb\x04\xf3\x90\0\0\0\x0bIDATx\x9cc`d\x02\0\0\x07\0\x04vI\xe3(\0\0\0\0IEND\xaeB`\x82";
const GIF: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

pub fn entries() -> Vec<Entry> {
    vec![
        Entry::new("flate2 1.1.11 GzDecoder", "gzip", BLOCKING, || bytes(flate2::read::GzDecoder::new))
            .messages(GZIP)
            .one_message(),
        Entry::new("flate2 1.1.11 MultiGzDecoder", "gzip members", BLOCKING, || {
            bytes(flate2::read::MultiGzDecoder::new)
        })
        .messages(GZIP),
        Entry::new("flate2 1.1.11 ZlibDecoder", "zlib", BLOCKING, || bytes(flate2::read::ZlibDecoder::new))
            .messages([ZLIB])
            .one_message(),
        Entry::new("flate2 1.1.11 DeflateDecoder", "deflate", BLOCKING, || bytes(flate2::read::DeflateDecoder::new))
            .messages([DEFLATE])
            .one_message(),
        Entry::new("flate2 1.1.11 write::GzDecoder", "gzip", PUSH, || {
            any(Pushing::new(|| flate2::write::GzDecoder::new(Vec::new()), |decoder, chunk, out| {
                let written = decoder.write_all(chunk).and_then(|()| decoder.flush());
                decoder.get_mut().drain(..).for_each(|byte| out(Ok(byte)));
                if let Err(error) = written {
                    out(Err(Kind::of(&error)));
                }
            })
            .at_end(|decoder, out| {
                let ended = decoder.try_finish();
                decoder.get_mut().drain(..).for_each(|byte| out(Ok(byte)));
                if let Err(error) = ended {
                    out(Err(Kind::of(&error)));
                }
            }))
        })
        .messages(GZIP)
        .one_message(),
        Entry::new("async-compression 0.4.52 GzipDecoder", "gzip", ASYNC, || {
            any(Reading::with(
                |chunks| async_compression::tokio::bufread::GzipDecoder::new(tokio::io::BufReader::new(chunks)),
                async |reader| {
                    let mut piece = [0; 64];
                    let read = tokio::io::AsyncReadExt::read(reader, &mut piece).await?;
                    Ok::<_, io::Error>((read > 0).then(|| piece[..read].to_vec()))
                },
            )
            .flat_map(|piece| piece))
        })
        .messages(GZIP)
        .one_message(),
        Entry::new("brotli-decompressor 5.0.3", "brotli", BLOCKING, || {
            bytes(|incoming| brotli_decompressor::Decompressor::new(incoming, 4096))
        })
        .messages([BROTLI])
        .one_message(),
        Entry::new("weezl 0.2.1", "LZW", PUSH, || {
            any(Pushing::new(
                || weezl::decode::Decoder::new(weezl::BitOrder::Msb, 8),
                |decoder, mut chunk, out| {
                    let mut room = [0; 64];
                    loop {
                        let result = decoder.decode_bytes(chunk, &mut room);
                        chunk = &chunk[result.consumed_in..];
                        room[..result.consumed_out].iter().for_each(|byte| out(Ok(*byte)));
                        match result.status {
                            Err(error) => return out(Err(Kind::of(&error))),
                            Ok(weezl::LzwStatus::NoProgress | weezl::LzwStatus::Done) => return,
                            Ok(weezl::LzwStatus::Ok) => {}
                        }
                    }
                },
            ))
        })
        .messages([&b"\x80\x0b\x60\x50\x22\x0c\x0c\x85\x01"[..]])
        .one_message(),
        Entry::new("tar 0.4.46", "tar archives", BLOCKING, || any(Blocking::new(tar_entries)))
            .messages([tar_of_one_file()])
            .one_message(),
        Entry::new("zip 8.6.0 read_zipfile_from_stream", "zip archives", BLOCKING, || {
            any(Blocking::new(|incoming: &mut Incoming| {
                let Some(mut file) = zip::read::read_zipfile_from_stream(incoming)? else { return Ok(None) };
                let mut body = Vec::new();
                file.read_to_end(&mut body)?;
                Ok::<_, zip::result::ZipError>(Some((file.name().to_owned(), body)))
            }))
        })
        .messages([&b"PK\x03\x04\x14\0\0\0\0\0\0\0!\0\xc2A$5\x03\0\0\0\x03\0\0\0\x01\0\0\0aabcPK\x01\x02\x14\x03\x14\0\0\0\0\0\0\0!\0\xc2A$5\x03\0\0\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x80\x01\0\0\0\0aPK\x05\x06\0\0\0\0\x01\0\x01\0/\0\0\0\"\0\0\0\0\0"[..]])
        .one_message(),
        Entry::new("png 0.18.1 StreamingDecoder", "PNG", PUSH, || {
            any(Pushing::new(png::StreamingDecoder::new, |decoder, mut chunk, out| {
                while !chunk.is_empty() {
                    match decoder.update(chunk, None) {
                        Ok((0, png::Decoded::Nothing)) => return,
                        // Its image data comes in pieces that follow the cuts.
                        Ok((used, png::Decoded::Nothing | png::Decoded::ImageData)) => chunk = &chunk[used..],
                        Ok((used, decoded)) => {
                            chunk = &chunk[used..];
                            out(Ok(DebugText(format!("{decoded:?}"))));
                        }
                        Err(error) => return out(Err(Kind::of(&error))),
                    }
                }
            }))
        })
        .messages([PNG])
        .one_message(),
        Entry::new("gif 0.14.2 StreamingDecoder", "GIF", PUSH, || any(gif_blocks(false))).messages([GIF]).one_message(),
        Entry::new("gif 0.14.2 StreamingDecoder, until the trailer", "GIF", PUSH, || any(gif_blocks(true)))
            .messages([GIF])
            .one_message(),
    ]
}

/// The bytes that a decompressor gives.
fn bytes<R: Read + 'static>(make: fn(Incoming) -> R) -> AnySubject {
    any(Blocking::with(make, |reader: &mut R| {
        let mut piece = [0; 64];
        let read = reader.read(&mut piece)?;
        Ok::<_, io::Error>((read > 0).then(|| piece[..read].to_vec()))
    })
    .flat_map(|piece| piece))
}

/// An archive with one file, its last two blocks empty.
fn tar_of_one_file() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(3);
    header.set_mode(0o644);
    header.set_cksum();
    let written = archive.append_data(&mut header, "a", &b"abc"[..]);
    written.and_then(|()| archive.into_inner()).unwrap_or_default()
}

/// The names and the contents of the files of an archive.
type Files = Vec<(String, Vec<u8>)>;

/// Reads an archive. The whole archive is one message.
fn tar_entries(incoming: &mut Incoming) -> io::Result<Option<Files>> {
    let mut files = Vec::new();
    for entry in tar::Archive::new(incoming).entries()? {
        let mut entry = entry?;
        let mut body = Vec::new();
        entry.read_to_end(&mut body)?;
        files.push((entry.path()?.display().to_string(), body));
    }
    Ok((!files.is_empty()).then_some(files))
}

/// The decoder of a GIF, and whether its last block was decoded.
type GifDecoder = (gif::streaming_decoder::StreamingDecoder, bool);

/// The blocks of a GIF. With `until_trailer` the bytes behind its last block are dropped.
fn gif_blocks(until_trailer: bool) -> impl enjamb_law::Subject<Event = DebugText, Error = Kind> + Send + Sync {
    use gif::streaming_decoder::{Block, Decoded, OutputBuffer, StreamingDecoder};
    Pushing::new(
        || (StreamingDecoder::new(), false),
        move |(decoder, ended): &mut GifDecoder, mut chunk, out: &mut dyn FnMut(Result<DebugText, Kind>)| {
            while !(chunk.is_empty() || *ended && until_trailer) {
                match decoder.update(chunk, &mut OutputBuffer::None) {
                    Ok((0, Decoded::Nothing)) => return,
                    Ok((used, Decoded::Nothing)) => chunk = &chunk[used..],
                    Ok((used, decoded)) => {
                        chunk = &chunk[used..];
                        *ended = matches!(decoded, Decoded::BlockStart(Block::Trailer));
                        out(Ok(DebugText(format!("{decoded:?}"))));
                    }
                    Err(error) => return out(Err(Kind::of(&error))),
                }
            }
        },
    )
}
