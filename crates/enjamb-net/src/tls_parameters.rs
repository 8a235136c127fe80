//! The parameters of a TLS connection.

/// The parameters that a handshake has agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsParameters {
    /// The version of the protocol: `TLS 1.3`.
    pub version: &'static str,
    /// The server name that the side of the client sent (SNI). `None`: it sent none.
    pub server_name: Option<String>,
    /// The application protocol (ALPN). `None`: none was chosen.
    pub alpn: Option<String>,
}
