//! What every driver drives.

use crate::handler::End;
use crate::terminator::Terminator;

/// One direction of a stream in, events out: the one shape that drivers, laws, fuzz targets and sessions know.
///
/// A machine is *pulled*: the driver asks for the next event and the machine takes as many bytes as that needs. So
/// a driver can stop between two events, on the exact byte, and look at the machine before it goes on.
pub trait Machine {
    /// What comes of the stream.
    type Event;
    /// Why the stream cannot go on.
    type Error;

    /// Takes bytes from the front of `chunk` up to the next event. `Ok(None)`: the chunk is used up, and all
    /// events that its bytes complete have been returned.
    ///
    /// # Errors
    /// Whatever makes the rest of the stream meaningless. A machine that returned an error is *fused*: every
    /// later call returns that error.
    fn next(&mut self, chunk: &mut &[u8]) -> Result<Option<Self::Event>, Self::Error>;

    /// The stream ended. Gives what comes of the rest to `out` and says how the end found the machine.
    /// Nothing is fed after it.
    ///
    /// # Errors
    /// The error the machine is fused on, or one that the end itself brings.
    fn close(&mut self, out: &mut impl FnMut(Self::Event)) -> Result<End, Self::Error>
    where
        Self: Sized;

    /// Bytes the machine holds on to now.
    fn held(&self) -> usize;

    /// What ends the frame in progress, where the machine is made of terminators: whoever makes inputs for it learns its
    /// vocabulary by this.
    fn awaits(&self) -> Option<&Terminator> {
        None
    }

    /// How far into the stream the events so far reach, in bytes: where the next one begins.
    fn offset(&self) -> u64;

    /// Feeds a whole chunk and gives every event to `out`.
    ///
    /// # Errors
    /// As [`next`](Self::next); the events before the error were given.
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
