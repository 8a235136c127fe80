//! A broken law, as a person sees it.

use std::fmt::{self, Debug, Write as _};

use enjamb::transcript::What;

use crate::cutting::Cutting;

/// An input and cuts under which a subject says something else than of the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation<T> {
    /// The input, glued.
    pub input: Cutting,
    /// Before which bytes of its payload it is cut.
    pub cuts: Vec<usize>,
    /// What the subject says of the whole.
    pub whole: Vec<T>,
    /// What it says when it is cut.
    pub cut: Vec<T>,
}

impl<T: PartialEq> Violation<T> {
    /// The number of the first thing said differently, from 0.
    #[must_use]
    pub fn first_difference(&self) -> usize {
        self.whole.iter().zip(&self.cut).take_while(|(whole, cut)| whole == cut).count()
    }
}

impl<T: Debug + PartialEq> fmt::Display for Violation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places: Vec<String> = self.cuts.iter().map(ToString::to_string).collect();
        let cuts = if self.cuts.len() == 1 { "cut" } else { "cuts" };
        writeln!(
            f,
            "the split law is broken: {} bytes, {} {cuts} (before byte {})",
            self.input.len(),
            self.cuts.len(),
            places.join(", ")
        )?;
        writeln!(f, "\nthe stream, `|` where it is cut:")?;
        self.draw(f)?;
        let difference = self.first_difference();
        writeln!(f, "\n{:40} | cut", "whole")?;
        for at in 0..self.whole.len().max(self.cut.len()) {
            let mark = if at == difference { '>' } else { ' ' };
            let (whole, cut) = (told(self.whole.get(at)), told(self.cut.get(at)));
            writeln!(f, "{mark} {whole:38} | {cut}")?;
        }
        Ok(())
    }
}

impl<T: Debug + PartialEq> std::error::Error for Violation<T> {}

fn told<T: Debug>(said: Option<&T>) -> String {
    said.map_or_else(|| "(nothing)".to_owned(), |said| format!("{said:?}"))
}

impl<T> Violation<T> {
    fn draw(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut offset = 0;
        for (side, what) in self.input.turns() {
            match what {
                What::Chunk(bytes) => writeln!(f, "  {side}: {}", drawn(bytes, offset, &self.cuts)?)?,
                What::Gap(missing) => writeln!(f, "  {side}: ... {missing} bytes missing")?,
                What::Close(ending) => writeln!(f, "  {side}: {}", ending.as_str())?,
            }
            offset += crate::cutting::payload(what).len();
        }
        Ok(())
    }
}

/// The bytes as a quoted string, with a bar before each byte that is cut off from the one before it.
fn drawn(bytes: &[u8], offset: usize, cuts: &[usize]) -> Result<String, fmt::Error> {
    let mut text = String::from("\"");
    for (at, &byte) in bytes.iter().enumerate() {
        if at > 0 && cuts.contains(&(offset + at)) {
            text.push('|');
        }
        write!(text, "{}", std::ascii::escape_default(byte))?;
    }
    text.push('"');
    Ok(text)
}
