//! Records as a dataset: a directory of Parquet files, partitioned by protocol as Hive has it.
//!
//! ```text
//! DIR/protocol=http1/part-00000.parquet
//! DIR/protocol=redis/part-00000.parquet
//! DIR/protocol=__HIVE_DEFAULT_PARTITION__/part-00000.parquet    records without a protocol: what was opened, gaps
//! DIR/_summary.json                                             the summary, when all is there
//! ```
//!
//! Questions are mostly about one protocol, whose kinds and codes are words of its own, so its rows lie together. Within a file they lie in the order of the records, which is roughly that
//! of time; with the least and the greatest of each row group and page in the footer, a time span is found without reading the rest. A partition by
//! day would give a capture with wrong clocks as many files as it has days.
//!
//! A file has a name that readers pass over until all are whole; then all are renamed, and the summary is written. So a run that was killed leaves
//! nothing that is taken for a dataset, and a directory with [`SUMMARY_FILE`] is complete.

mod columns;
mod partition;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use self::columns::Row;
pub use self::columns::Rows;
use self::partition::{Bounds, Form, Partition};

/// The file in a dataset that says what was counted, and is written last.
pub const SUMMARY_FILE: &str = "_summary.json";

/// Its name until it is whole.
const UNFINISHED_SUMMARY: &str = "._summary.json.unfinished";

/// The partition of records without a protocol: the name that Hive has for it, and everybody after it.
const NO_PROTOCOL: &str = "__HIVE_DEFAULT_PARTITION__";

/// How many partitions there may be. A transcript may name any framing.
const PARTITIONS_MAX: usize = 4096;

/// How long the name of a partition's directory may be, in bytes: file systems take no more.
const FOLDER_MAX: usize = 255;

/// Which connections are of which capture. Clones know the same.
#[derive(Clone, Debug, Default)]
pub struct Captures(Arc<Mutex<Vec<(u64, String)>>>);

impl Captures {
    /// The connections whose numbers are above `base` are of the capture `name`, until there is another. Captures come in the order of their numbers.
    pub fn begin(&self, name: &str, base: u64) {
        let mut captures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The one before had no connections, so nothing is said of it.
        captures.pop_if(|(before, _)| *before == base);
        captures.push((base, name.to_owned()));
    }
}

/// The capture of a connection.
fn capture_of(captures: &[(u64, String)], number: u64) -> Option<&str> {
    let after = captures.partition_point(|(base, _)| *base < number);
    after.checked_sub(1).and_then(|at| captures.get(at)).map(|(_, name)| name.as_str())
}

/// Writes a dataset.
pub struct DatasetWriter {
    folder: PathBuf,
    form: Form,
    /// By protocol.
    partitions: BTreeMap<String, Partition>,
    captures: Captures,
    rows: u64,
    done: bool,
}

impl DatasetWriter {
    /// Into the directory `folder`, which is made if it is not there. The column `capture` is told by `captures`.
    ///
    /// # Errors
    /// It cannot be made or looked into; it is not a directory ([`io::ErrorKind::NotADirectory`]); or there is something in it
    /// ([`io::ErrorKind::DirectoryNotEmpty`]).
    pub fn create(folder: &Path, captures: Captures) -> io::Result<Self> {
        Self::within(Bounds::default(), folder, captures)
    }

    fn within(bounds: Bounds, folder: &Path, captures: Captures) -> io::Result<Self> {
        match fs::metadata(folder) {
            Ok(metadata) if !metadata.is_dir() => {
                return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is a file"));
            }
            Ok(_) => {
                if let Some(entry) = fs::read_dir(folder)?.next() {
                    let name = entry?.file_name();
                    let what = format!("it is not empty: there is {} in it", name.display());
                    return Err(io::Error::new(io::ErrorKind::DirectoryNotEmpty, what));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(folder)?,
            Err(error) => return Err(error),
        }
        // Whether it can be written to is known before the work.
        let probe = folder.join(UNFINISHED_SUMMARY);
        fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe))?;
        Ok(Self {
            folder: folder.to_owned(),
            form: Form::new(bounds)?,
            partitions: BTreeMap::new(),
            captures,
            rows: 0,
            done: false,
        })
    }

