//! The files that the paths on a command line select.

use std::fmt;
use std::path::{Path, PathBuf};

use enjamb_capture::{Capture, CaptureErrorKind};
use walkdir::WalkDir;

use crate::input::Input;
use crate::transcript_file;

/// The number of directory levels that are searched below a named directory.
const DEPTH_MAX: usize = 64;

/// The inputs that the user named.
#[derive(Debug, Default)]
pub struct Inputs {
    /// The captures and transcripts, in the order in which they are read.
    pub captures: Vec<Input>,
    /// Paths and patterns that select nothing to read.
    pub unreadable: Vec<UnreadableInput>,
    /// The number of files in directories that are neither captures nor transcripts.
    pub passed_over: u64,
    /// The number of captures and transcripts in directories.
    pub in_directories: u64,
}

/// A path or a pattern that selects nothing to read, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableInput {
    /// The path or the pattern.
    pub name: String,
    /// The reason, as a phrase for people.
    pub reason: String,
}

impl UnreadableInput {
    fn new(name: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self { name: name.to_string(), reason: reason.to_string() }
    }
}

impl fmt::Display for UnreadableInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, reason } = self;
        write!(f, "{name}: {reason}")
    }
}

impl Inputs {
    /// Finds the inputs that `paths` select.
    ///
    /// A path is a file, a directory (all captures and transcripts in it, at any depth), a pattern
    /// such as `day/*.pcap`, or `-` for standard input. The files of a directory and the matches of
    /// a pattern come in the order of their names.
    #[must_use]
    pub fn find(paths: &[PathBuf]) -> Self {
        let mut inputs = Self::default();
        for path in paths {
            if path.as_os_str() == Input::STANDARD_INPUT {
                inputs.captures.push(Input::StandardInput);
            } else if path.is_dir() {
                inputs.add_directory(path);
            } else {
                inputs.add_file_or_pattern(path);
            }
        }
        inputs
    }

    /// Returns whether all of `paths` can be read twice, which standard input cannot.
    #[must_use]
    pub fn are_files(paths: &[PathBuf]) -> bool {
        paths.iter().all(|path| path.as_os_str() != Input::STANDARD_INPUT)
    }

    /// Moves the files that cannot be opened, or that are neither captures nor transcripts, to
    /// [`unreadable`](Self::unreadable). Pipes and standard input are not touched.
    pub fn check(&mut self) {
        for input in std::mem::take(&mut self.captures) {
            match unreadable_because(&input) {
                Some(reason) => self.unreadable.push(UnreadableInput::new(&input, reason)),
                None => self.captures.push(input),
            }
        }
    }

    /// Returns a sentence about the files that were passed over, if there are any.
    #[must_use]
    pub fn passed_over(&self) -> Option<String> {
        let files = |count: u64| format!("{count} file{}", if count == 1 { "" } else { "s" });
        let (read, others) = (files(self.in_directories), self.passed_over);
        let are = match others {
            0 => return None,
            1 => "1 other is neither a capture nor a transcript, and is",
            _ => "others are neither captures nor transcripts, and are",
        };
        let others = if others == 1 { String::new() } else { format!("{others} ") };
        Some(format!("reading {read} in directories; {others}{are} passed over"))
    }

    /// Adds a directory that the user named. It is an error if it contains nothing to read.
    fn add_directory(&mut self, folder: &Path) {
        let found = |inputs: &Self| inputs.captures.len() + inputs.unreadable.len();
        let before = found(self);
        self.walk(folder);
        if found(self) == before {
            let reason = "there is neither a capture nor a transcript in this directory";
            self.unreadable.push(UnreadableInput::new(folder.display(), reason));
        }
    }

    fn add_file_or_pattern(&mut self, path: &Path) {
        // A path that exists is a file, even if its name contains the characters of a pattern.
        let pattern = path.to_str().filter(|text| !path.exists() && text.contains(['*', '?', '[']));
        let Some(pattern) = pattern else {
            self.captures.push(Input::File(path.to_owned()));
            return;
        };
        let matches = match glob::glob(pattern) {
            Ok(matches) => matches,
            Err(error) => return self.unreadable.push(UnreadableInput::new(pattern, error)),
        };
        let before = self.captures.len();
        for found in matches {
            match found {
                Ok(path) if path.is_dir() => self.walk(&path),
                Ok(path) => self.captures.push(Input::File(path)),
                Err(error) => self.unreadable.push(UnreadableInput::new(error.path().display(), error.error())),
            }
        }
        if self.captures.len() == before {
            self.unreadable.push(UnreadableInput::new(pattern, "nothing matches this pattern"));
        }
    }

