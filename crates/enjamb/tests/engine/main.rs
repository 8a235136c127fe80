//! The engine by itself: frames, errors, ends and offsets, however a stream is cut.

mod errors;
mod trace;
