//! Each adapter with subjects that obey the laws under every one and two cuts, and with planted
//! bugs that are caught.

mod accumulating;
mod blocking;
mod costs;
mod decoded;
mod laws;
mod parsing;
mod pushing;
mod reading;
mod runtime;
mod streaming;
mod writing;