    /// Writes [`Rows`].
    ///
    /// # Errors
    /// A file cannot be written. Nothing is to be written after that.
    pub fn write(&mut self, mut rows: &[u8]) -> io::Result<()> {
        let captures = self.captures.clone();
        let captures = captures.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !rows.is_empty() {
            let (mut row, rest) = Row::next(rows)?;
            rows = rest;
            if let Some(name) = row.connection().and_then(|number| capture_of(&captures, number)) {
                row.of_capture(name);
            }
            // One without a protocol is under the empty name.
            let protocol = row.protocol.unwrap_or_default();
            if !self.partitions.contains_key(protocol) {
                let partition = self.partition(protocol)?;
                self.partitions.insert(protocol.to_owned(), partition);
            }
            let Some(partition) = self.partitions.get_mut(protocol) else { continue };
            self.rows += 1;
            if partition.push(&row, &self.form.bounds) {
                self.write_group(protocol)?;
            }
            self.make_room()?;
        }
        Ok(())
    }

    /// How many rows were written.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Completes the dataset: its files have their names, and `summary` is beside them.
    ///
    /// # Errors
    /// Something cannot be written.
    pub fn finish(mut self, summary: &Value) -> io::Result<()> {
        for partition in self.partitions.values_mut() {
            partition.close(&self.form)?;
        }
        self.partitions.values().try_for_each(Partition::publish)?;
        let unfinished = self.folder.join(UNFINISHED_SUMMARY);
        fs::write(&unfinished, format!("{summary:#}\n"))?;
        fs::rename(unfinished, self.folder.join(SUMMARY_FILE))?;
        self.done = true;
        Ok(())
    }

    fn partition(&self, protocol: &str) -> io::Result<Partition> {
        let refuse = |why: String| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        if self.partitions.len() >= PARTITIONS_MAX {
            return refuse(format!("there are more than {PARTITIONS_MAX} protocols, each of which is a directory"));
        }
        let name = folder_name(protocol);
        if name.len() > FOLDER_MAX {
            return refuse(format!("the name of the protocol is too long for a directory: {name}"));
        }
        let folder = self.folder.join(name);
        fs::create_dir(&folder)?;
        Ok(Partition::new(folder))
    }

    fn write_group(&mut self, protocol: &str) -> io::Result<()> {
        let Some(partition) = self.partitions.get(protocol) else { return Ok(()) };
        let open = self.partitions.values().filter(|partition| partition.is_open()).count();
        if !partition.is_open() && open >= self.form.bounds.open {
            let another = self.partitions.values_mut().find(|partition| partition.is_open());
            another.map_or(Ok(()), |partition| partition.close(&self.form))?;
        }
        self.partitions.get_mut(protocol).map_or(Ok(()), |partition| partition.write_group(&self.form))
    }

    /// Writes what is gathered of the largest partitions, until all that is gathered is within the bound.
    fn make_room(&mut self) -> io::Result<()> {
        let Bounds { held, group_bytes, .. } = self.form.bounds;
        // Fewer partitions cannot gather as much.
        while self.partitions.len() > held / group_bytes
            && self.partitions.values().map(Partition::held).sum::<usize>() > held
        {
            let largest = self.partitions.iter().max_by_key(|(_, partition)| partition.held());
            let Some(protocol) = largest.map(|(protocol, _)| protocol.clone()) else { break };
            self.write_group(&protocol)?;
        }
        Ok(())
    }
}

/// What was not completed is taken away.
impl Drop for DatasetWriter {
    fn drop(&mut self) {
        if !self.done {
            self.partitions.values_mut().for_each(Partition::discard);
            let _ = fs::remove_file(self.folder.join(UNFINISHED_SUMMARY));
        }
    }
}

