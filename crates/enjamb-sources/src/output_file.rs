//! Files that a tool writes.
//!
//! A slip on the command line must not cost a capture: `--html *.pcap` without the name of the
//! report would replace the first capture. So a file that exists is replaced only if it is empty,
//! or if it begins as a file of the same kind that enjamb wrote. An input is never replaced, under
//! whatever name and through whatever link it is reached. `--force` allows both.
//!
//! The first bytes decide, not the name:
//!
//! | kind | begins with |
//! |---|---|
//! | report | `<!DOCTYPE html>`, and [`REPORT_MARK`] in its first kilobyte |
//! | recording | a pcapng section header with the application `enjamb` |
//! | log | a line with the date, such as `--- 2026-01-31 UTC`, or a JSON record of enjamb |
//! | manual page | the roff that the commands `man` write, with the page's own title |

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::input::Input;
use crate::inputs::Inputs;

/// The element that the head of a report begins with.
pub const REPORT_MARK: &str = "<meta name=\"generator\" content=\"enjamb\">";

/// The number of bytes of a file that decide whether enjamb wrote it.
const BEGINNING: u64 = 1024;

/// The kind of a file that a tool writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputKind {
    /// The HTML report of `replay`.
    Report,
    /// The capture that `proxy` records.
    Recording,
    /// The log of `proxy`, as text or as JSON lines.
    Log,
    /// A manual page.
    ManualPage,
}

impl OutputKind {
    fn noun(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Recording => "recording",
            Self::Log => "log",
            Self::ManualPage => "manual page",
        }
    }

    /// Sets the permissions of a new file. A log and a recording have what passes between others,
    /// so only their owner may read them.
    fn created_by(self, options: &mut OpenOptions) -> &mut OpenOptions {
        #[cfg(unix)]
        if matches!(self, Self::Log | Self::Recording) {
            use std::os::unix::fs::OpenOptionsExt as _;
            return options.mode(0o600);
        }
        options
    }

    /// Returns whether a file that begins with `bytes` is of this kind and was written by enjamb.
    fn is_ours(self, bytes: &[u8]) -> bool {
        let contains = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        match self {
            Self::Report => bytes.starts_with(b"<!DOCTYPE html>") && contains(REPORT_MARK),
            Self::Recording => is_recording(bytes),
            Self::Log => is_text_log(bytes) || is_json_log(bytes),
            Self::ManualPage => bytes.starts_with(b".ie \\n(.g .ds Aq ") && contains("\n.TH "),
        }
    }
}

/// Returns whether a capture begins with a section that enjamb recorded: the option `shb_userappl`
/// is `enjamb`.
fn is_recording(bytes: &[u8]) -> bool {
    const SECTION: &[u8] = &[0x0a, 0x0d, 0x0d, 0x0a];
    const APPLICATION: &[u8] = &[4, 0, 6, 0, b'e', b'n', b'j', b'a', b'm', b'b'];
    const FIXED: usize = 24;
    let options = bytes.get(FIXED..FIXED + APPLICATION.len());
    bytes.starts_with(SECTION) && options == Some(APPLICATION)
}

/// Returns whether a file begins with the line that a day begins with in the text form of records.
fn is_text_log(bytes: &[u8]) -> bool {
    let is_like = |byte: &u8, like: &u8| if *like == b'0' { byte.is_ascii_digit() } else { byte == like };
    const LINE: &[u8] = b"--- 0000-00-00 UTC\n";
    bytes.len() >= LINE.len() && bytes.iter().zip(LINE).all(|(byte, like)| is_like(byte, like))
}

/// Returns whether a file begins as a record in JSON.
fn is_json_log(bytes: &[u8]) -> bool {
    const TIMED: [&str; 5] = ["opened", "message", "gap", "ended", "error"];
    let timed = TIMED.map(|name| format!("{{\"type\":\"{name}\",\"time\":\""));
    timed.iter().any(|beginning| bytes.starts_with(beginning.as_bytes()))
        || bytes.starts_with(b"{\"client\":{\"bytes\":") && bytes.windows(9).any(|part| part == b"\"chunks\":")
}

