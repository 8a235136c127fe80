//! The engine alone: frames, errors, ends and offsets, under every cut.

mod any_of;
mod ends;
mod errors;
mod glance;
mod text;
mod trace;