/// The name of a partition's directory. What has a meaning in paths and patterns is escaped as Hive does it, by its hexadecimal digits.
fn folder_name(protocol: &str) -> String {
    let mut name = "protocol=".to_owned();
    if protocol.is_empty() {
        return name + NO_PROTOCOL;
    }
    for c in protocol.chars() {
        if c.is_ascii_control() || "\"#%'*/:=?\\{[]}^".contains(c) {
            crate::format::push(&mut name, format_args!("%{:02X}", u32::from(c)));
        } else {
            name.push(c);
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use std::fs;

    use enjamb::{Connection, Time};
    use serde_json::Value;

    use super::{Bounds, Captures, DatasetWriter, Partition, Rows, capture_of, folder_name};
    use crate::record::Record;

    #[test]
    fn a_protocol_is_a_directory_whatever_is_in_its_name() {
        for (protocol, name) in [
            ("redis", "protocol=redis"),
            ("", "protocol=__HIVE_DEFAULT_PARTITION__"),
            ("u32be+4 max=1M", "protocol=u32be+4 max%3D1M"),
            ("any:0a|00", "protocol=any%3A0a|00"),
            ("../x", "protocol=..%2Fx"),
            ("\u{1b}é", "protocol=%1Bé"),
        ] {
            assert_eq!(folder_name(protocol), name);
        }
    }
    #[test]
    fn a_connection_is_of_the_capture_before_it() {
        let captures = Captures::default();
        for (name, base) in [("a", 0), ("without connections", 3), ("b", 3), ("c", 4)] {
            captures.begin(name, base);
        }
        let captures = captures.0.lock().unwrap();
        let of = [0, 1, 3, 4, 5, 9].map(|number| capture_of(&captures, number));
        assert_eq!(of, [None, Some("a"), Some("a"), Some("b"), Some("c"), Some("c")]);
    }
    /// Messages of so many protocols in turn, written within `bounds`: the files, how many rows there were at most at a time that were not written, and how
    /// many files were open.
    fn written(bounds: Bounds, protocols: usize, rows: usize) -> (Vec<String>, usize, usize) {
        let folder = tempfile::tempdir().unwrap();
        let mut dataset = DatasetWriter::within(bounds, folder.path(), Captures::default()).unwrap();
        let end = ([127, 0, 0, 1], 1).into();
        let connection = Connection { number: 1, client: end, server: end };
        let (mut held, mut open) = (0, 0);
        for row in 0..rows {
            let mut encoded = Rows::default();
            let (time, sides) = (Time::default(), Default::default());
            let protocol = &format!("p{}", row % protocols);
            encoded.push(&Record::Ended { connection: &connection, protocol, time, opened: time, sides });
            dataset.write(encoded.as_bytes()).unwrap();
            held = held.max(dataset.partitions.values().map(Partition::held).sum());
            open = open.max(dataset.partitions.values().filter(|partition| partition.is_open()).count());
        }
        assert_eq!(dataset.rows(), rows as u64);
        dataset.finish(&Value::Null).unwrap();
        let mut files = Vec::new();
        for entry in fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
            let entries = fs::read_dir(entry.path()).into_iter().flatten();
            files.extend(entries.map(|file| file.unwrap().path().strip_prefix(&folder).unwrap().display().to_string()));
        }
        files.sort();
        (files, held, open)
    }

    #[test]
    fn what_is_held_is_bounded_however_many_protocols_there_are() {
        let bounds = Bounds { group_rows: 1 << 20, group_bytes: 1 << 20, held: 64 << 10, ..Bounds::default() };
        let (files, held, _) = written(bounds, 5, 3000);
        assert_eq!(files.len(), 5);
        assert!((60 << 10..65 << 10).contains(&held), "{held}");
    }

    #[test]
    fn files_are_bounded_and_few_are_open() {
        let bounds = Bounds { group_rows: 10, file_groups: 3, ..Bounds::default() };
        let (files, ..) = written(bounds, 1, 65);
        let expected = [0, 1, 2].map(|part| format!("protocol=p0/part-{part:05}.parquet"));
        assert_eq!(files, expected, "seven row groups");

        let bounds = Bounds { group_rows: 1, open: 4, ..Bounds::default() };
        let (files, _, open) = written(bounds, 10, 20);
        assert_eq!(open, 4);
        assert!(files.len() > 10, "some were closed before their protocols came again: {files:?}");
    }
}
