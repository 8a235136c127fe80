# shellcheck shell=bash
# `stage`, `port` and `python` are set in stage.sh.
# shellcheck disable=SC2034,SC2154
#
# HTTP/2 in clear text: nghttpd and a gRPC server, with nghttp, curl, a gRPC client and a plain socket.

http2_dissector=http2
# SETTINGS, and heads that HPACK cannot shorten the first time.
http2_payload_bytes_max=2048

record_http2() {
    require "$1" nghttpx nghttpd nghttp curl
    choose_port 8080
    venv grpcio==1.66.1
    mkdir "$stage/h2"
    printf 'hello\n' >"$stage/h2/hello.txt"
    printf 'The grey-eyed morn smiles on the frowning night,\n%.0s' 1 2 3 4 5 6 >"$stage/h2/verse.txt"
    serve nghttpd --no-tls -a 127.0.0.1 -d "$stage/h2" -p/hello.txt=/verse.txt --trailer 'x-sum: done' --echo-upload "$port"
    recorded_with "nghttpd and nghttp $(nghttpd --version | sed 's|.*/||'), curl $(curl --version | sed -nE '1s/^curl ([^ ]+).*/\1/p'), grpcio 1.66.1"

    local theme
    for theme in requests upgrade errors streams grpc; do
        "http2_$theme"
    done
}

h2() {
    timeout 20 curl -sS -A c -H Accept: --http2-prior-knowledge "$@" >/dev/null 2>>"$stage/clients.log" || true
}

http2_requests() {
    local at=http://127.0.0.1:$port
    begin requests.pcap
    # curl 7.88 ends with an error of the framing layer behind its first response, so each of its connections has one.
    h2 "$at/missing"
    h2 -d 'a=1&b=2' "$at/echo"
    h2 -I "$at/verse.txt"
    h2 -r 0-3 -H 'If-Modified-Since: Thu, 29 Feb 2035 12:00:00 GMT' "$at/verse.txt"
    end 4 'curl: 404; POST whose body comes back; HEAD; 304' \
        'http2.headers.method == "POST"' 'http2.headers.status == 404' 'http2.headers.status == 304' 'http2.type == 4'
}

http2_streams() {
    local at=http://127.0.0.1:$port
    begin streams.pcap
    client nghttp -n "$at/hello.txt"
    client nghttp -n --no-dep -w 7 -W 8 "$at/verse.txt" "$at/missing" "$at/verse.txt"
    client nghttp -n --no-dep -d "$stage/h2/verse.txt" -b 50 --trailer 'x-end: yes' "$at/echo"
    client nghttp -n --no-dep --hexdump -H 'x-token: correct horse' --max-concurrent-streams=0 "$at/hello.txt"
    end 4 'nghttp: PRIORITY, PUSH_PROMISE and trailers; three streams whose flow-control window of 127 bytes needs WINDOW_UPDATE; DATA with padding; a server that may not push' \
        'http2.type == 5' 'http2.type == 2' 'http2.type == 8' 'http2.data.padding'
}

http2_upgrade() {
    local nghttpd_port=$port nghttpd=$server_pid
    # nghttpd does not upgrade, but the proxy does.
    choose_port 8081
    serve nghttpx -f "127.0.0.1,$port;no-tls" -b "127.0.0.1,$nghttpd_port;;proto=h2" --no-ocsp --workers=1 --conf=/dev/null --no-server-rewrite
    sleep 1
    local at=http://127.0.0.1:$port
    begin upgrade.pcap
    timeout 20 curl -sS -A c -H Accept: --http2 "$at/hello.txt" >/dev/null 2>>"$stage/clients.log" || true
    client nghttp -n --no-dep -u "$at/verse.txt"
    end 2 'curl and nghttp to nghttpx: HTTP/1.1 that is upgraded to h2c, whose first answer is on stream 1' \
        'tcp.payload contains "HTTP2-Settings"' 'tcp.payload contains "101 Switching"'
    stop "$server_pid"
    server_pid=$nghttpd port=$nghttpd_port
}

http2_errors() {
    local preface='PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' settings='\x00\x00\x00\x04\x00\x00\x00\x00\x00'
    begin errors.pcap
    # DATA on stream 0; SETTINGS of five bytes; a frame that is too large; HEADERS that HPACK cannot decode.
    dialogue "$preface$settings"'\x00\x00\x01\x00\x00\x00\x00\x00\x00x' EOF
    dialogue "$preface"'\x00\x00\x05\x04\x00\x00\x00\x00\x00abcde' EOF
    dialogue "$preface$settings"'\xff\xff\xff\x00\x00\x00\x00\x00\x01' EOF
    dialogue "$preface$settings"'\x00\x00\x01\x01\x05\x00\x00\x00\x01\xff' EOF
    # A request without a path: the stream is reset. Then PING, which is answered, and GOAWAY.
    dialogue "$preface$settings"'\x00\x00\x02\x01\x05\x00\x00\x00\x01\x82\x86' '\x00\x00\x04\x03' \
        '\x00\x00\x08\x06\x00\x00\x00\x00\x00 a ping ' ' a ping ' '\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00' EOF
    dialogue 'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n' EOF
    cut_off 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\14'
    end 7 'plain socket, **malformed on purpose**: DATA on stream 0, SETTINGS of five bytes, a frame that is too large, what HPACK cannot decode, no path (RST_STREAM, then PING and GOAWAY), a wrong preface; **cut off on purpose**' \
        'http2.type == 7' 'http2.type == 3' 'http2.type == 6'
}

http2_grpc() {
    local nghttpd_port=$port nghttpd=$server_pid
    choose_port 50051
    cat >"$stage/greeter.py" <<'PY'
import sys
from concurrent import futures
import grpc
at = "127.0.0.1:" + sys.argv[2]
if sys.argv[1] == "server":
    def say(request, context):
        if request == b"fail":
            context.abort(grpc.StatusCode.NOT_FOUND, "no caf\u00e9 100%")
        return b"hello " + request
    def count(request, context):
        for n in range(3):
            yield b"%d" % n
    class Shop(grpc.GenericRpcHandler):
        def service(self, details):
            if details.method == "/shop.Shop/Say":
                return grpc.unary_unary_rpc_method_handler(say)
            if details.method == "/shop.Shop/Count":
                return grpc.unary_stream_rpc_method_handler(count)
    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Shop()])
    server.add_insecure_port(at)
    server.start()
    server.wait_for_termination()
def attempt(call):
    try:
        call()
    except grpc.RpcError as error:
        print(error.code())
with grpc.insecure_channel(at) as channel:
    say = channel.unary_unary("/shop.Shop/Say")
    say(b"you", metadata=(("authorization", "Bearer correct-horse"),), timeout=5)
    attempt(lambda: say(b"fail"))
with grpc.insecure_channel(at) as channel:
    list(channel.unary_stream("/shop.Shop/Count")(b""))
    attempt(lambda: channel.unary_unary("/shop.Shop/Missing")(b""))
PY
    serve "$python" "$stage/greeter.py" server "$port"
    begin grpc.pcap
    client "$python" "$stage/greeter.py" client "$port"
    end 2 'gRPC: a call that succeeds, with a token, and one that fails (grpc-status 5); a stream of three messages, an unknown method (grpc-status 12)' \
        'http2.header.value == "application/grpc"' 'http2.header.name == "grpc-status"'
    stop "$server_pid"
    server_pid=$nghttpd port=$nghttpd_port
}
