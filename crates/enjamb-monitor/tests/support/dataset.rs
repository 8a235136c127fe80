//! Reads a dataset back, as the JSON lines of its records.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::fs::File;
use std::path::Path;

use enjamb::Time;
use enjamb_monitor::Rfc3339;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Map, Value};

/// The name of a capture, and a record of it.
pub(crate) type Captured = (Option<String>, Value);

/// Returns the records of a dataset by protocol, in the order in which they were written.
pub(crate) fn read(dataset: &Path) -> Vec<(Option<String>, Vec<Captured>)> {
    let mut partitions = Vec::new();
    for folder in sorted(dataset) {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(name) = name.strip_prefix("protocol=") else { continue };
        let protocol = (name != "__HIVE_DEFAULT_PARTITION__").then(|| unescaped(name));
        let mut records = Vec::new();
        for file in sorted(&folder) {
            assert!(file.to_str().unwrap().ends_with(".parquet"), "{}", file.display());
            let reader = SerializedFileReader::new(File::open(file).unwrap()).unwrap();
            for row in reader.get_row_iter(None).unwrap() {
                records.push(record(protocol.as_deref(), row.unwrap().get_column_iter()));
            }
        }
        partitions.push((protocol, records));
    }
    partitions
}

/// Returns the files of a dataset and the numbers of rows of their row groups.
pub(crate) fn groups(dataset: &Path) -> Vec<(String, Vec<i64>)> {
    let mut files = Vec::new();
    for file in sorted(dataset).into_iter().filter(|path| path.is_dir()).flat_map(|folder| sorted(&folder)) {
        let reader = SerializedFileReader::new(File::open(&file).unwrap()).unwrap();
        let groups = reader.metadata().row_groups().iter().map(RowGroupMetaData::num_rows).collect();
        files.push((file.strip_prefix(dataset).unwrap().display().to_string(), groups));
    }
    files
}

/// Returns `records` as [`read`] returns them, without their captures.
pub(crate) fn by_protocol(records: impl IntoIterator<Item = Value>) -> Vec<(Option<String>, Vec<Value>)> {
    let mut partitions = std::collections::BTreeMap::<String, (Option<String>, Vec<Value>)>::new();
    for record in records {
        let protocol = record["protocol"].as_str().map(ToOwned::to_owned);
        let key = protocol.clone().unwrap_or_default();
        partitions.entry(key).or_insert((protocol, Vec::new())).1.push(record);
    }
    partitions.into_values().collect()
}

fn sorted(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn record<'a>(protocol: Option<&str>, columns: impl Iterator<Item = (&'a String, &'a Field)>) -> Captured {
    let mut record = Map::new();
    let mut capture = None;
    let (mut micros, mut nanos) = (0, 0);
    let mut ends = [(None, 0), (None, 0)];
    for (name, value) in columns {
        match (name.as_str(), value) {
            ("flags", Field::Str(names)) => {
                record.insert(name.clone(), names.split(',').collect::<Vec<_>>().into());
            }
            ("time", Field::TimestampMicros(value)) => micros = *value,
            ("time_nanos", Field::Int(value)) => nanos = *value,
            ("capture", Field::Str(name)) => capture = Some(name.clone()),
            ("client_ip", Field::Str(ip)) => ends[0].0 = Some(ip.clone()),
            ("client_port", Field::Int(port)) => ends[0].1 = *port,
            ("server_ip", Field::Str(ip)) => ends[1].0 = Some(ip.clone()),
            ("server_port", Field::Int(port)) => ends[1].1 = *port,
            (_, Field::Null) => {}
            (name, Field::Str(text)) => drop(record.insert(name.into(), text.clone().into())),
            (name, Field::Long(number)) => drop(record.insert(name.into(), (*number).into())),
            (name, value) => panic!("{name} is {value:?}"),
        }
    }
    let time = u64::try_from(micros).unwrap() * 1000 + u64::try_from(nanos).unwrap();
    record.insert("time".into(), Rfc3339(Time::from_nanos(time)).to_string().into());
    for (name, (ip, port)) in ["client", "server"].into_iter().zip(ends) {
        match ip {
            Some(ip) if ip.contains(':') => record.insert(name.into(), format!("[{ip}]:{port}").into()),
            Some(ip) => record.insert(name.into(), format!("{ip}:{port}").into()),
            None => None,
        };
    }
    if let Some(protocol) = protocol {
        record.insert("protocol".into(), protocol.into());
    }
    (capture, record.into())
}

fn unescaped(name: &str) -> String {
    let mut text = String::new();
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        text.push(char::from(u8::from_str_radix(&after[..2], 16).unwrap()));
        rest = &after[2..];
    }
    text + rest
}
