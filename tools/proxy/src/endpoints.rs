//! Addresses on the command line and in a file: `HOST:PORT`, or `unix:PATH`.

use enjamb_sources::arguments::{address, server_address};

use crate::listen_socket::UNIX;

/// Parses an address to listen on.
pub(crate) fn listen_endpoint(text: &str) -> Result<String, String> {
    if text.starts_with(UNIX) { unix(text) } else { address(text) }
}

/// Parses the address of a server.
pub(crate) fn server_endpoint(text: &str) -> Result<String, String> {
    if text.starts_with(UNIX) { unix(text) } else { server_address(text) }
}

fn unix(text: &str) -> Result<String, String> {
    match text.strip_prefix(UNIX) {
        Some("") | None => Err("the path is missing: expected unix:PATH".to_owned()),
        Some(_) => Ok(text.to_owned()),
    }
}
