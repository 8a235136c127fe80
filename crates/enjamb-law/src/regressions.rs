//! Inputs that have broken a law. They are kept beside the test and tried first the next time.
//!
//! Each is a file `enjamb-regressions/NAME/LAW-HASH.txt` beside the source of the test, in the
//! readable form of a script: a reader sees the stream and its cuts, and every tool of enjamb can
//! read it. The hash is the 64-bit FNV-1a of the law, the cuts and the body, so a name does not
//! change with the compiler. Any file with the ending `.txt` is read, whatever its name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use enjamb::Transcript;
use enjamb::transcript::{Content, HEADER};

use crate::cutting::Cutting;
use crate::law::Law;
use crate::violation::Violation;

/// The maximum size of an input that is kept, in bytes: the longest messages that the laws make,
/// and some more.
const MOST_BYTES: usize = 64 << 10;

/// An input that has broken a law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Regression {
    pub(crate) path: PathBuf,
    pub(crate) law: Law,
    pub(crate) input: Cutting,
    /// The chunks, which are the messages for a law over messages.
    pub(crate) chunks: Vec<Vec<u8>>,
    pub(crate) cuts: Vec<usize>,
}

/// Returns the folder for the regressions of `name`, whose test is in the source `file`. That path
/// is relative to a folder above the package.
pub(crate) fn folder(file: &str, name: &str) -> Option<PathBuf> {
    let package = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR")?);
    let source = package.ancestors().map(|above| above.join(file)).find(|path| path.is_file())?;
    Some(source.parent()?.join("enjamb-regressions").join(name))
}

/// Reads the regressions in `folder`, in the order of the files' names. A folder that does not
/// exist has none.
///
/// # Errors
/// The path of a file that is not a regression, with the reason.
pub(crate) fn load(folder: &Path) -> Result<Vec<Regression>, String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "txt"));
    paths.sort();
    let read = |path: PathBuf| {
        let invalid = |reason: String| format!("{}: {reason}", path.display());
        let text = fs::read_to_string(&path).map_err(|error| invalid(error.to_string()))?;
        let transcript = Transcript::parse(&text).map_err(|error| invalid(error.to_string()))?;
        let law = text.lines().find_map(|line| line.strip_prefix("# law "));
        let law = law.ok_or_else(|| invalid("there is no line \"# law NAME\"".to_owned()))?;
        let law = law.trim().parse().map_err(|error| invalid(format!("{law}: {error}")))?;
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
                .map_err(|_| invalid(format!("cuts {cuts}: not numbers")))?,
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

/// Keeps `violation` in `folder`, once, and returns the path. `None`: its input is too large.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn save(folder: &Path, violation: &Violation) -> io::Result<Option<PathBuf>> {
    let Violation { law, input, cuts, verdict, messages, .. } = violation;
    // A regression has one order of chunks, and this law compares two.
    // One about a refused message would be read as one about whole messages.
    let of_refused = *law == Law::Alone && messages.is_none();
    if input.len() > MOST_BYTES || *law == Law::Interleaved || of_refused {
        return Ok(None);
    }
    // For a law over messages the chunks are the messages, and the cuts have a line of their own.
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
    let hash = fnv1a([law.name(), "\n", &cuts_line, body].into_iter().flat_map(str::bytes));
    let path = folder.join(format!("{law}-{hash:016x}.txt"));
    let verdict = verdict.replace(['\n', '\r'], " ");
    let text = format!("{HEADER}\n# law {law}\n{cuts_line}# {verdict}\n{body}");
    if let Some(known) = same(folder, &text) {
        return Ok(Some(known));
    }
    fs::create_dir_all(folder)?;
    fs::write(&path, text)?;
    Ok(Some(path))
}

/// Returns a file with this text, perhaps under a name that an earlier version of this crate gave
/// it.
fn same(folder: &Path, text: &str) -> Option<PathBuf> {
    let paths = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    paths.into_iter().find(|path| fs::read_to_string(path).is_ok_and(|known| known == text))
}

/// Returns the 64-bit FNV-1a hash.
fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
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
    fn a_kept_violation_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let messages = vec![b"ab\r\n".to_vec(), b"c\xff".to_vec()];
        let split = save(folder.path(), &violation(Law::Split, None, &[1, 3])).unwrap().unwrap();
        let prompt = save(folder.path(), &violation(Law::Prompt, Some(messages.clone()), &[2])).unwrap().unwrap();
        assert_eq!(save(folder.path(), &violation(Law::Split, None, &[1, 3])).unwrap().unwrap(), split, "once");
        assert!(split.ends_with("split-46a31cf423c7760c.txt"), "{}", split.display());

        let found = load(folder.path()).unwrap();
        let [of_prompt, of_split] = &found[..] else { panic!("{found:?}") };
        assert_eq!((of_split.law, &of_split.path, &of_split.input), (Law::Split, &split, &stream(b"ab\r\nc\xff")));
        assert_eq!(of_split.cuts, [1, 3]);
        assert_eq!((of_prompt.law, &of_prompt.path, &of_prompt.chunks), (Law::Prompt, &prompt, &messages));
        assert_eq!(of_prompt.cuts, [2]);
    }

    #[test]
    fn fnv1a_has_its_published_values() {
        assert_eq!(fnv1a("".bytes()), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a("a".bytes()), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a("foobar".bytes()), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_file_with_an_old_name_is_read_and_not_kept_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = save(folder.path(), &violation(Law::Split, None, &[1])).unwrap().unwrap();
        let old = folder.path().join("split-0a1b2c3d.txt");
        fs::rename(&path, &old).unwrap();
        assert_eq!(save(folder.path(), &violation(Law::Split, None, &[1])).unwrap().unwrap(), old);
        assert_eq!(load(folder.path()).unwrap().len(), 1);
    }

    #[test]
    fn a_file_that_is_not_a_regression_is_named_with_the_reason() {
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