/// The reason why a file is not written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The file is also an input.
    #[error("{} is also an input, which the {noun} would replace; name another file{}", path.display(), forgotten(noun))]
    Input {
        /// The path of the file.
        path: PathBuf,
        /// The kind of output.
        noun: &'static str,
    },
    /// The file exists, and does not begin as one that enjamb wrote.
    #[error("{} exists and is not a {noun} that enjamb wrote, so it is not replaced; name another file, or add --force", path.display())]
    Foreign {
        /// The path of the file.
        path: PathBuf,
        /// The kind of output.
        noun: &'static str,
    },
    /// Two outputs are one file.
    #[error("{} and {} are the same file", first.display(), second.display())]
    Same {
        /// The path of the first output.
        first: PathBuf,
        /// The path of the second output.
        second: PathBuf,
    },
    /// Standard output goes into a file that is also an input.
    #[error("standard output goes into {}, which is also an input", path.display())]
    StandardOutput {
        /// The path of the input.
        path: PathBuf,
    },
    /// The file cannot be opened or read.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

impl OutputError {
    /// Returns whether the command line has to be changed. Otherwise the system refused.
    #[must_use]
    pub fn is_wrong_usage(&self) -> bool {
        !matches!(self, Self::Io { .. })
    }
}

/// Returns the likely reason why an input was named as a report: `--html *.pcap`.
fn forgotten(noun: &str) -> &'static str {
    if noun == "report" { " (was the name of the report forgotten?)" } else { "" }
}

/// A file that a tool is about to write. Its old content stays until [`replace`](Self::replace).
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    kind: OutputKind,
    /// `None` once it was given away.
    file: Option<File>,
    force: bool,
    /// Whether opening created it. It is removed again if it is never written.
    created: bool,
}

