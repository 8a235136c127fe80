//! The commands of a Redis client. A command is an array of bulk strings: a line with their number,
//! and for each a line with its length and so many bytes. So the terminator changes between a line
//! and a count, as in `asynchat`.

use bytes::Bytes;
use enjamb::{FrameHandler, FrameInfo, Limit, Next, Step, Terminator};

const ARGUMENTS_MAX: usize = 1 << 20;
const ARGUMENT_MAX: u64 = 512 << 20;

/// Cuts commands out of the client's bytes.
#[derive(Default)]
pub(crate) struct Commands {
    arguments: Vec<Bytes>,
    /// The number of arguments that are to come.
    missing: usize,
    /// Whether the frame in progress is an argument, with CR LF behind it.
    is_argument: bool,
}

impl FrameHandler for Commands {
    type Event = Vec<Bytes>;
    type Error = &'static str;

    fn start(&self) -> Terminator {
        Terminator::lf()
    }

    fn limit(&self) -> Limit {
        Limit::refuse(if self.is_argument { ARGUMENT_MAX + 2 } else { 64 << 10 })
    }

    fn at_boundary(&self) -> bool {
        self.missing == 0
    }

    fn frame(&mut self, frame: &[u8], _: FrameInfo) -> Result<Step<Vec<Bytes>>, &'static str> {
        if std::mem::take(&mut self.is_argument) {
            let argument = frame.strip_suffix(b"\r\n").ok_or("Protocol error: expected CR LF behind a bulk string")?;
            self.arguments.push(Bytes::copy_from_slice(argument));
            self.missing -= 1;
            let event = (self.missing == 0).then(|| std::mem::take(&mut self.arguments));
            return Ok(Step { event, next: Next::Until(Terminator::lf()) });
        }
        let line = frame.strip_suffix(b"\r").unwrap_or(frame);
        let number = || std::str::from_utf8(line.get(1..)?).ok()?.parse::<u64>().ok();
        match (line.first(), self.missing) {
            (Some(b'*'), 0) => {
                let count = number().and_then(|count| usize::try_from(count).ok());
                self.missing =
                    count.filter(|it| *it <= ARGUMENTS_MAX).ok_or("Protocol error: invalid multibulk length")?;
                Ok(Step::quiet())
            }
            (Some(b'$'), 1..) => {
                let length = number().filter(|it| *it <= ARGUMENT_MAX).ok_or("Protocol error: invalid bulk length")?;
                self.is_argument = true;
                Ok(Step { event: None, next: Terminator::length(length + 2).map_or(Next::Same, Next::Until) })
            }
            (_, 1..) => Err("Protocol error: expected '$'"),
            (None, 0) => Ok(Step::quiet()),
            (Some(_), 0) => {
                let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
                Ok(Step::event(words.map(Bytes::copy_from_slice).collect()))
            }
        }
    }
}
