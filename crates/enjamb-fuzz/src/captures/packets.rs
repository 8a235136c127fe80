//! The target `packets`: any bytes as packets of any link type.

use enjamb::Time;
use enjamb_capture::{Decoder, LinkType, Packet};

/// All link types that are read.
const LINKS: [LinkType; 33] = [
    LinkType::ETHERNET,
    LinkType::RAW,
    LinkType::IPV4,
    LinkType::IPV6,
    LinkType::LINUX_SLL,
    LinkType::LINUX_SLL2,
    LinkType::NULL,
    LinkType::LOOP,
    LinkType::IEEE802_5,
    LinkType::PPP,
    LinkType::FDDI,
    LinkType::PPP_HDLC,
    LinkType::PPP_ETHERNET,
    LinkType::ATM_RFC1483,
    LinkType::C_HDLC,
    LinkType::IEEE802_11,
    LinkType::FRELAY,
    LinkType::ENC,
    LinkType::PFLOG,
    LinkType::PRISM,
    LinkType::IP_OVER_FC,
    LinkType::IEEE802_11_RADIOTAP,
    LinkType::IEEE802_11_AVS,
    LinkType::PPP_PPPD,
    LinkType::PPI,
    LinkType::PPP_WITH_DIR,
    LinkType::C_HDLC_WITH_DIR,
    LinkType::FRELAY_WITH_DIR,
    LinkType::NFLOG,
    LinkType::IPOIB,
    LinkType::INFINIBAND,
    LinkType::PKTAP,
    LinkType(147),
];

/// The bytes between two packets of an input.
pub(crate) const BETWEEN: &[u8] = &[0xff, 0x00, 0xff];

/// Returns the byte that chooses a link type.
#[must_use]
pub fn packet_choice(link: LinkType) -> Option<u8> {
    LINKS.iter().position(|known| *known == link).and_then(|at| u8::try_from(at).ok())
}

/// The longest datagram, in bytes. A segment has no more payload, what was not captured included.
const DATAGRAM_MAX: u64 = 65_535;

/// The target `packets`: the decoder returns a segment or a reason for each packet, the same in
/// every decoder that saw the same packets, and a segment fits into a datagram. The first byte
/// chooses the link type, the second one is the number of bytes that the capture truncated from
/// each packet. `FF 00 FF` is between two packets.
///
/// # Panics
/// When the property does not hold.
pub(crate) fn packets(data: &[u8]) {
    let Some((&[link, truncated], mut rest)) = data.split_first_chunk::<2>() else { return };
    let link = LINKS[usize::from(link) % LINKS.len()];
    let (mut one, mut other) = (Decoder::new(), Decoder::new());
    for number in 0.. {
        let end = rest.windows(BETWEEN.len()).position(|window| window == BETWEEN);
        let bytes = &rest[..end.unwrap_or(rest.len())];
        let original = bytes.len() as u64 + u64::from(truncated);
        let packet = Packet { time: Time::from_nanos(number), link, bytes, original, dropped: 0 };
        let found = one.decode(&packet);
        assert_eq!(found, other.decode(&packet), "two decoders differ over {bytes:02x?}");
        if let Ok(segment) = found {
            let length = segment.payload.len() as u64 + segment.missing;
            assert!(length <= DATAGRAM_MAX, "a segment of {length} bytes in {bytes:02x?}");
        }
        let Some(end) = end else { return };
        rest = &rest[end + BETWEEN.len()..];
    }
}
