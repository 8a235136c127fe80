//! Subscriptions: `SUBSCRIBE` and its kin.

/// `SUBSCRIBE` or one of its kin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SubscriptionCommand {
    pub(super) target: Target,
    pub(super) adds: bool,
}

/// The target of a subscription, as the index of its counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Channels = 0,
    Patterns = 1,
    Shards = 2,
}

impl SubscriptionCommand {
    /// Parses the name of a command, in any case.
    pub(super) fn parse(word: &[u8]) -> Option<Self> {
        const COMMANDS: [(&[u8], SubscriptionCommand); 6] = [
            (b"SUBSCRIBE", SubscriptionCommand { target: Target::Channels, adds: true }),
            (b"UNSUBSCRIBE", SubscriptionCommand { target: Target::Channels, adds: false }),
            (b"PSUBSCRIBE", SubscriptionCommand { target: Target::Patterns, adds: true }),
            (b"PUNSUBSCRIBE", SubscriptionCommand { target: Target::Patterns, adds: false }),
            (b"SSUBSCRIBE", SubscriptionCommand { target: Target::Shards, adds: true }),
            (b"SUNSUBSCRIBE", SubscriptionCommand { target: Target::Shards, adds: false }),
        ];
        if !(9..=12).contains(&word.len()) {
            return None;
        }
        COMMANDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|&(_, command)| command)
    }
}
