//! The adapters, each with subjects that obey the laws, over every one and two cuts, and with planted bugs, each caught with its verdict.

mod accumulating;
mod blocking;
mod costs;
mod decoded;
mod laws;
mod parsing;
mod pushing;
mod reading;
mod streaming;
mod writing;
