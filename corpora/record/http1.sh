# shellcheck shell=bash
# Backquotes are for README.md, and `stage` is set in stage.sh.
# shellcheck disable=SC2016,SC2154
#
# HTTP/1: nginx and the server of Python's library, with curl, wrk and a plain socket as clients.
#
# Heads are short (curl without Accept, with a User-Agent of one letter), since they would take most of the bytes that a
# connection may carry. nginx runs as one process, so that it stops with its pid and serves from a private directory.

# shellcheck disable=SC2034 # stage.sh reads it
http1_dissector=http

record_http1() {
    require "$1" nginx python3 curl wrk
    choose_port 8080
    http1_site
    http1_configuration >"$stage/nginx.conf"
    nginx -p "$stage" -e "$stage/nginx.log" -c "$stage/nginx.conf" >"$stage/nginx-start.log" 2>&1 &
    running+=($!)
    until_true 'nginx to listen' listens 127.0.0.1 "$port"
    http1_versions >"$stage/http1.rows"

    local theme
    for theme in keep_alive chunked trailers head_and_304 ranges methods errors redirects expect_continue upload_chunked \
        pipelined http10_close upgrade_declined slow_body dribbled wrk ipv6_cooked bad_requests aborted http10_server; do
        "http1_$theme"
    done
}

http1_versions() {
    printf 'Recorded with nginx %s, curl %s, wrk %s, Python %s; %s.\n\n' \
        "$(nginx -v 2>&1 | sed 's|.*nginx/||')" "$(curl --version | sed -nE '1s/^curl ([^ ]+).*/\1/p')" \
        "$(wrk -v 2>&1 | sed -nE '1s/^wrk (debian.)?([0-9.]+).*/\2/p')" "$(python3 --version | sed 's/Python //')" "$(recorder_versions)"
    table_head
}

http1_site() {
    local www=$stage/www
    mkdir -p "$www/up" "$stage/bodies"
    printf 'hello\n' >"$www/hello.txt"
    : >"$www/empty.txt"
    printf 'The grey-eyed morn smiles on the frowning night,\n%.0s' 1 2 3 4 5 6 >"$www/verse.txt"
    printf 'one <!--# include virtual="/hello.txt" -->two <!--# echo var="host" -->\n' >"$www/page.ssi"
    # The validators depend only on the next line: the entity tag is this time and the length, in hexadecimal.
    find "$www" -name '*.*' -exec touch -d 2024-02-29T12:00:00Z {} +
}

http1_configuration() {
    cat <<CONF
daemon off;
master_process off;
pid $stage/nginx.pid;
events { worker_connections 64; }
http {
    access_log off;
    server_tokens off;
    default_type text/plain;
    sendfile on;
    client_body_temp_path $stage/bodies;
    proxy_temp_path $stage/proxy;
    fastcgi_temp_path $stage/fastcgi;
    uwsgi_temp_path $stage/uwsgi;
    scgi_temp_path $stage/scgi;
    server {
        listen 127.0.0.1:$port;
        listen [::1]:$port;
        root $stage/www;
        connection_pool_size 256;
        large_client_header_buffers 2 256;
        client_header_buffer_size 128;
        location = /ok { return 200 "ok"; }
        location = /none { return 204; }
        location = /moved { return 302 /ok; }
        location = /gone { return 410 "gone"; }
        location = /secret { return 401; add_header WWW-Authenticate 'Basic realm="x"' always; }
        location = /wrk { keepalive_requests 4; return 200 "ok"; }
        location = /zip.txt { gzip on; gzip_min_length 1; gzip_types text/plain; alias $stage/www/verse.txt; }
        location = /page.ssi { ssi on; ssi_types text/plain; ssi_last_modified off; }
        location = /trailer { add_trailer X-Sum done; add_trailer X-Lines 6; alias $stage/www/verse.txt; }
        location = /slow.txt { limit_rate 150; alias $stage/www/verse.txt; }
        location /up/ { dav_methods PUT DELETE MKCOL COPY MOVE; }
        location = /small { client_max_body_size 8; dav_methods PUT; }
    }
}
CONF
}

