//! Which captures and transcripts are meant: files, everything in directories, what a pattern matches, standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use enjamb_capture::{Capture, CaptureErrorKind};

use crate::transcripts;

/// The name that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// How deep directories are looked into.
const DEPTH_MAX: usize = 64;

/// A capture or a transcript to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// What is piped in.
    StandardInput,
    /// The file at this path.
    File(PathBuf),
}

impl Input {
    /// What it is called in messages.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::StandardInput => "standard input".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// Its bytes.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(&self) -> io::Result<Box<dyn Read>> {
        match self {
            Self::StandardInput => Ok(Box::new(io::stdin())),
            Self::File(path) => Ok(Box::new(File::open(path)?)),
        }
    }
}

/// What was asked for.
#[derive(Debug, Default)]
pub struct Inputs {
    /// In the order in which they are to be read.
    pub captures: Vec<Input>,
    /// What cannot be read, and why.
    pub unreadable: Vec<(String, String)>,
    /// Files in directories that are neither captures nor transcripts.
    pub passed_over: u64,
}

impl Inputs {
    /// Finds what `paths` stand for. The files of a directory and the matches of a pattern are in the order of their names.
    #[must_use]
    pub fn find(paths: &[PathBuf]) -> Self {
        let mut inputs = Self::default();
        for path in paths {
            if path.as_os_str() == STANDARD_INPUT {
                inputs.captures.push(Input::StandardInput);
            } else if path.is_dir() {
                inputs.named_directory(path);
            } else {
                inputs.file_or_pattern(path);
            }
        }
        inputs
    }

    /// Is none of them standard input, which cannot be read twice?
    #[must_use]
    pub fn are_files(paths: &[PathBuf]) -> bool {
        paths.iter().all(|path| path.as_os_str() != STANDARD_INPUT)
    }

    /// That files were passed over, in words.
    #[must_use]
    pub fn passed_over(&self) -> Option<String> {
        match self.passed_over {
            0 => None,
            1 => Some("1 file in directories is neither a capture nor a transcript, and was passed over".to_owned()),
            count => {
                Some(format!("{count} files in directories are neither captures nor transcripts, and were passed over"))
            }
        }
    }

    /// A directory that somebody asked for: it is an error if there is nothing to read in it.
    fn named_directory(&mut self, folder: &Path) {
        let found = |inputs: &Self| inputs.captures.len() + inputs.unreadable.len();
        let before = found(self);
        self.directory(folder, DEPTH_MAX);
        if found(self) == before {
            let nothing = "there is neither a capture nor a transcript in this directory".to_owned();
            self.unreadable.push((folder.display().to_string(), nothing));
        }
    }

    fn file_or_pattern(&mut self, path: &Path) {
        // A file is what it is called, whatever is in its name.
        let pattern = path.to_str().filter(|text| !path.exists() && text.contains(['*', '?', '[']));
        let Some(pattern) = pattern else {
            self.captures.push(Input::File(path.to_owned()));
            return;
        };
        let matches = match glob::glob(pattern) {
            Ok(matches) => matches,
            Err(error) => return self.unreadable.push((pattern.to_owned(), error.to_string())),
        };
        let before = self.captures.len();
        for found in matches {
            match found {
                Ok(path) if path.is_dir() => self.directory(&path, DEPTH_MAX),
                Ok(path) => self.captures.push(Input::File(path)),
                Err(error) => self.unreadable.push((error.path().display().to_string(), error.error().to_string())),
            }
        }
        if self.captures.len() == before {
            self.unreadable.push((pattern.to_owned(), "nothing matches this pattern".to_owned()));
        }
    }

    /// All captures and transcripts in a directory and those in it. What is neither is passed over: nobody asked for it by name.
    fn directory(&mut self, folder: &Path, depth: usize) {
        let mut entries: Vec<PathBuf> = match std::fs::read_dir(folder) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
            Err(error) => return self.unreadable.push((folder.display().to_string(), error.to_string())),
        };
        entries.sort();
        for path in entries {
            // Links to directories may lead in a circle.
            let Ok(kind) = std::fs::symlink_metadata(&path).map(|metadata| metadata.file_type()) else {
                continue;
            };
            if kind.is_dir() && depth > 1 {
                self.directory(&path, depth - 1);
            } else if path.is_file() {
                match Capture::open(&path) {
                    Err(error)
                        if matches!(error.kind, CaptureErrorKind::NotACapture(_)) && !transcripts::is_one(&path) =>
                    {
                        self.passed_over += 1;
                    }
                    _ => self.captures.push(Input::File(path)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Input, Inputs};

    fn names(inputs: &Inputs, folder: &Path) -> Vec<String> {
        let name = |input: &Input| input.name().replace(&format!("{}/", folder.display()), "");
        inputs.captures.iter().map(name).collect()
    }

    #[test]
    fn directories_and_patterns_stand_for_the_captures_in_them_in_order() {
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
        assert!(nothing.unreadable[0].1.contains("neither a capture nor a transcript"));
        let none = find(&["*.cap"]);
        assert_eq!((none.captures.len(), &none.unreadable[0].1[..]), (0, "nothing matches this pattern"));
    }

    #[test]
    fn a_dash_is_standard_input() {
        assert_eq!(Inputs::find(&["-".into()]).captures, [Input::StandardInput]);
    }
}
