# shellcheck shell=bash
# `stage`, `port` and `server_pid` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# TLS 1.2 and 1.3: the server and the client of OpenSSL, curl, and a plain socket.

tls_dissector=tls
# A handshake with certificates takes 1 to 3 kB.
tls_payload_bytes_max=4096

record_tls() {
    require "$1" openssl curl
    choose_port 443
    certificate
    recorded_with "OpenSSL $(openssl version | cut -d ' ' -f 2), curl $(curl --version | sed -nE '1s/^curl ([^ ]+).*/\1/p')"

    local theme
    for theme in version13 retry version12 resumption client_certificate alerts; do
        "tls_$theme"
        stop "$server_pid"
    done
}

# secure_server [OPTION...]: starts the server. It answers each line with the line in reverse.
secure_server() {
    serve openssl s_server -accept "127.0.0.1:$port" -cert "$stage/cert.pem" -key "$stage/key.pem" -rev -quiet "$@"
}

# secure_client [OPTION...]: sends a line, and reads the answer.
secure_client() {
    { sleep 0.3; printf 'hello\n'; sleep 0.3; printf 'CLOSE\n'; sleep 0.3; } | client openssl s_client -connect "127.0.0.1:$port" -ign_eof "$@" || true
}

tls_version13() {
    secure_server -alpn h2,http/1.1
    begin version13.pcap
    secure_client -tls1_3 -servername server.example -alpn h2,http/1.1
    secure_client -tls1_3 -noservername -ciphersuites TLS_CHACHA20_POLY1305_SHA256
    client curl -sk -m 2 --resolve "server.example:$port:127.0.0.1" "https://server.example:$port/"
    end 3 'openssl s_client and curl, TLS 1.3: SNI and ALPN, neither of them, what curl offers' \
        'tls.handshake.extensions_server_name == "server.example"' 'tls.handshake.extensions_alpn_str == "h2"' 'tls.handshake.extensions.supported_version == 0x0304'
}

tls_retry() {
    # The server wants a curve that the client offers without a key.
    secure_server -groups P-256
    begin retry.pcap
    secure_client -tls1_3 -servername server.example -groups X25519:P-256
    end 1 'openssl s_client, TLS 1.3: a HelloRetryRequest and a second ClientHello' 'tls.handshake.extensions_key_share_selected_group == 23'
}

tls_version12() {
    secure_server -alpn http/1.1
    begin version12.pcap
    secure_client -tls1_2 -servername server.example -alpn h2,http/1.1 -cipher ECDHE-ECDSA-AES128-GCM-SHA256
    secure_client -tls1_2 -noservername -cipher ECDHE-ECDSA-CHACHA20-POLY1305
    secure_client -servername server.example -max_protocol TLSv1.2 -cipher ECDHE-ECDSA-AES256-SHA
    end 3 'openssl s_client, TLS 1.2: SNI and ALPN, neither of them, CBC' 'tls.handshake.type == 16' 'tls.handshake.version == 0x0303' 'tls.handshake.type == 11'
}

tls_resumption() {
    secure_server
    begin resumption.pcap
    secure_client -tls1_2 -servername server.example -sess_out "$stage/session12"
    secure_client -tls1_2 -servername server.example -sess_in "$stage/session12"
    secure_client -tls1_3 -servername server.example -sess_out "$stage/session13"
    secure_client -tls1_3 -servername server.example -sess_in "$stage/session13"
    end 4 'openssl s_client: a session and its resumption, in TLS 1.2 by a ticket and in TLS 1.3 by a pre-shared key' \
        'tls.handshake.type == 4' 'tls.handshake.extension.type == 41'
}

tls_client_certificate() {
    secure_server -Verify 1
    begin client-certificate.pcap
    secure_client -tls1_2 -cert "$stage/cert.pem" -key "$stage/key.pem"
    secure_client -tls1_3 -cert "$stage/cert.pem" -key "$stage/key.pem"
    secure_client -tls1_2
    end 3 'openssl s_client: certificates of the client, in TLS 1.2 and 1.3; none although the server insists, which an alert tells' 'tls.handshake.type == 13' 'tls.alert_message.desc == 40'
}

tls_alerts() {
    secure_server -tls1_2 -alpn http/1.1 -servername other.example -servername_fatal -cert2 "$stage/cert.pem" -key2 "$stage/key.pem" -cipher ECDHE-ECDSA-AES128-GCM-SHA256
    begin alerts.pcap
    secure_client -tls1_3
    secure_client -tls1_2 -cipher AES128-SHA
    secure_client -tls1_2 -alpn spdy/1 -servername other.example
    secure_client -tls1_2 -servername nobody.example
    secure_client -tls1_2 -servername other.example -verify_return_error
    printf 'GET / HTTP/1.0\r\n\r\n' | raw
    printf '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00' | raw
    cut_off '\26\3\1\2\0\1\0\1'
    end 8 'openssl s_client: alerts of the server (no common version, no common cipher, no common protocol, an unknown name) and of the client (unknown CA); plain socket: HTTP, a ClientHello that is too short, **cut off on purpose**' \
        'tls.alert_message.desc == 70' 'tls.alert_message.desc == 40' 'tls.alert_message.desc == 48'
}
