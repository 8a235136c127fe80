# shellcheck shell=bash
# `stage` and `port` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# BGP-4: BIRD, with a plain socket as its peer.

bgp_dissector=bgp

record_bgp() {
    require "$1" bird
    choose_port 179
    cat >"$stage/bird.conf" <<CONF
router id 192.0.2.1;
protocol device { }
protocol static { ipv4; route 203.0.113.0/24 blackhole; route 198.51.100.0/25 blackhole; }
protocol bgp peer {
  local 127.0.0.1 port $port as 64512;
  neighbor 127.0.0.2 external;
  multihop;
  passive;
  strict bind;
  hold time 9;
  error wait time 1, 1;
  error forget time 1;
  connect delay time 1;
  ipv4 { import all; export filter { bgp_community.add((64512, 7)); accept; }; };
}
CONF
    server_pid=
    bird -f -c "$stage/bird.conf" -s "$stage/bird.ctl" -P "$stage/bird.pid" >"$stage/bgp-server.log" 2>&1 &
    running+=($!)
    until_true 'bird to listen' birdc -s "$stage/bird.ctl" show status
    sleep 2
    recorded_with "$(bird --version 2>&1 | sed 's/ version//')"
    begin sessions.pcap
    client python3 - "$port" <<'PY'
import socket, struct, sys, time
marker = b"\xff" * 16
message = lambda kind, body=b"": marker + struct.pack(">HB", 19 + len(body), kind) + body
greeting = lambda system, version=4: message(1, struct.pack(">BHH4sB", version, system, 9, bytes([192, 0, 2, 2]), 0))
prefix = b"\x18\xc0\x00\x02"
update = message(2, struct.pack(">HH", 0, 18) + b"\x40\x01\x01\x00" + b"\x40\x02\x04\x02\x01\xfc\x01" + b"\x40\x03\x04\x7f\x00\x00\x02" + prefix)
withdraw = message(2, struct.pack(">H", 4) + prefix + b"\x00\x00")
def session(*writes):
    for attempt in range(60):
        s = socket.socket()
        s.settimeout(8)
        s.bind(("127.0.0.2", 0))
        s.connect(("127.0.0.1", int(sys.argv[1])))
        try:
            for bytes_ in writes:
                s.sendall(bytes_)
                time.sleep(0.5)
            while s.recv(4096):
                pass
        except (ConnectionError, TimeoutError):
            pass
        s.close()
        time.sleep(3)
        return
session(greeting(64513), message(4), update + message(4) + withdraw, message(3, b"\x06\x02"))
session(greeting(64999))
session(greeting(64513, 3))
session(greeting(64513)[:30], greeting(64513)[30:] + message(4), b"\x00" * 19)
PY
    end 4 'plain socket to BIRD: OPEN, KEEPALIVE, UPDATE of both sides, three messages in one write, Cease; a wrong AS number, a wrong version; an OPEN that arrives cut and a wrong marker' 'bgp.type == 2' 'bgp.type == 3' 'bgp.notify.major_error == 2'
}
