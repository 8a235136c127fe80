//! HTTP/1: the messages of conversations, and that the cuts do not change them.

mod cuts;
mod exact;
mod flags;
mod pairs;
mod play;
mod random;
mod sniff;