# get [ARGUMENT...]: runs curl with a short head. The filters of `end` check the result, so it may fail here.
get() {
    timeout 20 curl -sS -A c -H Accept: "$@" >/dev/null 2>>"$stage/clients.log" || true
}

http1_keep_alive() {
    local at=http://127.0.0.1:$port
    begin keep-alive.pcap
    get "$at/hello.txt" "$at/ok" "$at/empty.txt"
    get "$at/none" "$at/ok" "$at/none" "$at/ok"
    get -d 'a=1&b=2' "$at/ok" --next -A c -H Accept: "$at/ok" --next -A c -H Accept: -d '' "$at/ok"
    get -H 'Connection: close' "$at/verse.txt"
    end 4 'curl: several requests a connection: bodies of 6, 2 and 0 bytes, 204 without any; POST with and without a body among GET; `Connection: close`' \
        'http.response.code == 204' 'http.request.method == "POST"' 'http.content_length == 0'
}

http1_chunked() {
    local at=http://127.0.0.1:$port
    begin chunked.pcap
    get "$at/page.ssi" "$at/page.ssi" "$at/ok"
    get --compressed -H 'Accept-Encoding: gzip' "$at/zip.txt"
    get --raw -H 'Connection: close' "$at/page.ssi"
    end 3 'curl: chunked because nginx does not know the length: a page of includes (several chunks), gzip (binary), then another response behind it' \
        'http.chunk_size' 'http.content_encoding == "gzip"'
}

http1_trailers() {
    local at=http://127.0.0.1:$port
    begin trailers.pcap
    get "$at/trailer" "$at/ok"
    end 1 'curl: fields behind the last chunk, then another response' 'tcp.payload contains "0\r\nX-Sum: done\r\nX-Lines: 6\r\n\r\n"'
}

http1_head_and_304() {
    local at=http://127.0.0.1:$port
    begin head-and-304.pcap
    get -I "$at/verse.txt" --next -A c -H Accept: "$at/ok" --next -A c -H Accept: -I "$at/page.ssi"
    get -z 'Thu, 29 Feb 2024 12:00:00 GMT' "$at/verse.txt" --next -A c -H Accept: "$at/ok"
    get -H 'If-None-Match: "65e071c0-126"' "$at/verse.txt" --next -A c -H Accept: -H 'If-None-Match: "x"' "$at/hello.txt"
    end 3 'curl: HEAD, whose Content-Length announces a body that does not come, and HEAD without any length; 304 by date and by entity tag; each followed by a response on the same connection' \
        'http.request.method == "HEAD"' 'http.response.code == 304' 'http.request.line contains "If-None-Match"'
}

http1_ranges() {
    local at=http://127.0.0.1:$port
    begin ranges.pcap
    get -r 0-9 "$at/verse.txt" --next -A c -H Accept: -r -5 "$at/hello.txt"
    get -r 0-3,10-13 "$at/verse.txt"
    get -r 900- "$at/verse.txt"
    end 3 'curl: 206 with one range, with two (multipart/byteranges), 416' 'http.response.code == 206' 'http.response.code == 416' \
        'http.content_type contains "multipart/byteranges"'
}

http1_methods() {
    local at=http://127.0.0.1:$port
    begin methods.pcap
    printf 'body' >"$stage/body"
    get -T "$stage/body" -H Expect: "$at/up/a" "$at/up/a"
    get -T "$stage/body" -H Expect: "$at/up/a" --next -A c -H Accept: "$at/up/a"
    get -X MKCOL "$at/up/d/" --next -A c -H Accept: -X COPY -H 'Destination: /up/b' "$at/up/a" --next -A c -H Accept: -X DELETE "$at/up/a"
    get -X OPTIONS "$at/hello.txt"
    end 4 'curl: PUT (201, 204), GET of it, DELETE, MKCOL, COPY, OPTIONS' 'http.request.method == "PUT"' 'http.request.method == "DELETE"' \
        'http.request.method == "MKCOL"' 'http.response.code == 201'
}

