//! Inputs that broke a law once, kept beside the test as values: run first the next time.
//!
//! One file each, `enjamb-regressions/NAME/LAW-HASH.txt` beside the source of the test, in the readable form of a [`Script`]: whoever opens it sees the stream and where
//! it was cut, and any other tool of enjamb takes it.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};

use enjamb::Transcript;
use enjamb::transcript::{Content, HEADER};

use crate::cutting::Cutting;
use crate::law::Law;
use crate::violation::Violation;

/// Larger inputs are not kept: they would not be read.
const MOST_BYTES: usize = 16 << 10;

/// An input that broke a law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Regression {
    pub(crate) path: PathBuf,
    pub(crate) law: Law,
    pub(crate) input: Cutting,
    /// The chunks, for laws that speak of messages.
    pub(crate) chunks: Vec<Vec<u8>>,
    pub(crate) cuts: Vec<usize>,
}

/// The folder for the regressions of `name`, whose test is in the source `file`. `file` is relative to some folder above the package.
pub(crate) fn folder(file: &str, name: &str) -> Option<PathBuf> {
    let package = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR")?);
    let source = package.ancestors().map(|above| above.join(file)).find(|path| path.is_file())?;
    Some(source.parent()?.join("enjamb-regressions").join(name))
}

/// What lies in `folder`, in the order of the files' names; nothing where there is no folder.
///
/// # Errors
/// A file that is not what it should be, with the reason.
pub(crate) fn load(folder: &Path) -> Result<Vec<Regression>, String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "txt"));
    paths.sort();
    let read = |path: PathBuf| {
        let fault = |what: String| format!("{}: {what}", path.display());
        let text = fs::read_to_string(&path).map_err(|error| fault(error.to_string()))?;
        let transcript = Transcript::parse(&text).map_err(|error| fault(error.to_string()))?;
        let law = text.lines().find_map(|line| line.strip_prefix("# law "));
        let law = law.ok_or_else(|| fault("there is no line \"# law NAME\"".to_owned()))?;
        let law = law.trim().parse().map_err(|error| fault(format!("{law}: {error}")))?;
        let chunks = transcript.entries.iter().filter_map(|entry| match &entry.content {
            Content::Chunk(bytes) => Some(bytes.clone()),
            Content::Gap(_) | Content::Close(_) => None,
        });
        let chunks: Vec<Vec<u8>> = chunks.collect();
        let cuts = match text.lines().find_map(|line| line.strip_prefix("# cuts ")) {
            Some(cuts) => cuts
                .split_whitespace()
                .map(str::parse)
                .collect::<Result<_, _>>()
                .map_err(|_| fault(format!("cuts {cuts}: not numbers")))?,
            None => edges(&chunks),
        };
        Ok(Regression { law, input: Cutting::from(&transcript), chunks, cuts, path })
    };
    paths.into_iter().map(read).collect()
}

fn edges(chunks: &[Vec<u8>]) -> Vec<usize> {
    let ends = chunks.iter().scan(0, |at, chunk| {
        *at += chunk.len();
        Some(*at)
    });
    let mut ends: Vec<usize> = ends.collect();
    ends.pop();
    ends
}

/// Keeps `violation` in `folder`, once. `None`: its input is too large to be read by anybody.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn save(folder: &Path, violation: &Violation) -> io::Result<Option<PathBuf>> {
    let Violation { law, input, cuts, verdict, messages, .. } = violation;
    if input.len() > MOST_BYTES {
        return Ok(None);
    }
    // For a law over messages the chunks are the messages, and the cuts stand by themselves.
    let of_messages = messages.as_ref().map(|messages| {
        let ends = messages.iter().scan(0, |at, message| {
            *at += message.len();
            Some(*at)
        });
        ends.collect::<Vec<usize>>()
    });
    let (body, cuts_line) = match &of_messages {
        Some(ends) => {
            let places: Vec<String> = cuts.iter().map(ToString::to_string).collect();
            (input.transcript(ends).to_string(), format!("# cuts {}\n", places.join(" ")))
        }
        None => (input.transcript(cuts).to_string(), String::new()),
    };
    let body = body.strip_prefix(HEADER).unwrap_or(&body).trim_start_matches('\n');
    let mut hasher = DefaultHasher::new();
    (law, body, &cuts_line).hash(&mut hasher);
    let path = folder.join(format!("{law}-{:08x}.txt", hasher.finish() as u32));
    let verdict = verdict.replace(['\n', '\r'], " ");
    fs::create_dir_all(folder)?;
    fs::write(&path, format!("{HEADER}\n# law {law}\n{cuts_line}# {verdict}\n{body}"))?;
    Ok(Some(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cutting::stream;

    fn violation(law: Law, messages: Option<Vec<Vec<u8>>>, cuts: &[usize]) -> Violation {
        Violation {
            law,
            verdict: "of two\nlines".to_owned(),
            input: stream(b"ab\r\nc\xff"),
            messages,
            cuts: cuts.to_vec(),
            traces: None,
            call: String::new(),
            subject: None,
        }
    }

    #[test]
    fn what_is_kept_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let messages = vec![b"ab\r\n".to_vec(), b"c\xff".to_vec()];
        let split = save(folder.path(), &violation(Law::Split, None, &[1, 3])).unwrap().unwrap();
        let prompt = save(folder.path(), &violation(Law::Prompt, Some(messages.clone()), &[2])).unwrap().unwrap();
        assert_eq!(save(folder.path(), &violation(Law::Split, None, &[1, 3])).unwrap().unwrap(), split, "once");

        let found = load(folder.path()).unwrap();
        let [of_prompt, of_split] = &found[..] else { panic!("{found:?}") };
        assert_eq!((of_split.law, &of_split.path, &of_split.input), (Law::Split, &split, &stream(b"ab\r\nc\xff")));
        assert_eq!(of_split.cuts, [1, 3]);
        assert_eq!((of_prompt.law, &of_prompt.path, &of_prompt.chunks), (Law::Prompt, &prompt, &messages));
        assert_eq!(of_prompt.cuts, [2]);
    }

    #[test]
    fn a_file_that_is_no_regression_is_named_with_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        for (text, what) in [
            ("enjamb transcript 1\n", "there is no line \"# law NAME\""),
            ("enjamb transcript 1\n# law spilt\n", "spilt: not the name of a law"),
            ("enjamb transcript 1\n# law split\n# cuts 1 x\n", "cuts 1 x: not numbers"),
            ("nothing", "line 1, column 1"),
        ] {
            fs::write(folder.path().join("a.txt"), text).unwrap();
            let error = load(folder.path()).unwrap_err();
            assert!(error.contains("a.txt") && error.contains(what), "{error}");
        }
        assert_eq!(load(&folder.path().join("absent")).unwrap(), []);
    }
}
