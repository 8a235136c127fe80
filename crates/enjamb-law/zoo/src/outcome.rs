//! What came of a law of an entry, as one process tells it to another and to the document.

use enjamb_law::{Law, Verdict, Violation};
use serde::{Deserialize, Serialize};

const GROWS: &str = "work grows with the square of the bytes";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Holds,
    /// With the verdict in a sentence, and a picture of the input and what was said of it.
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
            // Its figures are those of one machine and one moment; and what grows with the square may take so long that it counts as a call that does not return.
            Verdict::Broken(violation) if law == Law::Linear && !violation.verdict.contains("memory") => {
                Self::Fails { verdict: GROWS.to_owned(), picture: String::new() }
            }
            // What ends the process, or never returns, is the affair of one law. The others it does not let come to a verdict.
            Verdict::Broken(violation) if violation.law != law => {
                Self::NotTried(format!("it does not come to a verdict: {}", violation.verdict))
            }
            Verdict::Holds(_) => Self::Holds,
            Verdict::NotTried(reason) => Self::NotTried(reason),
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

/// A line that fits on a page.
fn shortened(line: &str) -> String {
    const MOST: usize = 160;
    let line: String =
        line.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect();
    match line.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line.trim_end().to_owned(),
    }
}