http1_errors() {
    local at=http://127.0.0.1:$port
    begin errors.pcap
    get "$at/missing" "$at/ok" "$at/missing"
    get "$at/gone" "$at/secret"
    get -X POST -d x "$at/hello.txt" --next -A c -H Accept: "$at/ok"
    get -T "$stage/www/verse.txt" -H Expect: "$at/small"
    get -x "$at" -p http://127.0.0.1:1/
    get -H "X: $(printf 'x%.0s' {1..260})" "$at/ok"
    end 6 'curl: 404, 410, 401, 405, 400 to CONNECT, 413 to a body that would be too large and is not sent, 400 to a field that is too large' \
        'http.response.code == 404' 'http.response.code == 413' 'http.request.method == "CONNECT"'
}

http1_redirects() {
    local at=http://127.0.0.1:$port
    begin redirects.pcap
    get -L "$at/moved"
    get -L "$at/up"
    end 2 'curl `-L`: 302 to a 200 and 301 to a 403, each followed on its connection' 'http.response.code == 302' 'http.response.code == 301'
}

http1_expect_continue() {
    local at=http://127.0.0.1:$port
    begin expect-continue.pcap
    get -T "$stage/www/hello.txt" -H 'Expect: 100-continue' "$at/up/e" --next -A c -H Accept: "$at/ok"
    get -d 'x=1' -H 'Expect: 100-continue' "$at/ok"
    get -T "$stage/www/verse.txt" -H 'Expect: 100-continue' "$at/small"
    get -T - -H 'Expect: 100-continue' "$at/up/f" <"$stage/www/hello.txt"
    end 4 'curl: 100 and then 201, with another request behind it; the final answer at once; 413 in place of 100, after which the body is not sent; 100 for a chunked body' \
        'http.response.code == 100' 'http.response.code == 413' 'http.response.code == 201'
}

http1_upload_chunked() {
    local at=http://127.0.0.1:$port
    begin upload-chunked.pcap
    { printf 'piece one, '; sleep 0.2; printf 'piece two, '; sleep 0.2; printf 'the end'; } | get -T - -H Expect: "$at/up/g"
    get -H 'Transfer-Encoding: chunked' -d 'a=1&b=2' "$at/ok" --next -A c -H Accept: "$at/ok"
    get -T - -H Expect: "$at/up/h" </dev/null
    printf 'PUT /up/i HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%s%s%s' \
        $'5;name=value\r\nhello\r\n' $'00000C\r\n chunks\r\n0\r\n\r\n' $'0\r\nX-Sum: done\r\n\r\n' |
        { cat; printf 'GET /up/i HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'; } | raw
    end 4 'curl: a chunk for each read of a slow pipe, POST, an empty body; plain socket: an extension, leading zeros in a size, data that looks like a last chunk, a trailer, a request behind it' \
        'http.chunk_size' 'tcp.payload contains "5;name=value"' 'tcp.payload contains "hello chunks\r\n0\r\n"'
}

http1_pipelined() {
    begin pipelined.pcap
    printf 'GET /ok HTTP/1.1\r\nHost: x\r\n\r\nGET /none HTTP/1.1\r\nHost: x\r\n\r\nGET /hello.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' | raw
    printf 'POST /ok HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nGET / HTTHEAD /ok HTTP/1.1\r\nHost: x\r\n\r\nGET /page.ssi HTTP/1.1\r\nHost: x\r\n\r\nGET /ok HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' | raw
    printf '\r\nGET /ok HTTP/1.1\nHost: x\n\n\r\nGET  /ok  HTTP/1.1\r\nHOST:x\r\nX-Empty:\r\nConnection:   close  \r\n\r\n' | raw
    printf 'GET /ok HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\nHost: x\r\n\r\n' | raw
    end 4 'plain socket, each in one write: GET; POST whose body looks like a request line, HEAD and chunked between; bare LF, empty lines before a request and odd blanks; something behind `Connection: close`' \
        'tcp.payload contains "GET / HTTHEAD"' 'http.response.code == 204'
}

http1_http10_close() {
    local at=http://127.0.0.1:$port
    begin http10-close.pcap
    get -0 "$at/page.ssi"
    get -0 "$at/hello.txt"
    printf 'GET /ok HTTP/1.0\r\n\r\n' | raw
    printf 'GET /ok HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /page.ssi HTTP/1.0\r\n\r\n' | raw
    end 4 'curl `-0` and plain socket: a body of unknown length that ends with the connection, known lengths, HTTP/1.0 keep-alive' \
        'http.request.version == "HTTP/1.0"' 'http.connection == "close"' 'http.connection == "keep-alive"'
}

