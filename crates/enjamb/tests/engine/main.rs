//! The engine by itself: frames, errors, ends and offsets, however a stream is cut.

mod any_of;
mod ends;
mod errors;
mod glance;
mod text;
mod trace;
