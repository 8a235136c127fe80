//! Capture files: the records of a pcap, and the blocks of a pcapng.

use fastrand::Rng;

use super::message::edit;
use super::pieces::rearrange;
use super::plain;

/// The length of the header of a pcap, and of each of its records.
const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

/// Splits a file into its header and its records or blocks. A file of another format is one piece.
fn split(data: &[u8]) -> (&[u8], Vec<Vec<u8>>) {
    let (header, mut rest, is_pcap, is_little) = match data.first_chunk::<4>() {
        Some([0xd4 | 0x4d, 0xc3 | 0x3c, 0xb2, 0xa1]) if data.len() >= FILE_HEADER => {
            (&data[..FILE_HEADER], &data[FILE_HEADER..], true, true)
        }
        Some([0xa1, 0xb2, 0xc3 | 0x3c, 0xd4 | 0x4d]) if data.len() >= FILE_HEADER => {
            (&data[..FILE_HEADER], &data[FILE_HEADER..], true, false)
        }
        Some([0x0a, 0x0d, 0x0d, 0x0a]) => (&data[..0], data, false, data.get(8) == Some(&0x4d)),
        _ => return (&data[..0], vec![data.to_vec()]),
    };
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let place = if is_pcap { 8..12 } else { 4..8 };
        let length = rest
            .get(place)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(u32::MAX, |bytes| if is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) });
        let length = (length as usize).saturating_add(if is_pcap { RECORD_HEADER } else { 0 }).max(1);
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        pieces.push(piece.to_vec());
        rest = behind;
    }
    (header, pieces)
}

/// Returns the capture with some edits.
pub(super) fn mutate(data: &[u8], edits: usize, tokens: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let (header, mut pieces) = split(data);
    let mut header = header.to_vec();
    for _ in 0..edits {
        if pieces.is_empty() || random.u8(..12) == 0 {
            header = plain::mutate(&header, tokens, header.len().max(FILE_HEADER), random);
        } else if random.bool() {
            rearrange(&mut pieces, random);
        } else {
            let at = random.usize(..pieces.len());
            edit_record(&mut pieces[at], tokens, random);
        }
    }
    [header, pieces.concat()].concat()
}

/// Changes a record: a byte of its headers, or anything of it.
fn edit_record(record: &mut Vec<u8>, tokens: &[Vec<u8>], random: &mut Rng) {
    if random.u8(..4) == 0 {
        return edit(record, tokens, random);
    }
    let most = record.len().min(96);
    if most > 0 {
        let at = random.usize(..most);
        record[at] = if random.bool() { random.u8(..) } else { record[at] ^ (1 << random.u8(..8)) };
    }
}

/// Puts the first records of one capture before the last ones of the other.
pub(super) fn cross(one: &[u8], other: &[u8], random: &mut Rng) -> Vec<u8> {
    let ((header, one), (_, other)) = (split(one), split(other));
    let (to, from) = (random.usize(..=one.len()), random.usize(..=other.len()));
    [header, &one[..to].concat(), &other[from..].concat()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_records_of_a_pcap_are_found() {
        let mut file = b"\xd4\xc3\xb2\xa1".to_vec();
        file.resize(FILE_HEADER, 0);
        for length in [3u8, 0, 200] {
            file.extend([0, 0, 0, 0, 0, 0, 0, 0, length, 0, 0, 0, length, 0, 0, 0]);
            file.extend(std::iter::repeat_n(7, usize::from(length).min(5)));
        }
        let (header, records) = split(&file);
        assert_eq!(header.len(), FILE_HEADER);
        assert_eq!(records.iter().map(Vec::len).collect::<Vec<_>>(), [19, 16, 21]);
    }
}
