//! The hash of ids by which answers find their requests.
//!
//! The hash of the standard library took a third of the time of a session of MQTT. An id is a
//! single number, for which a multiplication is enough. The factors are secret: a peer that chooses
//! ids cannot make them collide.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

/// The secret of this process.
static SECRET: LazyLock<[u64; 2]> = LazyLock::new(|| {
    let random = RandomState::new();
    // An even factor would lose bits.
    [random.hash_one(0_u64), random.hash_one(1_u64) | 1]
});

/// Makes the hashes of one map.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdHash {
    mask: u64,
    factor: u64,
}

/// The hash of one id.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdHasher {
    key: IdHash,
    hash: u64,
}

impl Default for IdHash {
    fn default() -> Self {
        let [mask, factor] = *SECRET;
        Self { mask, factor }
    }
}

impl BuildHasher for IdHash {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher { key: *self, hash: 0 }
    }
}

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn write_u64(&mut self, id: u64) {
        let product = u128::from(id ^ self.key.mask ^ self.hash) * u128::from(self.key.factor);
        self.hash = (product >> 64) as u64 ^ product as u64;
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    use super::IdHash;

    #[test]
    fn regular_ids_have_different_hashes() {
        let hash = IdHash::default();
        for step in [1_u64, 1 << 8, 1 << 16, 1 << 32, 1 << 48, 0x1_0001] {
            let ids = (0..1_u64 << 12).map(|at| at.wrapping_mul(step));
            let high: HashSet<u64> = ids.clone().map(|id| hash.hash_one(id) >> 57).collect();
            let low: HashSet<u64> = ids.map(|id| hash.hash_one(id) & 0xfff).collect();
            assert!(high.len() > 64 && low.len() > 1 << 10, "{step}: {} and {}", high.len(), low.len());
        }
    }
}
