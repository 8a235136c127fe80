//! The split law over the session of every built-in protocol: the first byte chooses it.
#![no_main]

use std::sync::LazyLock;

use enjamb_law::Script;
use enjamb_law::fuzz::split_law;
use enjamb_protocols::Registry;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, Script)| {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::builtin);
    let (choice, script) = input;
    let protocols = REGISTRY.iter().count();
    if let Some(protocol) = REGISTRY.iter().nth(usize::from(choice) % protocols) {
        split_law(&script, || protocol.session(None));
    }
});
