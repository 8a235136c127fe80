//! The headers that an EtherType announces: tags, PPPoE, service headers.

use crate::decode::layer::{Inner, Layer, ether_type, next_protocol, split};
use crate::decode::network::{Network, Tag};
use crate::ignored::Ignored;

/// Strips the header that an EtherType announces, and notes the network that it names.
pub(super) fn strip<'a>(number: u16, bytes: &'a [u8], network: &mut Network) -> Result<Inner<'a>, Ignored> {
    match number {
        ether_type::IPV4 | ether_type::IPV6 => Ok((Layer::Ip, bytes)),
        ether_type::VLAN | ether_type::PROVIDER_BRIDGING | ether_type::VLAN_OLD | ether_type::VLAN_OLDER => {
            let (tag, rest) = split::<4>(bytes)?;
            // The upper four bits are a priority (IEEE 802.1Q, 9.6).
            network.enter(Tag::Vlan, u32::from(u16::from_be_bytes([tag[0] & 0x0f, tag[1]])));
            Ok((Layer::of_type_or_length([tag[2], tag[3]]), rest))
        }
        // A tag for a switch's port, then the type.
        ether_type::VN_TAG | ether_type::REDUNDANCY => {
            let (tag, rest) = split::<6>(bytes)?;
            Ok((Layer::of_type_or_length([tag[4], tag[5]]), rest))
        }
        ether_type::E_TAG => {
            let (tag, rest) = split::<8>(bytes)?;
            Ok((Layer::of_type_or_length([tag[6], tag[7]]), rest))
        }
        // Cisco's tag for a security group: version, length, option, group, then the type.
        ether_type::SECURITY_GROUP => {
            let (tag, rest) = split::<8>(bytes)?;
            Ok((Layer::of_type_or_length([tag[6], tag[7]]), rest))
        }
        // IEEE 802.1Q, 9.7: a service identifier of 24 bits, then the customer's own Ethernet
        // header.
        ether_type::BACKBONE_SERVICE => {
            let (tag, rest) = split::<4>(bytes)?;
            network.enter(Tag::Service, u32::from_be_bytes([0, tag[1], tag[2], tag[3]]));
            Ok((Layer::Ethernet, rest))
        }
        // RFC 8300, section 2.2: the length in words of four bytes, then the next protocol.
        ether_type::SERVICE_HEADER => {
            let (header, _) = split::<8>(bytes)?;
            let rest = bytes.get(usize::from(header[1] & 0x3f) * 4..).ok_or(Ignored::Truncated)?;
            match header[3] {
                next_protocol::IPV4 | next_protocol::IPV6 => Ok((Layer::Ip, rest)),
                next_protocol::ETHERNET => Ok((Layer::Ethernet, rest)),
                next_protocol::MPLS => Ok((Layer::Mpls, rest)),
                _ => Err(Ignored::NotIp),
            }
        }
        // RFC 2516, section 4: version and type, code, session, length. Padding may follow the PPP
        // packet, and IP headers have been seen whose wrong length includes it.
        ether_type::PPPOE_SESSION => {
            let (header, rest) = split::<6>(bytes)?;
            let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
            network.enter(Tag::PppoeSession, u32::from(u16::from_be_bytes([header[2], header[3]])));
            Ok((Layer::Ppp, rest.get(..length).filter(|inner| !inner.is_empty()).unwrap_or(rest)))
        }
        ether_type::MPLS | ether_type::MPLS_MULTICAST => Ok((Layer::Mpls, bytes)),
        ether_type::TRANSPARENT_BRIDGING => Ok((Layer::Ethernet, bytes)),
        ether_type::PPP => Ok((Layer::Ppp, bytes)),
        ether_type::LINUX_LLC => Ok((Layer::Llc, bytes)),
        _ => Err(Ignored::NotIp),
    }
}
