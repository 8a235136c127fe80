//! `--recut`: the conversations of a capture under other cuts.
//!
//! A capture shows one segmentation of each stream, and TCP might have chosen any other. So each
//! conversation is fed to fresh sessions under other cuts, and the messages are compared: this is
//! the split law over captured traffic. The order in which the two sides took turns stays
//! unchanged, since it is cause and effect.
//!
//! A session may come from any program. A panic is a difference like any other. Each conversation
//! runs on a thread of its own, which is abandoned when the session does not return. A death of the
//! process is [survived by its parent](enjamb_isolate::Ledger).
//!
//! `cuts` has the families of cuts and the extent of a conversation that is tried under each,
//! `trial` tries one conversation, `run` is the tap that collects conversations, `outcome` is the
//! result, and `report` writes it.

mod arguments;
mod cuts;
mod outcome;
mod report;
mod run;
mod trial;

pub(crate) use self::arguments::RecutArguments;
pub(crate) use self::run::run;
