//! A capturing program that is installed here: dumpcap or tcpdump.
//!
//! To capture takes privileges. The program has them, and this process does not need them: it reads
//! the capture that the program writes to its standard output.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

/// The memory of the kernel for packets that the program has not read yet, in MiB. The default of
/// both programs is 2, which a loopback interface fills in some milliseconds.
const BUFFER_MIB: u32 = 32;

/// The maximum length of the messages of a program that are kept, in bytes.
const MESSAGES_MAX: u64 = 64 << 10;

/// A program that captures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CapturingProgram {
    /// `dumpcap`, of Wireshark.
    Dumpcap,
    /// `tcpdump`.
    Tcpdump,
}

/// The packets to capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureRequest {
    /// The network interface: `lo`, `eth0`, or `any` on Linux.
    pub interface: String,
    /// A filter in the language of libpcap, such as `tcp port 6379`. Empty: all packets.
    pub filter: String,
    /// The program. `None`: the first one of [`CapturingProgram::ALL`] that is installed.
    pub program: Option<CapturingProgram>,
}

/// A capturing program that runs. It is ended when this value is dropped.
#[derive(Debug)]
pub struct Capturer {
    program: CapturingProgram,
    child: Child,
    /// The messages that the program has written to standard error.
    messages: Option<JoinHandle<String>>,
}

/// The counts that a capturing program gives at its end. `None`: it gave none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CapturerCounts {
    /// The packets that the kernel dropped, since the program did not read them in time.
    pub dropped: Option<u64>,
}

/// The reason why nothing is captured.
#[derive(Debug)]
#[non_exhaustive]
pub enum CapturerError {
    /// No capturing program is installed.
    NotInstalled(Vec<CapturingProgram>),
    /// The program may not capture, or may not be run by this user.
    NotPermitted(CapturingProgram, String),
    /// There is no such network interface. The last value lists those that there are.
    NoInterface(String, Vec<String>),
    /// The program ended with an error, which is its message.
    Failed(CapturingProgram, String),
    /// The program cannot be run.
    Io(CapturingProgram, io::Error),
}

impl CapturingProgram {
    /// All programs. The first one that is installed is the default.
    pub const ALL: [Self; 2] = [Self::Dumpcap, Self::Tcpdump];

    /// Returns the name of the command.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dumpcap => "dumpcap",
            Self::Tcpdump => "tcpdump",
        }
    }

    /// The package that has the program, in Debian and its derivatives.
    const fn package(self) -> &'static str {
        match self {
            Self::Dumpcap => "wireshark-common",
            Self::Tcpdump => "tcpdump",
        }
    }

    fn command(self, request: &CaptureRequest) -> Command {
        let mut command = Command::new(self.name());
        command.args(["-i", &request.interface]);
        match self {
            // Without a count of packets on standard error.
            Self::Dumpcap => command.args(["-q", "-B", &BUFFER_MIB.to_string()]),
            // What the kernel gives is written at once; names are not looked up. The size is in KiB. Not
            // --immediate-mode, in which the buffer has room for some hundred packets only.
            Self::Tcpdump => command.args(["-U", "-n", "-B", &(BUFFER_MIB << 10).to_string()]),
        };
        command.args(["-w", "-"]);
        if !request.filter.is_empty() {
            match self {
                Self::Dumpcap => command.args(["-f", &request.filter]),
                Self::Tcpdump => command.arg(&request.filter),
            };
        }
        // The messages are compared with texts.
        command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

impl Capturer {
    /// Starts the program. Returns it with the capture that it writes.
    ///
    /// A program that may not capture ends at once, with an empty capture: [`finish`](Self::finish)
    /// has the reason.
    ///
    /// # Errors
    /// No program is installed, or it cannot be run.
    pub fn start(request: &CaptureRequest) -> Result<(Self, ChildStdout), CapturerError> {
        let programs = request.program.map_or(CapturingProgram::ALL.to_vec(), |program| vec![program]);
        let mut refused = None;
        for &program in &programs {
            match program.command(request).spawn() {
                Ok(mut child) => {
                    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
                    let messages = stderr.map(|stderr| std::thread::spawn(move || read_messages(stderr)));
                    let capturer = Self { program, child, messages };
                    let missing = || io::Error::other("it has no standard output");
                    return stdout.map(|out| (capturer, out)).ok_or_else(|| CapturerError::Io(program, missing()));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    refused.get_or_insert(CapturerError::NotPermitted(program, "this user may not run it".to_owned()));
                }
                Err(error) => return Err(CapturerError::Io(program, error)),
            }
        }
        Err(refused.unwrap_or(CapturerError::NotInstalled(programs)))
    }

    /// Returns the program.
    #[must_use]
    pub const fn program(&self) -> CapturingProgram {
        self.program
    }

    /// Returns a function that asks the program to write its last packets and to end. On a terminal
    /// it was asked already, by the same Ctrl-C as this process.
    pub fn interrupter(&self) -> impl FnOnce() + Send + 'static {
        let id = self.child.id();
        move || {
            #[cfg(unix)]
            if let Some(process) = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw) {
                // It fails if the program has ended.
                let _ = rustix::process::kill_process(process, rustix::process::Signal::INT);
            }
            #[cfg(not(unix))]
            let _ = id;
        }
    }

    /// Waits for the end of the program, which follows the end of its capture. `interrupted`:
    /// whether the user has ended it, so that its end is no failure.
    ///
    /// # Errors
    /// The program could not capture, or failed later.
    pub fn finish(mut self, interface: &str, interrupted: bool) -> Result<CapturerCounts, CapturerError> {
        let status = self.child.wait().map_err(|error| CapturerError::Io(self.program, error))?;
        let messages = self.messages.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        if status.success() || interrupted {
            return Ok(CapturerCounts { dropped: dropped(&messages) });
        }
        Err(self.error(&messages, interface, &status))
    }

    fn error(&self, messages: &str, interface: &str, status: &dyn fmt::Display) -> CapturerError {
        let lower = messages.to_ascii_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
        let message = || {
            let own = format!("{}: ", self.program.name());
            let lines = messages.lines().map(|line| line.strip_prefix(&own).unwrap_or(line).trim());
            let is_about = |line: &&str| {
                !line.is_empty() && !line.starts_with("Capturing on") && !line.starts_with("tcpdump: listening")
            };
            let line = lines.clone().find(is_about).map(|line| line.trim_end_matches('.'));
            line.map_or_else(|| status.to_string(), ToOwned::to_owned)
        };
        if has(&["permission", "not permitted"]) {
            CapturerError::NotPermitted(self.program, message())
        } else if has(&["no such device", "no device named", "no interface", "not found: no such"]) {
            CapturerError::NoInterface(interface.to_owned(), interfaces())
        } else {
            CapturerError::Failed(self.program, message())
        }
    }
}

