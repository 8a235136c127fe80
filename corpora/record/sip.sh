# shellcheck shell=bash
# `stage`, `port` and `server_pid` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# SIP over TCP: SIPp at both ends, and a plain socket as a client.

sip_dissector=sip
# A call of seven messages.
sip_payload_bytes_max=3500

record_sip() {
    require "$1" sipp
    choose_port 5060
    cd "$stage" || return
    serve sipp -sn uas -t t1 -i 127.0.0.1 -p "$port" -nostdin -skip_rlimit -m 1000
    recorded_with "$(sipp -v 2>&1 | sed -nE 's/^ *SIPp v([0-9.]+).*/SIPp \1/p' | head -1)"
    sip_calls
    sip_pipelined
    cd - >/dev/null || return
}

sip_calls() {
    begin calls.pcap
    client sipp -sn uac -t t1 -i 127.0.0.1 -p 5070 -m 1 -d 100 -nostdin -skip_rlimit "127.0.0.1:$port"
    client sipp -sn uac -t tn -i 127.0.0.1 -p 5071 -m 2 -d 100 -nostdin -skip_rlimit -max_socket 10 "127.0.0.1:$port"
    end 2-4 'SIPp: calls: INVITE with SDP, 180, 200, ACK, BYE, 200; one connection each' 'sip.Method == "INVITE"' 'sip.Status-Code == 180' 'sip.Method == "BYE"'
}

sip_pipelined() {
    local head='Via: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK%s\r\nf: <sip:a@x>;tag=1\r\nt: <sip:b@x>\r\ni: call-%s\r\nCSeq: 1 INVITE\r\nm: <sip:a@127.0.0.1>\r\n'
    begin pipelined.pcap
    # Compact names, keep-alives of CRLF, two INVITE in one write, a body whose length is `l`, one that arrives cut.
    dialogue "\\r\\n\\r\\nINVITE sip:b@x SIP/2.0\\r\\n${head//%s/1}l: 5\\r\\n\\r\\nBYE xINVITE sip:b@x SIP/2.0\\r\\n${head//%s/2}Content-Length:0\\r\\n\\r\\n" 'call-2.*SIP/2.0 200.*call-2' \
        "INVITE sip:b@x SIP/2.0\\r\\n${head//%s/3}Content-Le" '' 'ngth : 6\r\n\r\nab' '' 'cdef' 'SIP/2.0 200.*call-3'
    end 1 'plain socket: keep-alives, compact header names, two INVITE in one write, a body that looks like a request, a header and a body that arrive cut' 'sip.Call-ID == "call-1"' 'sip.Status-Code == 200'
}
