//! The name of the protocol, and the kinds that are no names of commands.

use enjamb::ConstantKind;

/// The name of the protocol.
pub(super) const NAME: &str = "redis";

/// A reply.
pub(super) static REPLY: ConstantKind = ConstantKind { protocol: NAME, kind: "reply" };
