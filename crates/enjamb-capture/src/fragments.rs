//! IP datagrams put together from their fragments.
//!
//! `etherparse` fills one datagram; its pool of many is not bounded, so the pool is here. Overlapping fragments are
//! resolved as `etherparse` does: the later one wins.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use etherparse::{IpFragOffset, IpNumber, defrag::IpDefragBuf};

/// The most datagrams that wait for fragments at a time: 64 MiB when all are as long as can be. When there are more, the one
/// whose first fragment came first is given up.
const WAITING_MAX: usize = 1024;

/// The most fragments of one datagram: each is kept in a list.
const FRAGMENTS_MAX: u32 = 8192;

/// Which datagram a fragment belongs to (RFC 791, section 3.2; RFC 8200, section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Datagram {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) identification: u32,
    pub(crate) protocol: u8,
}

#[derive(Default)]
pub(crate) struct Fragments {
    waiting: HashMap<Datagram, Waiting>,
    /// By the order in which their first fragments came.
    by_age: BTreeMap<u64, Datagram>,
    arrivals: u64,
    given_up: u64,
}

struct Waiting {
    number: u64,
    fragments: u32,
    buffer: IpDefragBuf,
}

impl Fragments {
    /// Adds a fragment. The payload of the datagram, when that makes it whole.
    pub(crate) fn add(
        &mut self,
        datagram: Datagram,
        offset: IpFragOffset,
        more: bool,
        payload: &[u8],
    ) -> Option<Vec<u8>> {
        if !self.waiting.contains_key(&datagram) {
            if self.waiting.len() == WAITING_MAX
                && let Some((_, oldest)) = self.by_age.pop_first()
            {
                self.waiting.remove(&oldest);
                self.given_up += 1;
            }
            self.arrivals += 1;
            self.by_age.insert(self.arrivals, datagram);
            let buffer = IpDefragBuf::new(IpNumber(datagram.protocol), Vec::new(), Vec::new());
            self.waiting.insert(datagram, Waiting { number: self.arrivals, fragments: 0, buffer });
        }
        let waiting = self.waiting.get_mut(&datagram)?;
        waiting.fragments += 1;
        // A fragment that contradicts the others, or is one too many, spoils the datagram.
        let fits = waiting.fragments <= FRAGMENTS_MAX && waiting.buffer.add(offset, more, payload).is_ok();
        if fits && !waiting.buffer.is_complete() {
            return None;
        }
        let Waiting { number, buffer, .. } = self.waiting.remove(&datagram)?;
        self.by_age.remove(&number);
        if fits {
            Some(buffer.take_bufs().0)
        } else {
            self.given_up += 1;
            None
        }
    }

    /// Datagrams that were given up: contradicting, or too many at a time.
    pub(crate) fn given_up(&self) -> u64 {
        self.given_up
    }
}
