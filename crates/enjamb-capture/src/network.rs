//! Which of several networks a packet was seen in.
//!
//! Networks that a tag keeps apart may use the same addresses, and then the same ends at the same time mean different connections.

/// The tags that were passed on the way to the IP header, as one number: 0 when there were none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Network(pub(crate) u64);

/// What keeps networks apart. Tags that differ between the directions of a connection (MPLS labels, tunnel endpoints of GTP) do
/// not.
#[derive(Clone, Copy)]
pub(crate) enum Tag {
    Vlan = 1,
    Service,
    PppoeSession,
    Vxlan,
    Geneve,
    Nvgre,
}

impl Network {
    /// The network of this identifier, in the one before. Identifier 0 is none: a VLAN tag with it has only a priority.
    pub(crate) fn enter(&mut self, tag: Tag, identifier: u32) {
        if identifier != 0 {
            let inner = (tag as u64) << 32 | u64::from(identifier);
            // Different tags give different numbers, and so do the same ones in another order, as well as chance has it.
            self.0 = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ inner;
        }
    }
}
