//! Records as a dataset: a directory of Parquet files, partitioned by protocol in the way of Hive.
//!
//! ```text
//! DIR/protocol=http1/part-00000.parquet
//! DIR/protocol=redis/part-00000.parquet
//! DIR/protocol=__HIVE_DEFAULT_PARTITION__/part-00000.parquet    records without a protocol: opened connections, gaps
//! DIR/_summary.json                                             the summary, when the dataset is complete
//! ```
//!
//! Most queries are about one protocol, which has its own kinds and codes, so its rows are kept
//! together. Within a file, rows are in the order of the records, which is roughly the order of
//! time. The footer has the smallest and the largest value of each row group and page, so a reader
//! finds a time span without reading the rest. A partition by day would be wrong: a capture with
//! wrong clocks would get a file for each of its days.
//!
//! While files are incomplete, they have names that readers skip. When all are complete, they are
//! renamed and the summary is written. So a run that was killed leaves nothing that looks like a
//! dataset, and a directory with [`SUMMARY_FILE`] is complete. The next run into that directory
//! removes the unfinished files.

mod claim;
mod columns;
mod partition;
mod rows;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::dataset::claim::{Claim, UNFINISHED_SUMMARY};
use crate::dataset::columns::Table;
use crate::dataset::partition::{Bounds, Form, Partition};
use crate::dataset::rows::Head;
pub use crate::dataset::rows::Rows;
use crate::record::Record;

/// The file with the summary, which is written last.
pub const SUMMARY_FILE: &str = "_summary.json";

/// The partition of records without a protocol. Hive chose the name, and the other engines use it.
const NO_PROTOCOL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The maximum number of partitions. A transcript may name any framing.
const PARTITIONS_MAX: usize = 4096;

/// The maximum length of the name of a partition's directory, in bytes: file systems allow no more.
const FOLDER_MAX: usize = 255;

/// The captures of connections. Clones share the list.
#[derive(Clone, Debug, Default)]
pub struct Captures(Arc<Mutex<Vec<(u64, String)>>>);

impl Captures {
    /// Begins the capture `name`: connections with numbers above `base` belong to it, until the
    /// next capture begins. Captures begin in the order of their numbers.
    pub fn begin(&self, name: &str, base: u64) {
        let mut captures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The capture before had no connections.
        captures.pop_if(|(before, _)| *before == base);
        captures.push((base, name.to_owned()));
    }
}

/// Returns the capture of a connection.
fn capture_of(captures: &[(u64, String)], number: u64) -> Option<&str> {
    let after = captures.partition_point(|(base, _)| *base < number);
    after.checked_sub(1).and_then(|at| captures.get(at)).map(|(_, name)| name.as_str())
}

/// Writes a dataset.
pub struct DatasetWriter {
    folder: PathBuf,
    claim: Claim,
    form: Form,
    /// The partitions by protocol.
    partitions: BTreeMap<String, Partition>,
    captures: Captures,
    rows: u64,
    done: bool,
}

impl DatasetWriter {
    /// Creates a dataset in the directory `folder`, which is created if it does not exist. The
    /// column `capture` is filled from `captures`.
    ///
    /// # Errors
    /// The directory cannot be created or read; it is not a directory
    /// ([`io::ErrorKind::NotADirectory`]); or it is not empty
    /// ([`io::ErrorKind::DirectoryNotEmpty`]).
    pub fn create(folder: &Path, captures: Captures) -> io::Result<Self> {
        Self::within(Bounds::default(), folder, captures)
    }

    fn within(bounds: Bounds, folder: &Path, captures: Captures) -> io::Result<Self> {
        match fs::metadata(folder) {
            Ok(metadata) if !metadata.is_dir() => {
                return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is a file"));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(folder)?,
            Err(error) => return Err(error),
        }
        // So a directory that cannot be written to is an error before the work, not after it.
        let claim = Claim::take(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            claim,
            form: Form::new(bounds)?,
            partitions: BTreeMap::new(),
            captures,
            rows: 0,
            done: false,
        })
    }

