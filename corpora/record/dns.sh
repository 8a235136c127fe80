# shellcheck shell=bash
# `stage` and `port` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# DNS over TCP: named, with dig and a plain socket.

dns_dissector=dns

record_dns() {
    require "$1" named dig
    choose_port 53
    local zone=$stage/zone
    cat >"$zone" <<'ZONE'
$TTL 300
@ SOA ns root 7 3600 600 86400 60
@ NS ns
ns A 192.0.2.1
www A 192.0.2.2
www AAAA 2001:db8::2
alias CNAME www
@ MX 10 mail
mail A 192.0.2.3
text TXT "correct" "horse"
_sip._tcp SRV 0 5 5060 www
*.wild A 192.0.2.9
deep.er.name PTR www
ZONE
    cp "$zone" "$zone.secret"
    cat >"$stage/named.conf" <<CONF
options {
    directory "$stage";
    pid-file none;
    session-keyfile none;
    listen-on port $port { 127.0.0.1; };
    listen-on-v6 { none; };
    recursion no;
    dnssec-validation no;
    notify no;
    allow-transfer { none; };
    transfer-format one-answer;
};
key "sender" { algorithm hmac-sha256; secret "Y29ycmVjdCBob3JzZQ=="; };
controls { };
zone "shop.example" { type primary; file "$zone"; allow-transfer { any; }; allow-update { key sender; }; ixfr-from-differences yes; };
zone "secret.example" { type primary; file "$zone.secret"; };
zone "broken.example" { type primary; file "$stage/missing"; };
CONF
    serve named -g -c "$stage/named.conf"
    recorded_with "BIND $(named -v | sed -E 's/^BIND ([0-9.]+).*/\1/'), dig $(dig -v 2>&1 | sed -E 's/^DiG ([0-9.]+).*/\1/')"

    local theme
    for theme in queries errors transfers pipelined; do
        "dns_$theme"
    done
}

# ask [ARGUMENT...]: runs dig over TCP.
ask() {
    client dig +tcp +norec +nocookie +tries=1 @127.0.0.1 -p "$port" "$@"
}

dns_queries() {
    begin queries.pcap
    ask www.shop.example A
    ask alias.shop.example AAAA
    ask shop.example MX
    ask +keepopen text.shop.example TXT _sip._tcp.shop.example SRV anything.wild.shop.example A shop.example SOA
    ask +noedns +qr shop.example ANY
    ask +nsid +cookie +subnet=192.0.2.0/24 shop.example NS
    end 6 'dig: A, a CNAME with AAAA, MX; TXT, SRV, a wildcard and SOA on one connection (`+keepopen`); ANY without EDNS; EDNS options' \
        'dns.qry.type == 33' 'dns.flags.response == 1' 'dns.opt.code == 3'
}

dns_errors() {
    begin errors.pcap
    ask nothing.shop.example A
    ask www.shop.example MX
    ask www.other.example A
    ask www.broken.example A
    ask -c CH version.bind TXT
    ask +opcode=5 www.shop.example
    ask +ednsopt=65001:00 +edns=7 +noednsneg www.shop.example
    # A query without a question, and one that is shorter than a header.
    dialogue '\x00\x0c\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00' '\x00'
    dialogue '\x00\x04\x00\x08\x00\x00' ''
    cut_off '\0\40\0\1'
    end 11 'dig: NXDOMAIN, no data, REFUSED, SERVFAIL, a CHAOS query, UPDATE, BADVERS (asked again with a version the server knows); plain socket: no question, less than a header; **cut off on purpose**' \
        'dns.flags.rcode == 3' 'dns.flags.rcode == 5' 'dns.flags.rcode == 2'
}

dns_transfers() {
    begin transfers.pcap
    ask shop.example AXFR
    ask secret.example AXFR
    printf 'server 127.0.0.1 %s\nkey hmac-sha256:sender Y29ycmVjdCBob3JzZQ==\nupdate add new.shop.example 60 A 192.0.2.7\nsend\n' "$port" | client nsupdate -v
    ask shop.example IXFR=7
    end 5 'dig: AXFR with one answer a message, AXFR refused, IXFR; nsupdate: a query and an UPDATE that are signed' \
        'dns.qry.type == 252' 'dns.qry.type == 251' 'dns.flags.opcode == 5'
}

dns_pipelined() {
    begin pipelined.pcap
    client python3 - "$port" <<'PY'
import socket, struct, sys, time
def query(number, name, kind):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    message = struct.pack(">6H", number, 0, 1, 0, 0, 0) + labels + struct.pack(">2H", kind, 1)
    return struct.pack(">H", len(message)) + message
def answers(connection, count):
    stream = connection.makefile("rb")
    for _ in range(count):
        stream.read(struct.unpack(">H", stream.read(2))[0])
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10) as c:
    c.sendall(query(1, "www.shop.example", 1) + query(2, "none.shop.example", 1) + query(3, "other.example", 1) + query(4, "text.shop.example", 16))
    answers(c, 4)
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10) as c:
    whole = query(5, "mail.shop.example", 1) + query(5, "www.shop.example", 28)
    for piece in whole[:1], whole[1:7], whole[7:40], whole[40:]:
        c.sendall(piece)
        time.sleep(0.1)
    answers(c, 2)
PY
    end 2 'plain socket: four queries in one write; two with the same id, cut inside the length and the name' 'dns.id == 4' 'dns.id == 5'
}
