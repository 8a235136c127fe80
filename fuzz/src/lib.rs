//! The macro of which every fuzz target consists.

#[doc(hidden)]
pub use enjamb_fuzz;
#[doc(hidden)]
pub use libfuzzer_sys;

/// Defines the program of a target of [`enjamb_fuzz::TARGETS`], with its mutator and crossover.
#[macro_export]
macro_rules! target {
    ($name:ident) => {
        static TARGET: std::sync::LazyLock<&$crate::enjamb_fuzz::Target> =
            std::sync::LazyLock::new(|| $crate::find(stringify!($name)));

        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| (TARGET.run)(data));

        $crate::libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            let bytes = $crate::libfuzzer_sys::fuzzer_mutate;
            $crate::enjamb_fuzz::mutate_in_place(*TARGET, data, size, max_size, seed, bytes)
        });

        $crate::libfuzzer_sys::fuzz_crossover!(|one: &[u8], other: &[u8], out: &mut [u8], seed: u32| {
            $crate::enjamb_fuzz::cross_in_place(*TARGET, one, other, out, seed)
        });
    };
}

/// Returns the target of this name.
///
/// # Panics
/// There is none.
pub fn find(name: &str) -> &'static enjamb_fuzz::Target {
    enjamb_fuzz::target(name).unwrap_or_else(|| panic!("no target has the name {name}"))
}
