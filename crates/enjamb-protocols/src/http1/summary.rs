//! Summaries: a message in one line.

use core::fmt::{self, Write as _};

use super::framing::Framing;
use super::head::{Head, StartLine};
use super::line::without_cr;
use super::reader::Reader;
use crate::secrets::secrets_of_urls;

/// The maximum number of characters of a target in a summary.
const TARGET_SHOWN: usize = 120;

/// The maximum number of characters of any other part.
const SHOWN: usize = 60;

/// The summary of the message in a reader.
pub(super) struct Summary<'r> {
    pub(super) reader: &'r Reader,
    pub(super) whole: bool,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.reader.head();
        let message = &self.reader.message;
        let Some(Head { start, about }) = &message.head else {
            let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
            return cut_target(f, without_cr(line));
        };
        match start {
            StartLine::Request { method, target, minor, .. } => {
                cut(f, method.of_buffer(bytes), SHOWN)?;
                f.write_char(' ')?;
                cut_target(f, target.of_buffer(bytes))?;
                write!(f, " HTTP/1.{minor}")?;
            }
            StartLine::Response { status, phrase, .. } => {
                write!(f, "{status:03}")?;
                let phrase = phrase.of_buffer(bytes);
                if !phrase.is_empty() {
                    f.write_char(' ')?;
                    cut(f, phrase, SHOWN)?;
                }
            }
        }
        let about = about.of_buffer(bytes);
        if !about.is_empty() {
            f.write_str(if matches!(start, StartLine::Request { .. }) { ", host " } else { ", " })?;
            cut(f, about, SHOWN)?;
        }
        match message.framing {
            Framing::None | Framing::Tunnel => {}
            Framing::Length(length) if !self.whole => write!(f, ", body {} of {length} bytes", message.body)?,
            Framing::Length(_) | Framing::Chunked | Framing::Close => write!(f, ", body {} bytes", message.body)?,
        }
        if message.lost > 0 {
            write!(f, ", {} of them missing", message.lost)?;
        }
        Ok(())
    }
}

/// Writes a target, or a line with one. Its secrets are replaced.
fn cut_target(f: &mut fmt::Formatter<'_>, target: &[u8]) -> fmt::Result {
    let secrets = secrets_of_urls(target);
    if secrets.is_empty() {
        return cut(f, target, TARGET_SHOWN);
    }
    let mut shown = Vec::with_capacity(target.len());
    let mut from = 0;
    for secret in secrets {
        shown.extend_from_slice(&target[from..secret.start]);
        shown.extend_from_slice(b"(redacted)");
        from = secret.end;
    }
    shown.extend_from_slice(&target[from..]);
    cut(f, &shown, TARGET_SHOWN)
}

/// Writes `text`, at most `most` characters of it.
fn cut(f: &mut fmt::Formatter<'_>, text: &[u8], most: usize) -> fmt::Result {
    let mut left = most;
    for part in text.utf8_chunks() {
        let damaged = (!part.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
        for c in part.valid().chars().chain(damaged) {
            if left == 0 {
                return f.write_char('…');
            }
            left -= 1;
            f.write_char(c)?;
        }
    }
    Ok(())
}
