//! IP datagrams, reassembled from their fragments.
//!
//! `etherparse` reassembles one datagram. Its pool of datagrams has no limits, so the pool is here.
//! `etherparse` takes the bytes of the later fragment if two overlap.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use enjamb::Time;
use etherparse::{IpFragOffset, IpNumber, defrag::IpDefragBuf};

use crate::decode::network::Network;

/// The maximum number of incomplete datagrams. If there are more, the one whose first fragment
/// arrived first is given up.
const DATAGRAMS_MAX: usize = 4096;

/// The maximum number of bytes of all incomplete datagrams. The oldest datagrams are given up
/// first.
const HELD_MAX: usize = 16 << 20;

/// The time for which a datagram waits for its fragments, in capture time (RFC 8200, section 4.5).
/// A later fragment with the same identification belongs to another datagram.
const PATIENCE: Duration = Duration::from_secs(60);

/// The maximum number of fragments of one datagram: each takes an entry in a list.
const FRAGMENTS_MAX: u32 = 8192;

/// The datagram that a fragment belongs to (RFC 791, section 3.2; RFC 8200, section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct DatagramKey {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) identification: u32,
    pub(super) protocol: u8,
    pub(super) network: Network,
}

#[derive(Default)]
pub(super) struct Fragments {
    incomplete: HashMap<DatagramKey, PartialDatagram>,
    /// The datagrams in the order in which their first fragments arrived.
    by_age: BTreeMap<u64, DatagramKey>,
    arrivals: u64,
    /// The size of all buffers, in bytes.
    held: usize,
    given_up: u64,
}

struct PartialDatagram {
    number: u64,
    since: Time,
    fragments: u32,
    buffer: IpDefragBuf,
}

impl PartialDatagram {
    fn weight(&self) -> usize {
        self.buffer.data().capacity() + self.buffer.sections().capacity() * 4
    }
}

impl Fragments {
    /// Adds a fragment. Returns the payload of the datagram if that completes it.
    pub(super) fn add(
        &mut self,
        time: Time,
        key: DatagramKey,
        offset: IpFragOffset,
        more: bool,
        payload: &[u8],
    ) -> Option<Vec<u8>> {
        if self.incomplete.get(&key).is_some_and(|datagram| time.since(datagram.since) > PATIENCE) {
            self.give_up(&key);
        }
        if !self.incomplete.contains_key(&key) {
            if self.incomplete.len() == DATAGRAMS_MAX {
                self.give_up_oldest();
            }
            self.arrivals += 1;
            self.by_age.insert(self.arrivals, key);
            let buffer = IpDefragBuf::new(IpNumber(key.protocol), Vec::new(), Vec::new());
            let datagram = PartialDatagram { number: self.arrivals, since: time, fragments: 0, buffer };
            self.incomplete.insert(key, datagram);
        }
        let datagram = self.incomplete.get_mut(&key)?;
        datagram.fragments += 1;
        let before = datagram.weight();
        // A fragment that contradicts the others, or exceeds the limit, spoils the datagram.
        let fits = datagram.fragments <= FRAGMENTS_MAX && datagram.buffer.add(offset, more, payload).is_ok();
        let complete = datagram.buffer.is_complete();
        self.held = self.held + datagram.weight() - before;
        if !fits {
            self.give_up(&key);
            return None;
        }
        if complete {
            return self.take(&key).map(|buffer| buffer.take_bufs().0);
        }
        while self.held > HELD_MAX {
            self.give_up_oldest();
        }
        None
    }

    fn take(&mut self, key: &DatagramKey) -> Option<IpDefragBuf> {
        let datagram = self.incomplete.remove(key)?;
        self.by_age.remove(&datagram.number);
        self.held -= datagram.weight();
        Some(datagram.buffer)
    }

    fn give_up(&mut self, key: &DatagramKey) {
        self.given_up += u64::from(self.take(key).is_some());
    }

    fn give_up_oldest(&mut self) {
        if let Some((_, &oldest)) = self.by_age.first_key_value() {
            self.give_up(&oldest);
        }
    }

    /// The size of all buffers, in bytes.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Returns the number of datagrams that were given up or are incomplete.
    pub(super) fn given_up(&self) -> u64 {
        self.given_up + self.incomplete.len() as u64
    }
}
