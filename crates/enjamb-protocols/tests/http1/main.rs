//! HTTP/1: what the messages are, and that they are the same however the bytes are cut.

mod cuts;
mod exact;
mod pairs;
mod play;
mod random;
mod sniff;