    /// Writes a record.
    ///
    /// # Errors
    /// A file cannot be written, or there are too many protocols. Write nothing after an error.
    pub fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        let captures = Arc::clone(&self.captures.0);
        let captures = captures.lock().unwrap_or_else(PoisonError::into_inner);
        let number = record.connection().map(|connection| connection.number);
        let capture = number.and_then(|number| capture_of(&captures, number));
        self.push(record.protocol().unwrap_or_default(), |table| table.push(record, capture))
    }

    /// Writes the next `count` rows of a batch, or those that are left.
    ///
    /// # Errors
    /// A file cannot be written, or there are too many protocols. Write nothing after an error.
    pub fn write_rows(&mut self, rows: &mut Rows, count: usize) -> io::Result<()> {
        let captures = Arc::clone(&self.captures.0);
        let captures = captures.lock().unwrap_or_else(PoisonError::into_inner);
        let mut protocol = String::new();
        let mut written = Ok(());
        for _ in 0..count {
            let Some(Head { connection, protocol: name }) = rows.head() else { break };
            protocol.clear();
            protocol.push_str(name);
            let capture = connection.and_then(|number| capture_of(&captures, number));
            written = self.push(&protocol, |table| rows.take(table, capture));
            if written.is_err() {
                break;
            }
        }
        written
    }

    /// Appends a row to the partition of `protocol`, which is empty for a record without one.
    fn push(&mut self, protocol: &str, push: impl FnOnce(&mut Table)) -> io::Result<()> {
        if !self.partitions.contains_key(protocol) {
            let partition = self.partition(protocol)?;
            self.partitions.insert(protocol.to_owned(), partition);
        }
        let Some(partition) = self.partitions.get_mut(protocol) else { return Ok(()) };
        self.rows += 1;
        if partition.push(&self.form.bounds, push) {
            self.write_group(protocol)?;
        }
        self.make_room()
    }

    /// Returns how many rows were written.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Completes the dataset: gives the files their names, and writes `summary` beside them.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finish(mut self, summary: &Value) -> io::Result<()> {
        for partition in self.partitions.values_mut() {
            partition.close(&self.form)?;
        }
        self.partitions.values().try_for_each(Partition::publish)?;
        let unfinished = self.folder.join(UNFINISHED_SUMMARY);
        fs::write(&unfinished, format!("{summary:#}\n"))?;
        fs::rename(unfinished, self.folder.join(SUMMARY_FILE))?;
        self.claim.end()?;
        self.done = true;
        Ok(())
    }

    fn partition(&self, protocol: &str) -> io::Result<Partition> {
        let refuse = |why: String| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        if self.partitions.len() >= PARTITIONS_MAX {
            return refuse(format!("there are more than {PARTITIONS_MAX} protocols, and each is a directory"));
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

    /// Writes the gathered rows of the largest partitions, until all gathered rows are within the
    /// limit.
    fn make_room(&mut self) -> io::Result<()> {
        let Bounds { held, group_bytes, .. } = self.form.bounds;
        // With fewer partitions, less can be gathered.
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

/// Removes a dataset that was not completed.
impl Drop for DatasetWriter {
    fn drop(&mut self) {
        if !self.done {
            self.partitions.values_mut().for_each(Partition::discard);
            let _ = fs::remove_file(self.folder.join(UNFINISHED_SUMMARY));
            let _ = self.claim.end();
        }
    }
}

/// Returns the name of a partition's directory. Characters with a meaning in paths and patterns are
/// escaped in the way of Hive, by their hexadecimal digits.
fn folder_name(protocol: &str) -> String {
    let mut name = "protocol=".to_owned();
    if protocol.is_empty() {
        return name + NO_PROTOCOL;
    }
    for c in protocol.chars() {
        if c.is_ascii_control() || "\"#%'*/:=?\\{[]}^".contains(c) {
            crate::escape::push(&mut name, format_args!("%{:02X}", u32::from(c)));
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

    use super::{Bounds, Captures, DatasetWriter, Partition, capture_of, folder_name};
    use crate::record::Record;

    #[test]
    fn every_name_of_a_protocol_gives_a_directory() {
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
    fn a_connection_belongs_to_the_capture_that_began_before_it() {
        let captures = Captures::default();
        for (name, base) in [("a", 0), ("without connections", 3), ("b", 3), ("c", 4)] {
            captures.begin(name, base);
        }
        let captures = captures.0.lock().unwrap();
        let of = [0, 1, 3, 4, 5, 9].map(|number| capture_of(&captures, number));
        assert_eq!(of, [None, Some("a"), Some("a"), Some("b"), Some("c"), Some("c")]);
    }

    /// Writes `rows` records of `protocols` protocols in turn. Returns the files, the largest size
    /// of the gathered rows, and the largest number of open files.
    fn written(bounds: Bounds, protocols: usize, rows: usize) -> (Vec<String>, usize, usize) {
        let folder = tempfile::tempdir().unwrap();
        let mut dataset = DatasetWriter::within(bounds, folder.path(), Captures::default()).unwrap();
        let end = ([127, 0, 0, 1], 1).into();
        let connection = Connection { number: 1, client: end, server: end };
        let (mut held, mut open) = (0, 0);
        for row in 0..rows {
            let (time, sides) = (Time::default(), Default::default());
            let protocol = &format!("p{}", row % protocols);
            let record = Record::Ended { connection: &connection, protocol, time, opened: time, sides, ended_by: None };
            dataset.write(&record).unwrap();
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
    fn gathered_rows_are_limited_over_all_protocols() {
        let bounds = Bounds { group_rows: 1 << 20, group_bytes: 1 << 20, held: 64 << 10, ..Bounds::default() };
        let (files, held, _) = written(bounds, 5, 3000);
        assert_eq!(files.len(), 5);
        assert!((60 << 10..65 << 10).contains(&held), "{held}");
    }

    #[test]
    fn row_groups_of_a_file_and_open_files_are_limited() {
        let bounds = Bounds { group_rows: 10, file_groups: 3, ..Bounds::default() };
        let (files, ..) = written(bounds, 1, 65);
        let expected = [0, 1, 2].map(|part| format!("protocol=p0/part-{part:05}.parquet"));
        assert_eq!(files, expected, "seven row groups");

        let bounds = Bounds { group_rows: 1, open: 4, ..Bounds::default() };
        let (files, _, open) = written(bounds, 10, 20);
        assert_eq!(open, 4);
        assert!(files.len() > 10, "files were closed before the next row of their protocol: {files:?}");
    }
}
