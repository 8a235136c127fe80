//! The size of a run's inputs.

/// The size of the inputs of one run: full, or small for `--quick`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Size of a row's input in memory, in bytes.
    pub(crate) input_bytes: usize,
    /// Size of a capture file, in bytes.
    pub(crate) capture_bytes: u64,
    /// Number by which the connections of the group `memory`, and those at rest, are divided.
    pub(crate) connections_divisor: u64,
    /// Number by which the load of a server is divided.
    pub(crate) load_divisor: u32,
}

impl Scale {
    /// The inputs that are measured.
    pub(crate) const FULL: Self =
        Self { input_bytes: 4 << 20, capture_bytes: 500_000_000, connections_divisor: 1, load_divisor: 1 };

    /// Small inputs, which show that every contestant runs.
    pub(crate) const QUICK: Self =
        Self { input_bytes: 1 << 18, capture_bytes: 4_000_000, connections_divisor: 100, load_divisor: 50 };

    /// Returns whether a run only shows that everything runs.
    pub(crate) const fn checks_only(self) -> bool {
        self.load_divisor > 1
    }
}
