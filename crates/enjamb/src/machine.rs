//! The interface of a parser of one direction.

use crate::handler::End;
use crate::terminator::Terminator;

/// A parser of one direction: bytes in, events out. Drivers, laws, fuzz targets and sessions all
/// use it.
///
/// A machine is *pulled*: the driver calls for the next event, and the machine takes only the bytes
/// that this event needs. So a driver can stop between two events, on the exact byte, and inspect
/// the machine.
pub trait Machine {
    /// The output of the stream.
    type Event;
    /// The reason why the stream cannot continue.
    type Error;

    /// Takes bytes from the front of `chunk` up to the next event. `Ok(None)` means that the chunk
    /// is used up, and all events that its bytes complete were returned.
    ///
    /// # Errors
    /// An error makes the rest of the stream meaningless. The machine is then *fused*: every later
    /// call returns the same error.
    fn next(&mut self, chunk: &mut &[u8]) -> Result<Option<Self::Event>, Self::Error>;

    /// Ends the stream. Gives the remaining events to `out` and returns how the stream ended.
    /// Nothing is fed after it.
    ///
    /// # Errors
    /// The error that fused the machine, or one that the end causes.
    fn close(&mut self, out: &mut impl FnMut(Self::Event)) -> Result<End, Self::Error>
    where
        Self: Sized;

    /// Returns how many bytes the machine stores now.
    fn held(&self) -> usize;

    /// Returns the terminator of the frame in progress, if the machine has terminators. Generators
    /// of inputs use it to learn the protocol's delimiters and lengths.
    fn awaits(&self) -> Option<&Terminator> {
        None
    }

    /// Returns the offset at which the next event begins: the end of the events so far.
    fn offset(&self) -> u64;

    /// Feeds a whole chunk. Gives every event to `out`.
    ///
    /// # Errors
    /// The same as [`next`](Self::next). The events before the error were given to `out`.
    fn feed(&mut self, mut chunk: &[u8], out: &mut impl FnMut(Self::Event)) -> Result<(), Self::Error>
    where
        Self: Sized,
    {
        while let Some(event) = self.next(&mut chunk)? {
            out(event);
        }
        Ok(())
    }
}
