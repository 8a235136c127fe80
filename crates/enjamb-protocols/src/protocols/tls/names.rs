//! Names of the numbers of TLS.

use std::borrow::Cow;

/// Returns the name of a type of handshake message (RFC 8446, section 4; RFC 5246, section 7.4; the
/// registry "TLS `HandshakeType`").
pub(super) fn handshake_name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        0 => "HelloRequest",
        1 => "ClientHello",
        2 => "ServerHello",
        3 => "HelloVerifyRequest",
        4 => "NewSessionTicket",
        5 => "EndOfEarlyData",
        6 => "HelloRetryRequest",
        8 => "EncryptedExtensions",
        11 => "Certificate",
        12 => "ServerKeyExchange",
        13 => "CertificateRequest",
        14 => "ServerHelloDone",
        15 => "CertificateVerify",
        16 => "ClientKeyExchange",
        20 => "Finished",
        21 => "CertificateURL",
        22 => "CertificateStatus",
        23 => "SupplementalData",
        24 => "KeyUpdate",
        25 => "CompressedCertificate",
        67 => "NextProtocol",
        254 => "MessageHash",
        _ => return None,
    })
}

/// Returns the name of an alert (the registry "TLS Alerts").
pub(super) fn alert_name(code: u8) -> Cow<'static, str> {
    Cow::Borrowed(match code {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        52 => "too_many_cids_requested",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        121 => "ech_required",
        _ => return Cow::Owned(code.to_string()),
    })
}

/// Returns the name of a version.
pub(super) fn version_name(version: u16) -> Cow<'static, str> {
    match version {
        0x0002 => Cow::Borrowed("SSL 2.0"),
        0x0300 => Cow::Borrowed("SSL 3.0"),
        0x0301 => Cow::Borrowed("TLS 1.0"),
        0x0302 => Cow::Borrowed("TLS 1.1"),
        0x0303 => Cow::Borrowed("TLS 1.2"),
        0x0304 => Cow::Borrowed("TLS 1.3"),
        0x7f00..=0x7fff => Cow::Owned(format!("TLS 1.3 draft {}", version & 0xff)),
        _ => Cow::Owned(format!("version 0x{version:04x}")),
    }
}
