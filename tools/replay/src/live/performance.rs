//! One conversation, played over a socket.

use std::io;

use enjamb::Side;
use enjamb_net::play::{PlayError, PlayOptions, play};
use tokio::net::TcpStream;

use crate::live::arguments::LiveArguments;
use crate::live::comparison::{Comparison, Difference};
use crate::live::masks::Masks;
use crate::live::parsed_conversation::ParsedConversation;
use crate::live::player::Player;
use crate::live::recorded_conversation::RecordedConversation;

/// The number of bytes that a peer's stream may have beyond twice its recorded length.
const EXCESS_MAX: u64 = 16 << 20;

/// The result of playing a conversation.
pub(crate) enum Performance {
    /// The conversation was played, up to its end or to an interruption.
    Played { live: Box<ParsedConversation>, interrupted: Option<PlayError>, silences: usize },
    /// The connection failed.
    NotConnected(io::Error),
    /// The session panicked.
    Panicked,
}

impl Performance {
    /// Compares the messages of `side` with the recorded ones.
    pub(crate) fn compare<'h>(
        &'h self,
        recorded: &'h RecordedConversation,
        side: Side,
        arguments: &LiveArguments,
        secrets: bool,
    ) -> Comparison<'h> {
        let interrupted = |reason: String| Comparison {
            messages: recorded.parsed.messages[side.index()].len(),
            differences: vec![Difference::Interrupted(reason)],
            ..Comparison::default()
        };
        match self {
            Self::Played { live, interrupted, .. } => {
                let masks = Masks(&arguments.ignore);
                let mut comparison = Comparison::new(&recorded.parsed, live, side, arguments.compare, masks, secrets);
                if let Some(reason) = interrupted {
                    comparison.differences.push(Difference::Interrupted(reason.to_string()));
                }
                comparison
            }
            Self::NotConnected(error) => interrupted(format!("the connection failed: {error}")),
            Self::Panicked => interrupted("the session panicked: its protocol has a bug".to_owned()),
        }
    }
}

/// Returns the limits for playing `side` of a conversation.
pub(crate) fn limits(recorded: &RecordedConversation, arguments: &LiveArguments, side: Side) -> PlayOptions {
    let length = recorded.parsed.length(!side);
    PlayOptions::new(arguments.timeout, length.saturating_mul(2).saturating_add(EXCESS_MAX))
}

/// Plays `side` of a conversation over a connection.
pub(crate) async fn perform(
    socket: TcpStream,
    recorded: &RecordedConversation,
    options: &PlayOptions,
    side: Side,
) -> Performance {
    let mut player = Player::new(side, recorded);
    let interrupted = play(socket, &recorded.steps, &mut player, options).await.err();
    let silences = player.silences;
    Performance::Played { live: Box::new(player.finish()), interrupted, silences }
}
