//! The outcome of a law on an entry, passed between processes and to the document.

use enjamb_law::{Law, Verdict, Violation};
use serde::{Deserialize, Serialize};

const QUADRATIC: &str = "work grows with the square of the bytes";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Holds,
    /// The verdict in a sentence, and a picture of the input and the traces.
    Fails {
        verdict: String,
        picture: String,
    },
    NotTried(String),
    Unfit(String),
}

impl Outcome {
    pub fn of_law(law: Law, verdict: Verdict) -> Self {
        match verdict {
            // The figures of `linear` depend on the machine and the moment. Quadratic work may also
            // take so long that it counts as a call that does not return.
            Verdict::Broken(violation) if law == Law::Linear && !violation.verdict.contains("memory") => {
                Self::Fails { verdict: QUADRATIC.to_owned(), picture: String::new() }
            }
            // A crash or a hang counts for one law only. The other laws come to no verdict.
            Verdict::Broken(violation) if violation.law != law => {
                Self::NotTried(format!("there is no verdict: {}", violation.verdict))
            }
            Verdict::Holds(_) => Self::Holds,
            Verdict::NotTried(reason) => Self::NotTried(reason),
            // The total law shows the panic.
            Verdict::Unfit(what) if law != Law::Total && what.contains("it panicked") => {
                Self::NotTried(format!("there is no verdict: {what}"))
            }
            Verdict::Unfit(what) => Self::Unfit(what),
            Verdict::Broken(violation) => Self::of(&violation),
        }
    }

    fn of(violation: &Violation) -> Self {
        let text = violation.to_string();
        let shown = text.split("\nas a test").next().unwrap_or(&text);
        let picture: Vec<String> = shown.lines().filter(|line| *line != violation.verdict).map(shortened).collect();
        Self::Fails { verdict: violation.verdict.clone(), picture: picture.join("\n").trim_end().to_owned() }
    }
}

/// Shortens a line so that it fits on a page.
fn shortened(line: &str) -> String {
    const CHARS_MAX: usize = 160;
    let line: String =
        line.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect();
    match line.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line.trim_end().to_owned(),
    }
}
