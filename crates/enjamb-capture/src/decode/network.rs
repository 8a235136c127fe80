//! The network that a packet was captured in.
//!
//! Tags keep networks apart that use the same addresses. The same two endpoints at the same time
//! then mean different connections.

/// All tags in front of the IP header, as one number. It is 0 if there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Network(pub(super) u64);

/// The tags that keep networks apart. Tags that differ between the directions of a connection, as
/// MPLS labels and the tunnel endpoints of GTP do, are not among them.
#[derive(Clone, Copy)]
pub(super) enum Tag {
    Vlan = 1,
    Service,
    PppoeSession,
    Vxlan,
    Geneve,
    Nvgre,
}

impl Network {
    /// Adds a tag. Identifier 0 names no network: a VLAN tag with it holds only a priority.
    pub(super) fn enter(&mut self, tag: Tag, identifier: u32) {
        if identifier != 0 {
            let inner = (tag as u64) << 32 | u64::from(identifier);
            // A hash: different tags, or the same tags in another order, almost surely give
            // different numbers.
            self.0 = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ inner;
        }
    }
}
