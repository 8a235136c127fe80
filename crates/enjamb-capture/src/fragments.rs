//! IP datagrams put together from their fragments.
//!
//! `etherparse` fills one datagram; its pool of many is not bounded, so the pool is here. Overlapping fragments are
//! resolved as `etherparse` does: the later one wins.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use enjamb::Time;
use etherparse::{IpFragOffset, IpNumber, defrag::IpDefragBuf};

use crate::network::Network;

/// The most datagrams that wait for fragments at a time. When there are more, the one whose first fragment came first is given up.
const WAITING_MAX: usize = 4096;

/// The most bytes that they take. The oldest are given up for the newer ones.
const HELD_MAX: usize = 16 << 20;

/// How long a datagram waits for its fragments, in the time of the capture (RFC 8200, section 4.5): then its number is another
/// one's.
const PATIENCE: Duration = Duration::from_secs(60);

/// The most fragments of one datagram: each is kept in a list.
const FRAGMENTS_MAX: u32 = 8192;

/// Which datagram a fragment belongs to (RFC 791, section 3.2; RFC 8200, section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Datagram {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) identification: u32,
    pub(crate) protocol: u8,
    pub(crate) network: Network,
}

#[derive(Default)]
pub(crate) struct Fragments {
    waiting: HashMap<Datagram, Waiting>,
    /// By the order in which their first fragments came.
    by_age: BTreeMap<u64, Datagram>,
    arrivals: u64,
    /// What the buffers take, in bytes.
    held: usize,
    given_up: u64,
}

struct Waiting {
    number: u64,
    since: Time,
    fragments: u32,
    buffer: IpDefragBuf,
}

impl Waiting {
    fn weight(&self) -> usize {
        self.buffer.data().capacity() + self.buffer.sections().capacity() * 4
    }
}

impl Fragments {
    /// Adds a fragment. The payload of the datagram, when that makes it whole.
    pub(crate) fn add(
        &mut self,
        time: Time,
        datagram: Datagram,
        offset: IpFragOffset,
        more: bool,
        payload: &[u8],
    ) -> Option<Vec<u8>> {
        if self.waiting.get(&datagram).is_some_and(|waiting| time.since(waiting.since) > PATIENCE) {
            self.give_up(&datagram);
        }
        if !self.waiting.contains_key(&datagram) {
            if self.waiting.len() == WAITING_MAX {
                self.give_up_oldest();
            }
            self.arrivals += 1;
            self.by_age.insert(self.arrivals, datagram);
            let buffer = IpDefragBuf::new(IpNumber(datagram.protocol), Vec::new(), Vec::new());
            let waiting = Waiting { number: self.arrivals, since: time, fragments: 0, buffer };
            self.waiting.insert(datagram, waiting);
        }
        let waiting = self.waiting.get_mut(&datagram)?;
        waiting.fragments += 1;
        let before = waiting.weight();
        // A fragment that contradicts the others, or is one too many, spoils the datagram.
        let fits = waiting.fragments <= FRAGMENTS_MAX && waiting.buffer.add(offset, more, payload).is_ok();
        let whole = waiting.buffer.is_complete();
        self.held = self.held + waiting.weight() - before;
        if !fits {
            self.give_up(&datagram);
            return None;
        }
        if whole {
            return self.take(&datagram).map(|buffer| buffer.take_bufs().0);
        }
        while self.held > HELD_MAX {
            self.give_up_oldest();
        }
        None
    }

    fn take(&mut self, datagram: &Datagram) -> Option<IpDefragBuf> {
        let waiting = self.waiting.remove(datagram)?;
        self.by_age.remove(&waiting.number);
        self.held -= waiting.weight();
        Some(waiting.buffer)
    }

    fn give_up(&mut self, datagram: &Datagram) {
        self.given_up += u64::from(self.take(datagram).is_some());
    }

    fn give_up_oldest(&mut self) {
        if let Some((_, &oldest)) = self.by_age.first_key_value() {
            self.give_up(&oldest);
        }
    }

    /// What is held, in bytes.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Datagrams that were given up, and those that still wait.
    pub(crate) fn given_up(&self) -> u64 {
        self.given_up + self.waiting.len() as u64
    }
}
