//! Commands of Redis that are whole in a buffer.

/// The maximum number of arguments of a command.
const ARGUMENTS_MAX: usize = 4;

/// A command, borrowed from its buffer.
pub(crate) struct Command<'b> {
    arguments: [&'b [u8]; ARGUMENTS_MAX],
    count: usize,
    /// The number of its bytes.
    pub(crate) length: usize,
}

impl<'b> Command<'b> {
    /// Parses the command at the front of `buffer`. `None`: it is not whole, or has too many
    /// arguments.
    pub(crate) fn parse(buffer: &'b [u8]) -> Option<Self> {
        let (count, mut at) = number(buffer, 0, b'*')?;
        let mut arguments = [&[][..]; ARGUMENTS_MAX];
        for argument in arguments.get_mut(..count)? {
            let (length, begin) = number(buffer, at, b'$')?;
            *argument = buffer.get(begin..begin + length)?;
            at = begin + length + 2;
            if at > buffer.len() {
                return None;
            }
        }
        Some(Self { arguments, count, length: at })
    }

    pub(crate) fn arguments(&self) -> &[&'b [u8]] {
        &self.arguments[..self.count]
    }
}

/// Parses a line of a marker and a number. Returns the number and the offset behind the line.
fn number(buffer: &[u8], at: usize, marker: u8) -> Option<(usize, usize)> {
    let line = buffer.get(at..)?;
    if *line.first()? != marker {
        return None;
    }
    let mut number = 0_usize;
    for (index, byte) in line.iter().enumerate().skip(1) {
        match byte {
            b'0'..=b'9' => number = number.checked_mul(10)?.checked_add(usize::from(byte - b'0'))?,
            b'\r' if line.get(index + 1) == Some(&b'\n') => return Some((number, at + index + 2)),
            _ => return None,
        }
    }
    None
}