    /// Adds all captures and transcripts in a directory and below it. Other files are passed over,
    /// since the user did not name them.
    fn walk(&mut self, folder: &Path) {
        // Links to directories are not followed, since they may lead in a circle; links to files
        // are.
        let files = WalkDir::new(folder).max_depth(DEPTH_MAX).sort_by_file_name();
        for entry in files {
            let path = match entry {
                Ok(entry) if entry.file_type().is_dir() => continue,
                Ok(entry) => entry.into_path(),
                Err(error) => {
                    let name = error.path().unwrap_or(folder).display().to_string();
                    let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                    self.unreadable.push(UnreadableInput { name, reason });
                    continue;
                }
            };
            if !path.is_file() {
                continue;
            }
            match Capture::open(&path) {
                Err(error)
                    if matches!(error.kind, CaptureErrorKind::NotACapture(_))
                        && !transcript_file::is_transcript(&path) =>
                {
                    self.passed_over += 1;
                }
                _ => {
                    self.in_directories += 1;
                    self.captures.push(Input::File(path));
                }
            }
        }
    }
}

/// Returns the reason why a file gives no events, as far as its first bytes tell.
fn unreadable_because(input: &Input) -> Option<String> {
    let Input::File(path) = input else { return None };
    match path.metadata() {
        Err(error) => return Some(error.to_string()),
        // Opening a pipe would take its first bytes.
        Ok(metadata) if !metadata.is_file() => return None,
        Ok(_) => {}
    }
    if let Err(error) = std::fs::File::open(path) {
        return Some(error.to_string());
    }
    match Capture::open(path) {
        Err(error)
            if matches!(error.kind, CaptureErrorKind::NotACapture(_)) && !transcript_file::is_transcript(path) =>
        {
            Some(error.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::Inputs;
    use crate::input::Input;

    fn names(inputs: &Inputs, folder: &Path) -> Vec<String> {
        let name = |input: &Input| input.to_string().replace(&format!("{}/", folder.display()), "");
        inputs.captures.iter().map(name).collect()
    }

    #[test]
    fn directories_and_patterns_give_their_captures_in_order_of_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        std::fs::create_dir_all(folder.join("b/c")).expect("a folder");
        let header = [0xa1b2_c3d4u32, 0, 0, 0, 0, 1].map(u32::to_le_bytes).concat();
        for (name, bytes) in [
            ("z.pcap", &header[..]),
            ("a.pcap", &header),
            ("b/c/d", &header),
            ("notes.txt", b"not a capture"),
            ("seed.txt", b"enjamb transcript 1\n"),
            ("cut.pcap", &header[..10]),
            ("w[1].pcap", &header),
        ] {
            std::fs::write(folder.join(name), bytes).expect("writable");
        }
        let find = |names: &[&str]| {
            let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
            Inputs::find(&paths)
        };
        let all = find(&[""]);
        assert_eq!(names(&all, folder), ["a.pcap", "b/c/d", "cut.pcap", "seed.txt", "w[1].pcap", "z.pcap"]);
        assert_eq!((all.passed_over, all.unreadable.len()), (1, 0));
        assert_eq!(names(&find(&["?.pcap", "b"]), folder), ["a.pcap", "z.pcap", "b/c/d"]);
        assert_eq!(names(&find(&["w[1].pcap", "notes.txt"]), folder), ["w[1].pcap", "notes.txt"], "asked for by name");
        std::fs::create_dir(folder.join("empty")).expect("a folder");
        std::fs::write(folder.join("empty/notes.txt"), b"not a capture").expect("writable");
        let nothing = find(&["empty", "a.pcap"]);
        assert_eq!((nothing.captures.len(), nothing.passed_over, nothing.unreadable.len()), (1, 1, 1));
        assert!(nothing.unreadable[0].reason.contains("neither a capture nor a transcript"));
        let none = find(&["*.cap"]);
        assert_eq!((none.captures.len(), &none.unreadable[0].reason[..]), (0, "nothing matches this pattern"));
    }

    #[test]
    fn a_dash_is_standard_input() {
        assert_eq!(Inputs::find(&["-".into()]).captures, [Input::StandardInput]);
    }
}
