//! A relay, with clients, servers and taps around it that the tests play.

mod endings;
mod proxy_protocol;
mod relay;
mod shaping;
mod taps;
mod world;