impl Drop for Capturer {
    fn drop(&mut self) {
        // Both fail if the program has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads all messages, and keeps the last of them.
fn read_messages(stderr: impl Read) -> String {
    let mut kept = String::new();
    let mut lines = BufReader::new(stderr.take(u64::MAX));
    let mut line = Vec::new();
    while let Ok(length @ 1..) = lines.by_ref().take(MESSAGES_MAX).read_until(b'\n', &mut line) {
        if kept.len() + length > MESSAGES_MAX as usize {
            kept.clear();
        }
        kept.push_str(&String::from_utf8_lossy(&line));
        line.clear();
    }
    kept
}

/// Returns the number of dropped packets in the messages of a program that has ended.
///
/// dumpcap: `Packets received/dropped on interface 'lo': 10/0 (pcap:0/...) (100.0%)`, for each
/// interface. tcpdump: `0 packets dropped by kernel`, and `by interface` if there are any.
fn dropped(messages: &str) -> Option<u64> {
    let counts = messages.lines().filter_map(|line| {
        if let Some((_, counts)) = line.rsplit_once("': ").filter(|_| line.starts_with("Packets received/dropped")) {
            return counts.split_once('/')?.1.split_whitespace().next()?.parse::<u64>().ok();
        }
        let (count, rest) = line.trim().split_once(' ')?;
        let is_dropped = rest.starts_with("packets dropped by") || rest.starts_with("packet dropped by");
        if is_dropped { count.parse().ok() } else { None }
    });
    counts.fold(None, |sum, count| Some(sum.unwrap_or(0_u64).saturating_add(count)))
}

/// Returns the names of the network interfaces, as Linux lists them. Empty elsewhere.
fn interfaces() -> Vec<String> {
    let entries = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

impl fmt::Display for CapturingProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for CapturerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstalled(programs) => {
                let names: Vec<_> = programs.iter().map(|program| program.name()).collect();
                let packages: Vec<_> = programs.iter().map(|program| program.package()).collect();
                write!(
                    f,
                    "{} is not installed, and captures need it; in Debian it is in the package {}",
                    names.join(" or "),
                    packages.join(" or ")
                )
            }
            Self::NotPermitted(program, message) => write!(
                f,
                "{program} may not capture: {message}; run it as root, or permit it to this user: \
                 sudo setcap cap_net_raw,cap_net_admin+ep \"$(command -v {program})\""
            ),
            Self::NoInterface(name, others) if others.is_empty() => write!(f, "there is no network interface {name}"),
            Self::NoInterface(name, others) => {
                write!(f, "there is no network interface {name}; there are {}", others.join(", "))
            }
            Self::Failed(program, message) => write!(f, "{program} failed: {message}"),
            Self::Io(program, error) => write!(f, "{program} cannot be run: {error}"),
        }
    }
}

impl std::error::Error for CapturerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(_, error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_packets_are_read_from_the_messages_of_both_programs() {
        let dumpcap = "Capturing on 'lo' and 'eth0'\nFile: -\nPackets captured: 10\n\
            Packets received/dropped on interface 'Loopback: lo': 10/3 (pcap:3/dumpcap:0/flushed:0/ps_ifdrop:0) (100.0%)\n\
            Packets received/dropped on interface 'eth0': 0/4 (pcap:4/dumpcap:0/flushed:0/ps_ifdrop:0) (0.0%)\n";
        assert_eq!(dropped(dumpcap), Some(7));
        let tcpdump = "tcpdump: listening on lo, link-type EN10MB\n9 packets captured\n18 packets received by filter\n\
            2 packets dropped by kernel\n1 packet dropped by interface\n";
        assert_eq!(dropped(tcpdump), Some(3));
        assert_eq!(dropped("tcpdump: listening on lo\n"), None);
    }

    #[test]
    fn messages_are_kept_up_to_a_limit_and_need_not_be_utf_8() {
        let text = [b"\xff first\n".repeat(100_000), b"last".to_vec()].concat();
        let kept = read_messages(text.as_slice());
        assert!(kept.ends_with("\u{fffd} first\nlast") && kept.len() <= MESSAGES_MAX as usize, "{}", kept.len());
    }
}
