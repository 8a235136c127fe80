//! The Internet checksum (RFC 1071).
//!
//! The sum does not depend on the byte order (section 2, part B) or on the size of the words that
//! are added (part C). So whole machine words are added, in the order that the machine has, and
//! folded to 16 bits at the end.

use std::net::IpAddr;

use crate::decode::layer::ip_protocol;

/// The bytes that are added in one step.
const STEP: usize = 32;

/// Returns whether the checksum of a TCP segment is right, as its receiver decides: all words add
/// up to ones (RFC 9293, section 3.1). The addresses are part of the sum. The sum for IPv4 has 16
/// bits for the length, so a longer segment, which segmentation offload makes, has no checksum yet.
pub(super) fn is_right(source: IpAddr, destination: IpAddr, segment: &[u8]) -> bool {
    if source.is_ipv4() && segment.len() > usize::from(u16::MAX) {
        return true;
    }
    // The protocol and the length are in network byte order.
    let length = (segment.len() as u64).to_be_bytes();
    let pseudo = u128::from(u64::from_ne_bytes(length)) + u128::from(u16::from(ip_protocol::TCP).to_be());
    fold(pseudo + sum_of_address(source) + sum_of_address(destination) + sum(segment)) == u16::MAX
}

fn sum_of_address(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from_ne_bytes(address.octets())),
        IpAddr::V6(address) => {
            let bits = u128::from_ne_bytes(address.octets());
            (bits >> 64) + (bits & u128::from(u64::MAX))
        }
    }
}

/// Adds words of eight bytes. The sum of 16 EiB would overflow.
fn sum(bytes: &[u8]) -> u128 {
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        u128::from(u64::from_ne_bytes(word))
    };
    let (steps, rest) = bytes.as_chunks::<STEP>();
    let (words, end) = rest.as_chunks::<8>();
    let mut sum = word(end);
    for step in steps {
        let (words, _) = step.as_chunks::<8>();
        for bytes in words {
            sum += u128::from(u64::from_ne_bytes(*bytes));
        }
    }
    for bytes in words {
        sum += u128::from(u64::from_ne_bytes(*bytes));
    }
    sum
}

/// Adds the words of 16 bits of a sum, with the carries.
fn fold(sum: u128) -> u16 {
    let sum = (sum & u128::from(u64::MAX)) + (sum >> 64);
    // Now at most 2^65.
    let sum = (sum & u128::from(u32::MAX)) as u64 + (sum >> 32) as u64;
    let mut sum = (sum & 0xffff_ffff) + (sum >> 32);
    while sum > u64::from(u16::MAX) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{fold, is_right, sum};

    /// The algorithm of RFC 1071, section 4.1.
    fn reference(bytes: &[u8]) -> u16 {
        let words = bytes.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word.get(1).copied().unwrap_or(0)));
        words.fold(0, |sum, word| {
            let sum = sum + word;
            (sum & 0xffff) + (sum >> 16)
        }) as u16
    }

    #[test]
    fn sums_of_all_lengths_equal_those_of_the_rfc() {
        let bytes: Vec<u8> = (0..400_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for length in 0..bytes.len() {
            assert_eq!(fold(sum(&bytes[..length])), reference(&bytes[..length]).to_be(), "{length}");
        }
        for length in 0..100 {
            assert_eq!(fold(sum(&vec![0xff; length])), reference(&vec![0xff; length]).to_be(), "{length}");
        }
    }

    #[test]
    fn a_segment_is_right_if_no_bit_was_changed() {
        let addresses: [[IpAddr; 2]; 2] = [
            [[192, 0, 2, 1].into(), [198, 51, 100, 2].into()],
            [[0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(), [0x2001, 0xdb8, 1, 2, 3, 4, 5, 0xffff].into()],
        ];
        for [source, destination] in addresses {
            let mut segment: Vec<u8> = (0..61_u8).map(|at| at.wrapping_mul(37)).collect();
            segment[16..18].fill(0);
            let mut pseudo: Vec<u8> = Vec::new();
            for address in [source, destination] {
                match address {
                    IpAddr::V4(address) => pseudo.extend(address.octets()),
                    IpAddr::V6(address) => pseudo.extend(address.octets()),
                }
            }
            pseudo.extend([0, 6, 0, segment.len() as u8]);
            pseudo.extend(&segment);
            let checksum = !reference(&pseudo);
            segment[16..18].copy_from_slice(&checksum.to_be_bytes());
            assert!(is_right(source, destination, &segment));
            for bit in 0..8 * segment.len() {
                segment[bit / 8] ^= 1 << (bit % 8);
                assert!(!is_right(source, destination, &segment), "bit {bit}");
                segment[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
}
