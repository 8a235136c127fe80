//! Clients that wait: whether the threads of a client sleep, as the system reports it.
//!
//! A client that connects to an address reads through a socket of its own, so its reads cannot be
//! seen. On Linux the state of its threads can. If all of them sleep, and none ran between two
//! looks at them, the client waits for bytes. A `sleep` looks the same, so the name of the place
//! where a thread waits is read too. Elsewhere a pause must do.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The time for which another thread may be busy while the caller sleeps. After that it counts as a
/// thread of somebody else, such as another test of the same process.
const OTHERS_MAX: Duration = Duration::from_millis(50);

/// The time after which a client counts as idle where the state of a thread cannot be read.
const PAUSE: Duration = Duration::from_millis(2);

/// The threads that belong to no client, by their names under `/proc/self/task`.
static STRANGERS: Mutex<BTreeSet<OsString>> = Mutex::new(BTreeSet::new());

/// The threads of a client.
pub(super) struct ClientThreads {
    /// The files of the thread that calls the client; `None` where the system has none.
    caller: Option<ThreadFiles>,
    /// The threads that existed before the client did.
    older: BTreeSet<OsString>,
    last: Look,
    /// The time of the first look that saw the caller as the last one did.
    since: Instant,
}

/// The result of a look at the threads.
#[derive(Default)]
struct Look {
    /// What the caller has run until now, if it sleeps.
    caller: Option<Vec<u8>>,
    /// What each of the other threads has run, if all of them sleep.
    others: Option<Vec<Vec<u8>>>,
}

/// The open files of one thread under `/proc`. They can be read from another thread.
struct ThreadFiles {
    stat: File,
    schedstat: File,
    wchan: File,
}

impl ClientThreads {
    /// Notes the calling thread as the one that will call the client.
    pub(super) fn of_caller() -> Self {
        let caller = if is_readable() { ThreadFiles::of("/proc/thread-self").ok() } else { None };
        let older = if caller.is_some() { threads() } else { BTreeSet::new() };
        Self { caller, older, last: Look::default(), since: Instant::now() }
    }

    /// Forgets the last look, because the client was given something.
    pub(super) fn restart(&mut self) {
        self.last = Look::default();
        self.since = Instant::now();
    }

    /// Looks at the threads once. Returns whether they have slept since the last look.
    pub(super) fn are_idle(&mut self) -> bool {
        let Some(files) = &self.caller else {
            return self.since.elapsed() >= PAUSE;
        };
        let caller = files.asleep();
        if caller.is_none() || caller != self.last.caller {
            self.last = Look { caller, others: None };
            self.since = Instant::now();
            return false;
        }
        if files.is_in_timed_sleep() {
            return false;
        }
        let (others, busy) = self.look_at_others();
        if !busy.is_empty() && self.since.elapsed() >= OTHERS_MAX {
            strangers().extend(busy);
        }
        // One of the others may have woken the caller before it fell asleep.
        let idle = others.as_ref().is_some_and(|others| others.is_empty() || self.last.others.as_ref() == Some(others));
        self.last.others = others;
        idle
    }

    /// Returns what each of the other threads has run, if all of them sleep, and those that do not.
    fn look_at_others(&self) -> (Option<Vec<Vec<u8>>>, Vec<OsString>) {
        let (mut asleep, mut busy) = (Vec::new(), Vec::new());
        for thread in threads().into_iter().filter(|thread| !self.older.contains(thread)) {
            if strangers().contains(&thread) {
                continue;
            }
            // A thread without files has ended.
            let Ok(files) = ThreadFiles::of(Path::new("/proc/self/task").join(&thread)) else { continue };
            match files.asleep().filter(|_| !files.is_in_timed_sleep()) {
                Some(ran) => asleep.push(ran),
                None => busy.push(thread),
            }
        }
        (busy.is_empty().then_some(asleep), busy)
    }
}

/// Notes the calling thread as one that belongs to no client.
pub(super) fn leave_out_caller() {
    if let Some(name) = fs::read_link("/proc/thread-self").ok().as_deref().and_then(Path::file_name) {
        strangers().insert(name.to_owned());
    }
}

/// Forgets the calling thread, which is about to end.
pub(super) fn forget_caller() {
    if let Some(name) = fs::read_link("/proc/thread-self").ok().as_deref().and_then(Path::file_name) {
        strangers().remove::<OsStr>(name);
    }
}

fn strangers() -> std::sync::MutexGuard<'static, BTreeSet<OsString>> {
    STRANGERS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ThreadFiles {
    fn of(folder: impl AsRef<Path>) -> io::Result<Self> {
        let open = |name: &str| File::open(folder.as_ref().join(name));
        Ok(Self { stat: open("stat")?, schedstat: open("schedstat")?, wchan: open("wchan")? })
    }

    /// Returns what the thread has run until now, if it sleeps.
    fn asleep(&self) -> Option<Vec<u8>> {
        let stat = read(&self.stat).ok()?;
        (state(&stat) == Some(b'S')).then(|| read(&self.schedstat).ok()).flatten()
    }

    /// Returns whether the thread waits for a time to pass, where the system reports that.
    fn is_in_timed_sleep(&self) -> bool {
        read(&self.wchan).is_ok_and(|place| String::from_utf8_lossy(&place).contains("nanosleep"))
    }
}

/// Reads a small file from its start.
#[cfg(unix)]
fn read(file: &File) -> io::Result<Vec<u8>> {
    use std::os::unix::fs::FileExt as _;
    let mut bytes = [0; 1024];
    let read = file.read_at(&mut bytes, 0)?;
    Ok(bytes[..read].to_vec())
}

#[cfg(not(unix))]
fn read(_: &File) -> io::Result<Vec<u8>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns the state in a `stat` file: one letter behind the name, which is in parentheses.
fn state(stat: &[u8]) -> Option<u8> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    stat.get(name_end + 2).copied()
}

/// Returns the threads of this process.
fn threads() -> BTreeSet<OsString> {
    let entries = fs::read_dir("/proc/self/task").into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect()
}

/// Returns whether the system reports states of threads that can be true: a thread that looks at
/// itself runs.
fn is_readable() -> bool {
    static READABLE: OnceLock<bool> = OnceLock::new();
    *READABLE.get_or_init(|| {
        let runs = |files: &ThreadFiles| read(&files.stat).is_ok_and(|stat| state(&stat) == Some(b'R'));
        ThreadFiles::of("/proc/thread-self")
            .is_ok_and(|files| runs(&files) && read(&files.schedstat).is_ok_and(|ran| !ran.is_empty()))
    })
}