impl OutputFile {
    /// Opens a file to be written. With `force`, any file may be replaced.
    ///
    /// Pipes, terminals and other files without a content of their own are always opened. A disk
    /// is not.
    ///
    /// # Errors
    /// [`OutputError::Foreign`] if the file exists and enjamb did not write it, and
    /// [`OutputError::Io`].
    pub fn open(path: &Path, kind: OutputKind, force: bool) -> Result<Self, OutputError> {
        let failed = |source| OutputError::Io { path: path.to_owned(), source };
        let opened = |file, created| Self { path: path.to_owned(), kind, file: Some(file), force, created };
        let foreign = || OutputError::Foreign { path: path.to_owned(), noun: kind.noun() };
        match kind.created_by(OpenOptions::new().write(true).create_new(true)).open(path) {
            Ok(file) => return Ok(opened(file, true)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
        match path.metadata() {
            Ok(metadata) if metadata.is_file() => {}
            Ok(metadata) if is_disk(&metadata) && !force => return Err(foreign()),
            // A link to a file that does not exist yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut options = OpenOptions::new();
                let options = kind.created_by(options.write(true).create(true).truncate(false));
                let file = options.open(path).map_err(failed)?;
                return Ok(opened(file, false));
            }
            _ => return OpenOptions::new().write(true).open(path).map(|file| opened(file, false)).map_err(failed),
        }
        if force {
            return OpenOptions::new().write(true).open(path).map(|file| opened(file, false)).map_err(failed);
        }
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
        let mut beginning = Vec::new();
        (&mut file).take(BEGINNING).read_to_end(&mut beginning).map_err(failed)?;
        if !beginning.is_empty() && !kind.is_ours(&beginning) {
            return Err(foreign());
        }
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        Ok(opened(file, false))
    }

    /// Checks that the file is none of the inputs.
    ///
    /// # Errors
    /// [`OutputError::Input`], or [`OutputError::Io`] if the system cannot identify the file.
    pub fn check_inputs(&self, inputs: &Inputs) -> Result<(), OutputError> {
        let Some(file) = self.file.as_ref().filter(|_| !self.force) else { return Ok(()) };
        let metadata = file.metadata().map_err(|source| OutputError::Io { path: self.path.clone(), source })?;
        match input_with_identity(inputs, FileIdentity::of(&metadata)) {
            Some(_) => Err(OutputError::Input { path: self.path.clone(), noun: self.kind.noun() }),
            None => Ok(()),
        }
    }

    /// Checks that this and `other` are not the same file.
    ///
    /// # Errors
    /// [`OutputError::Same`], whatever `--force` says: one would destroy the other.
    pub fn check_differs(&self, other: &Self) -> Result<(), OutputError> {
        match (self.written_identity(), other.written_identity()) {
            (Some(first), Some(second)) if first == second => {
                Err(OutputError::Same { first: self.path.clone(), second: other.path.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Checks that standard output, to which something else is written, does not go into this file.
    ///
    /// # Errors
    /// [`OutputError::Same`], whatever `--force` says.
    pub fn check_not_standard_output(&self) -> Result<(), OutputError> {
        let standard_output = std::fs::metadata("/dev/stdout").ok();
        match (self.written_identity(), standard_output.as_ref().and_then(FileIdentity::of_written)) {
            (Some(first), Some(second)) if first == second => {
                Err(OutputError::Same { first: self.path.clone(), second: "standard output".into() })
            }
            _ => Ok(()),
        }
    }

    fn written_identity(&self) -> Option<FileIdentity> {
        FileIdentity::of_written(&self.file.as_ref()?.metadata().ok()?)
    }

    /// Returns the path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Drops the old content, and returns the file.
    ///
    /// # Errors
    /// The system refuses.
    pub fn replace(mut self) -> io::Result<File> {
        // `file` is taken only here and in `append`.
        let Some(file) = self.file.take() else { return Err(io::ErrorKind::NotFound.into()) };
        // A pipe or a terminal has no length to set.
        if file.metadata()?.is_file() {
            file.set_len(0)?;
        }
        Ok(file)
    }
}

impl OutputFile {
    /// Keeps the old content, and returns the file to be written behind it.
    ///
    /// # Errors
    /// The system refuses.
    pub fn append(mut self) -> io::Result<File> {
        // `file` is taken only here and in `replace`.
        let Some(mut file) = self.file.take() else { return Err(io::ErrorKind::NotFound.into()) };
        if file.metadata()?.is_file() {
            file.seek(SeekFrom::End(0))?;
        }
        Ok(file)
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if self.created && self.file.is_some() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Checks that standard output does not go into a file that is also an input, as in
/// `enjamb replay x.pcap >> x.pcap`.
///
/// # Errors
/// [`OutputError::StandardOutput`].
pub fn check_standard_output(inputs: &Inputs) -> Result<(), OutputError> {
    let metadata = std::fs::metadata("/dev/stdout").ok();
    let identity = metadata.as_ref().and_then(FileIdentity::of);
    match input_with_identity(inputs, identity) {
        Some(input) => Err(OutputError::StandardOutput { path: input.to_string().into() }),
        None => Ok(()),
    }
}

/// Returns the input that is the file with this identity.
fn input_with_identity(inputs: &Inputs, identity: Option<FileIdentity>) -> Option<&Input> {
    let identity = identity?;
    inputs.captures.iter().find(|input| {
        let metadata = match input {
            Input::StandardInput => std::fs::metadata("/dev/stdin"),
            Input::File(path) | Input::FollowedFile(path) => path.metadata(),
            Input::Capturer(_) => return false,
        };
        metadata.ok().as_ref().and_then(FileIdentity::of) == Some(identity)
    })
}

/// A file, whatever its name: a path, a hard link and a symbolic link to one file have one
/// identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileIdentity {
    device: u64,
    file: u64,
}

impl FileIdentity {
    /// Returns the identity of a regular file. Other files have no content that could be lost.
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        metadata.is_file().then(|| Self { device: metadata.dev(), file: metadata.ino() })
    }

    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Option<Self> {
        None
    }

    /// Returns the identity of a file in which two outputs would be mixed: a regular file or a
    /// named pipe. A terminal and `/dev/null` take any number.
    #[cfg(unix)]
    fn of_written(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
        let is_mixed = metadata.is_file() || metadata.file_type().is_fifo();
        is_mixed.then(|| Self { device: metadata.dev(), file: metadata.ino() })
    }

    #[cfg(not(unix))]
    fn of_written(metadata: &Metadata) -> Option<Self> {
        Self::of(metadata)
    }
}

#[cfg(unix)]
fn is_disk(metadata: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    metadata.file_type().is_block_device()
}

#[cfg(not(unix))]
fn is_disk(_: &Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// The beginning of a file that enjamb wrote, for each kind.
    fn ours() -> [(OutputKind, Vec<u8>); 5] {
        let recorder = enjamb_capture::Recorder::new(Vec::new());
        let recording = recorder.finish().expect("memory can be written");
        [
            (OutputKind::Report, format!("<!DOCTYPE html><html><head>{REPORT_MARK}").into_bytes()),
            (OutputKind::Recording, recording),
            (OutputKind::Log, b"--- 2026-11-30 UTC\n00:00:01.000000 #1".to_vec()),
            (OutputKind::Log, b"{\"type\":\"opened\",\"time\":\"2026-11-30T00:00:00.000000000Z\"".to_vec()),
            (OutputKind::ManualPage, b".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n.TH enjamb 1".to_vec()),
        ]
    }

    #[test]
    fn a_file_is_replaced_only_by_a_file_of_its_own_kind() {
        let folder = tempfile::tempdir().expect("a folder");
        for (wanted, _) in ours() {
            for (kind, bytes) in ours() {
                let path = folder.path().join("file");
                std::fs::write(&path, &bytes).expect("writable");
                let opened = OutputFile::open(&path, wanted, false);
                assert_eq!(opened.is_ok(), wanted == kind, "{wanted:?} over {kind:?}");
                drop(opened);
                assert_eq!(std::fs::read(&path).expect("readable"), bytes, "the content stays until it is replaced");
            }
        }
    }

    #[test]
    fn foreign_files_stay_unless_forced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notes");
        for bytes in [
            &b"a"[..],
            b"<!DOCTYPE html><html><head><title>mine</title>",
            b"--- 2026-11-30\n",
            b"{\"type\":\"message\",\"text\":\"hello\"}\n",
            &[0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0],
            &[0xd4, 0xc3, 0xb2, 0xa1],
        ] {
            std::fs::write(&path, bytes).expect("writable");
            for (kind, _) in ours() {
                let error = OutputFile::open(&path, kind, false).expect_err("foreign");
                assert!(error.is_wrong_usage() && error.to_string().contains("--force"), "{error}");
            }
            assert!(OutputFile::open(&path, OutputKind::Report, true).is_ok());
            assert_eq!(std::fs::read(&path).expect("readable"), bytes);
        }
        let file = OutputFile::open(&path, OutputKind::Report, true).expect("forced");
        file.replace().expect("writable").write_all(b"new").expect("writable");
        assert_eq!(std::fs::read(&path).expect("readable"), b"new");
    }

    #[cfg(unix)]
    #[test]
    fn an_input_is_known_under_all_of_its_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("sub")).expect("a folder");
        // Empty, so that only its being an input protects it.
        std::fs::write(path("a.pcap"), b"").expect("writable");
        std::fs::hard_link(path("a.pcap"), path("hard")).expect("a link");
        std::os::unix::fs::symlink(path("a.pcap"), path("soft")).expect("a link");
        std::os::unix::fs::symlink(path("soft"), path("softer")).expect("a link");
        for input in ["a.pcap", "hard", "soft"] {
            let inputs = Inputs::find(&[path(input)]);
            for name in ["a.pcap", "hard", "soft", "softer", "sub/../a.pcap", "./a.pcap"] {
                let output = OutputFile::open(&path(name), OutputKind::Report, false).expect("an empty file");
                assert!(matches!(output.check_inputs(&inputs), Err(OutputError::Input { .. })), "{name} of {input}");
            }
            let other = OutputFile::open(&path("other"), OutputKind::Report, false).expect("a new file");
            assert!(other.check_inputs(&inputs).is_ok());
        }
        assert!(!path("other").exists(), "a file that was never written is removed again");
        let [one, two] =
            ["hard", "softer"].map(|name| OutputFile::open(&path(name), OutputKind::Log, true).expect("an empty file"));
        assert!(matches!(one.check_differs(&two), Err(OutputError::Same { .. })));
    }
}
