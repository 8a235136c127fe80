# shellcheck shell=bash
# `stage`, `port` and `python` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# memcached: the text, meta and binary protocols of memcached, with pymemcache, libmemcached's tools and a plain socket.

memcached_dissector=memcache

record_memcached() {
    require "$1" memcached memccp memccat memcrm
    choose_port 11211
    venv pymemcache==4.0.0 python-binary-memcached==0.31.4
    serve memcached -u nobody -l 127.0.0.1 -p "$port" -U 0 -t 1
    recorded_with "memcached $(memcached --version | sed 's/.* //'), pymemcache 4.0.0, python-binary-memcached 0.31.4, libmemcached $(memccp --version | sed -nE '1s/.*v([0-9.]+).*/\1/p')"

    local theme
    for theme in text meta binary pipelined errors; do
        "memcached_$theme"
    done
}

memcached_text() {
    begin text.pcap
    client "$python" - "$port" <<'PY'
import sys
from pymemcache.client.base import Client
at = ("127.0.0.1", int(sys.argv[1]))
c = Client(at, default_noreply=False)
c.set("a", "one", expire=60)
c.add("a", "two")
c.replace("b", "three")
c.append("a", "\r\nEND\r\n")
c.get("a")
c.gets("a")
c.get_many(["a", "b", "c"])
c.delete("a")
c.delete("a")
c.close()
c = Client(at, default_noreply=True)
c.set("n", b"10")
c.incr("n", 5, noreply=False)
c.decr("n", 20, noreply=False)
c.incr("none", 1, noreply=False)
value, token = c.gets("n")
c.cas("n", b"x", token, noreply=False)
c.cas("n", b"y", token, noreply=False)
c.touch("n", 9, noreply=False)
c.set("e", b"")
c.raw_command(b"gat 5 e none", b"END\r\n")
c.version()
c.flush_all()
c.quit()
PY
    printf 'hello\n' >"$stage/hello"
    client memccp --servers="127.0.0.1:$port" "$stage/hello"
    client memccat --servers="127.0.0.1:$port" hello missing
    end 4 'pymemcache: set, add, append of what looks like an end, get of one and of many keys, gets and cas, incr, touch, gat, noreply; libmemcached: memccp, memccat' \
        'memcache.command == "set"' 'memcache.response == "NOT_STORED"' 'tcp.payload contains "noreply"'
}

memcached_meta() {
    begin meta.pcap
    dialogue 'ms k 2 T60 F5\r\nhi\r\n' 'HD' 'mg k v f t c s\r\n' '\nhi\r\n' 'mg k s\r\n' 'HD' 'mg none v\r\n' 'EN' 'ms k 1 q\r\nx\r\nmn\r\n' 'MN' \
        'ma num N60 J7 v\r\n' 'VA' 'ma num v\r\n' '\n8\r\n' 'md k\r\n' 'HD' 'md k\r\n' 'NF' 'me num\r\n' '\n' 'ms a29v S3 b Oopaq\r\nfoo\r\n' '\n' 'mn\r\nquit\r\n' EOF
    dialogue 'ms a 2\r\nhi\r\nmg a v k O1 q\r\nmg b v k O2 q\r\nmg a v k O3 q\r\nmn\r\nms a 2 C999\r\nno\r\nms\r\nmg\r\nquit\r\n' EOF
    end 2 'plain socket: meta get, set, delete, arithmetic, debug and no-op, with flags, a base64 key and an opaque; quiet gets in one write, a stale cas token, errors' \
        'tcp.payload contains "mg k v f t c s"' 'tcp.payload contains "EX\r\n"'
}

memcached_binary() {
    begin binary.pcap
    client memccp --binary --servers="127.0.0.1:$port" "$stage/hello"
    client memccat --binary --servers="127.0.0.1:$port" hello missing
    client memcrm --binary --servers="127.0.0.1:$port" hello
    client "$python" - "$port" <<'PY'
import sys, bmemcached
c = bmemcached.Client(("127.0.0.1:" + sys.argv[1],))
c.set("a", "one", time=60)
c.add("a", "two")
c.get("a")
c.get("missing")
c.set_multi({"b": "2", "c": "3"})
c.get_multi(["a", "b", "x", "c"])
c.incr("n", 5)
c.incr("n", 5)
c.delete("a")
c.cas("b", "4", 1)
c.disconnect_all()
PY
    end 4 'libmemcached `--binary`: Set, Get that hits and misses, Delete; python-binary-memcached: Add of a key that exists, quiet sets and gets ended by a no-op, Increment, a stale cas' \
        'memcache.magic == 0x80' 'memcache.opcode == 0x0d' 'memcache.status == 2'
}

memcached_pipelined() {
    begin pipelined.pcap
    dialogue 'set a 0 0 5\r\nEND\r\n\r\nget a\r\nset b 0 0 1 noreply\r\n1\r\nincr b 4\r\nget a b c\r\ndelete c\r\nquit\r\n' EOF
    dialogue 'set k 0 0 1' '' '0\r' '' '\nVALUE k 0 \r' '' '\n' 'STORED' 'gets k\r\n' 'END' 'quit\r\n' EOF
    end 2 'plain socket: text commands in one write, a value that looks like an end; a command cut inside its length, a value inside its CRLF' 'tcp.payload contains "get a b c"'
}

memcached_errors() {
    begin errors.pcap
    dialogue 'what\r\n' 'ERROR' 'get\r\n' 'ERROR' 'set k 0 0 x\r\n' 'ERROR' 'set k 0 0 3\r\nabcdef\r\n' 'ERROR' 'incr\r\n' 'ERROR' 'set n 0 0 1\r\nx\r\nincr n 1\r\n' 'non-numeric' 'quit\r\n' EOF
    dialogue 'set k 0 0 -1\r\n' 'ERROR' 'quit\r\n' EOF
    dialogue "get $(printf 'x%.0s' {1..260})\r\n" 'ERROR' 'quit\r\n' EOF
    dialogue '\x80\x77\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00' '\x81' '\x80\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00' EOF
    cut_off 'set k 0 0 9\r\nabc'
    end 5 'plain socket: an unknown command, a length that is no number, a value longer than announced, a negative length, a key that is too long; an unknown binary opcode; **cut off on purpose**' \
        'tcp.payload contains "CLIENT_ERROR"'
}