http1_upgrade_declined() {
    local at=http://127.0.0.1:$port
    begin upgrade-declined.pcap
    get --http2 "$at/ok" "$at/hello.txt"
    get -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "$at/ok" "$at/none"
    end 2 'curl: an offer of h2c and one of WebSocket, which the server passes over' 'http.upgrade == "h2c"' 'http.upgrade == "websocket"'
}

http1_slow_body() {
    begin slow-body.pcap
    get "http://127.0.0.1:$port/slow.txt"
    end 1 'curl: a response that the server sends in pieces, a second apart (`limit_rate`)' 'http.content_length == 294'
}

http1_dribbled() {
    begin dribbled.pcap
    printf 'GET /ok HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' | dribble 0.02
    end 1 'plain socket: a request a byte at a time, so far as the kernel sends them so' 'tcp.len == 1'
}

http1_wrk() {
    # The thread stops after a few responses. keepalive_requests limits the bytes of a connection, whatever the timing.
    cat >"$stage/stop.lua" <<'LUA'
local seen = 0
function setup(t) thread = t end
function response() seen = seen + 1; if seen >= 12 then wrk.thread:stop() end end
LUA
    begin wrk.pcapng tshark
    timeout 20 wrk -t 1 -c 3 -d 1s -s "$stage/stop.lua" "http://127.0.0.1:$port/wrk" >/dev/null 2>>"$stage/clients.log"
    end 3-8 'wrk: three connections at a time, which the server closes after four requests each, and some that carry no data' 'http.response.code == 200'
}

http1_ipv6_cooked() {
    begin ipv6-cooked.pcap tcpdump any
    get -g "http://[::1]:$port/hello.txt" "http://[::1]:$port/ok"
    get "http://127.0.0.1:$port/ok"
    end 2 'curl: over IPv6 and over IPv4, on all interfaces (Linux cooked v2)' ipv6 ip sll
}

http1_bad_requests() {
    begin bad-requests.pcap
    printf 'GET /ok HTTP/1.1\r\n\r\n' | raw
    printf 'GET /ok HTTP/1.1\r\nHost: x\r\n\r\nwhat is this\r\n\r\n' | raw
    printf 'POST /ok HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n' | raw
    printf 'PUT /up/j HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfive\r\nhello\r\n' | raw
    printf 'GET /ok HTTP/3.0\r\nHost: x\r\n\r\n' | raw
    printf 'GET /ok\r\n' | raw
    end 6 'plain socket, **malformed on purpose**: no Host, nonsense behind a good request, both Content-Length and chunked, a size that is no number, an unknown version, HTTP/0.9 (answered without a head)' \
        'http.response.code == 400' 'http.response.code == 505'
}

http1_aborted() {
    local at=http://127.0.0.1:$port
    begin aborted.pcap
    get -m 1.5 "$at/slow.txt"
    cut_off 'PUT /up/k HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf'
    cut_off 'PUT /up/l HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhal'
    cut_off 'GET /ok HTTP/1.1\r\nHost: x\r'
    end 4 'curl and plain socket, **cut off on purpose**: the client goes away inside a response, inside a body of known length, inside a chunk, inside a head' \
        'tcp.payload contains "half"'
}

http1_http10_server() {
    local nginx_port=$port server
    choose_port 8000
    (cd "$stage/www" && exec python3 -m http.server --bind 127.0.0.1 "$port") >"$stage/python.log" 2>&1 &
    server=$!
    running+=("$server")
    until_true 'the server of Python' listens 127.0.0.1 "$port"
    local at=http://127.0.0.1:$port
    begin http10-server.pcap
    get "$at/hello.txt" "$at/up/"
    get -I "$at/hello.txt"
    get -d x "$at/hello.txt"
    get "$at/missing"
    end 5 'curl and `python3 -m http.server`: an HTTP/1.0 server that closes after every response, and writes head and body apart; its own 404 and 501' \
        'http.server contains "SimpleHTTP"' 'http.response.code == 501'
    stop "$server"
    port=$nginx_port
}
