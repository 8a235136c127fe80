//! What came of a law of an entry, as one process tells it to another and to the document.

use enjamb_law::{Law, Verdict, Violation};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Holds,
    /// With the verdict in a sentence, and a picture of the input and what was said of it.
    Fails {
        verdict: String,
        picture: String,
    },
    NotAsked(String),
    Unfit(String),
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Holds(_) => Self::Holds,
            Verdict::NotAsked(reason) => Self::NotAsked(reason),
            Verdict::Unfit(what) => Self::Unfit(what),
            Verdict::Broken(violation) => Self::of(&violation),
        }
    }
}

impl Outcome {
    fn of(violation: &Violation) -> Self {
        if violation.law == Law::Linear {
            // Its figures are those of one machine and one moment.
            let verdict = violation.verdict.split(':').next().unwrap_or_default().to_owned();
            return Self::Fails { verdict, picture: violation.call.clone() };
        }
        let text = violation.to_string();
        let shown = text.split("\nas a test:").next().unwrap_or(&text);
        let picture: Vec<String> = shown.lines().filter(|line| *line != violation.verdict).map(shortened).collect();
        Self::Fails { verdict: violation.verdict.clone(), picture: picture.join("\n").trim_end().to_owned() }
    }
}

/// A line that fits on a page.
fn shortened(line: &str) -> String {
    const MOST: usize = 200;
    match line.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line.trim_end().to_owned(),
    }
}
