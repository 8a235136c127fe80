# shellcheck shell=bash
# RESP is full of dollar signs, and `stage` is set in stage.sh.
# shellcheck disable=SC2016,SC2154
#
# Redis: RESP2 and RESP3 of redis-server, redis-cli and redis-benchmark.
#
# If redis-cli reads its commands from standard input, it first sends COMMAND DOCS, whose answer alone is 170 kB. The server
# here forbids COMMAND, so each such session begins with two short errors instead. Bytes that redis-cli cannot send (inline
# commands, protocol errors, RESP3 types that it does not parse) are sent over a plain socket. Commands that must not be in
# a capture (to wait until a client is ready) go over the Unix socket.

# shellcheck disable=SC2034 # stage.sh reads it
redis_dissector=resp

record_redis() {
    require "$1" redis-server redis-cli redis-benchmark
    choose_port 6379
    cat >"$stage/redis.conf" <<CONF
bind 127.0.0.1 ::1
port $port
unixsocket $stage/redis.sock
dir $stage
save ""
appendonly no
daemonize no
loglevel warning
enable-debug-command local
repl-diskless-sync yes
repl-diskless-sync-delay 0
user default on nopass ~* &* +@all -command
user alice on >secret ~alice:* +get +set
CONF
    redis-server "$stage/redis.conf" >"$stage/redis.log" 2>&1 &
    running+=($!)
    until_true 'redis-server to listen' behind PING
    redis_versions >"$stage/redis.rows"

    local theme
    for theme in strings_and_hashes collections binary_values nested_replies errors authentication transactions \
        inline_commands pubsub_resp2 pubsub_resp3 resp3_types client_tracking monitor blocking_pop pipe_mass_insert \
        pipeline_benchmark dribbled ipv6_cooked replication protocol_errors truncated; do
        behind FLUSHALL >/dev/null
        "redis_$theme"
    done
}

redis_versions() {
    printf 'Recorded with redis-server, redis-cli and redis-benchmark %s; %s.\n\n' \
        "$(redis-server --version | sed -E 's/.* v=([^ ]+).*/\1/')" "$(recorder_versions)"
    table_head
}

# cli [ARGUMENT...]: runs one command on a connection, or a session from standard input.
cli() {
    timeout 10 redis-cli -h 127.0.0.1 -p "$port" "$@" >/dev/null 2>>"$stage/clients.log"
}

# behind COMMAND...: runs a command over the Unix socket, which is not captured.
behind() {
    redis-cli -s "$stage/redis.sock" "$@"
}

# clients_with TEXT: succeeds if the line of a client in CLIENT LIST contains it.
clients_with() {
    behind CLIENT LIST | grep -q -- "$1"
}

# listener ARGUMENT...: starts a redis-cli that keeps running. Its process id is in `listener_pid`.
listener() {
    timeout 30 redis-cli -h 127.0.0.1 -p "$port" "$@" >"$stage/listener" 2>&1 &
    listener_pid=$!
    running+=("$listener_pid")
}

heard() {
    grep -q -- "$1" "$stage/listener"
}

redis_strings_and_hashes() {
    begin strings-and-hashes.pcapng dumpcap
    cli <<'CLI'
SET verse "A thing of beauty is a joy for ever"
GET verse
APPEND verse ":"
STRLEN verse
GETRANGE verse 2 6
INCRBY lines 4
GET nothing
MSET a 1 b 22 c 333
MGET a nothing c
DEL a b nothing
CLI
    cli <<'CLI'
HSET poem title Endymion poet Keats lines 4050
HGET poem poet
HMGET poem title nothing
HGETALL poem
HINCRBY poem lines -1
HEXISTS poem nothing
CLI
    cli SET once only
    cli -n 1 GET once
    end 4 'redis-cli: two sessions from a script (strings; hashes), one command alone, one behind `-n 1`' \
        'resp.bulk_string.value == "Endymion"' 'resp.integer == 36'
}

redis_collections() {
    begin collections.pcap
    cli <<'CLI'
RPUSH feet iamb trochee dactyl
LRANGE feet 0 -1
LPOP feet 2
LRANGE nothing 0 -1
SADD rhymes day way say
SISMEMBER rhymes way
SINTER rhymes nothing
ZADD metre 5.5 pentameter 4 tetrameter
ZRANGE metre 0 -1 WITHSCORES
ZSCORE metre pentameter
CLI
    cli <<'CLI'
XADD lines 1-1 text thee
XADD lines 2-1 text be
XRANGE lines - +
XREAD COUNT 1 STREAMS lines 0
XPENDING lines nobody
SCAN 0 MATCH line* COUNT 100
CLI
    end 2 'redis-cli: lists, sets, sorted sets; streams (nested arrays) and SCAN' 'resp.bulk_string.value == "dactyl"' \
        'resp.bulk_string.value == "1-1"'
}

redis_binary_values() {
    begin binary-values.pcap
    printf 'a\r\nb\r\n' | cli -x SET crlf
    cli GET crlf
    printf '\0\377\r\n$-1\r\n*0\r\n' | cli -x SET like
    cli GET like
    cli SET empty ''
    cli GET empty
    end 6 'redis-cli, `-x`: values that hold CRLF, NUL, 0xff and what looks like RESP; an empty value' \
        'tcp.payload contains 61:0d:0a:62:0d:0a' 'tcp.payload contains "$0\r\n\r\n"'
}

redis_nested_replies() {
    begin nested-replies.pcap
    cli EVAL 'return {1,{2,{3,{"four",{}}}},false,{err="ERR inner"},{ok="fine"}}' 0
    cli CONFIG GET 'hash-max-*'
    cli EVAL 'local t = {} for i = 1, 40 do t = {t} end return t' 0
    cli -3 CONFIG GET 'hash-max-*'
    cli LATENCY HISTOGRAM nothing
    end 5 'redis-cli: arrays in arrays from Lua (with a null, an error and a status inside; 40 deep), CONFIG GET as array and as map' \
        'resp.array.length == 5' 'resp.error'
}

redis_errors() {
    begin errors.pcap
    behind SET word thee >/dev/null
    cli <<'CLI'
LPUSH word x
INCR word
NOSUCHCOMMAND a b
GET
SET word x EX 0
EVALSHA ffffffffffffffffffffffffffffffffffffffff 0
CLI
    cli SUBSCRIBE || true
    cli -n 99 GET word || true
    cli EVAL 'return redis.call("LPUSH", KEYS[1], 1)' 1 word
    cli CLUSTER NODES
    cli XREADGROUP GROUP g c STREAMS word '>'
    end 6 'redis-cli: WRONGTYPE, not an integer, unknown command, wrong arity, NOSCRIPT, DB index, errors out of Lua; every request is well-formed' \
        'resp.error contains "WRONGTYPE"' 'resp.error contains "NOSCRIPT"' 'resp.error contains "unknown command"'
}

redis_authentication() {
    begin authentication.pcap
    cli --no-auth-warning --user alice --pass wrong GET alice:1
    cli --no-auth-warning --user alice --pass secret SET alice:1 x
    cli --no-auth-warning --user alice --pass secret GET bob:1
    cli --no-auth-warning --user alice --pass secret DEL alice:1
    cli --no-auth-warning -3 --user alice --pass secret GET alice:1
    end 5 'redis-cli: AUTH refused and granted, NOPERM for a key and for a command, AUTH and HELLO 3' \
        'resp.error contains "WRONGPASS"' 'resp.error contains "NOPERM"'
}

redis_transactions() {
    begin transactions.pcap
    cli <<'CLI'
MULTI
SET t 1
INCR t
LPUSH t x
EXEC
MULTI
SET t 9
DISCARD
CLI
    cli <<'CLI'
MULTI
NOSUCHCOMMAND
EXEC
EXEC
CLI
    raw <<'RESP'
WATCH t
MULTI
SET t 2
EXEC
QUIT
RESP
    redis_watch_lost
    end 4 'redis-cli: EXEC with an error among its replies, DISCARD, EXECABORT; plain socket: WATCH that holds, WATCH that fails (null array)' \
        'resp.error contains "EXECABORT"' 'tcp.payload contains "*-1"' 'resp.error contains "WRONGTYPE"'
}

# A transaction that another client makes fail: the reply to EXEC is a null array.
redis_watch_lost() {
    local answer
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    printf '*2\r\n$5\r\nWATCH\r\n$1\r\nt\r\n' | cat >&3
    IFS= read -r -t 5 answer <&3
    behind SET t spoiled >/dev/null
    printf '*1\r\n$5\r\nMULTI\r\n*2\r\n$3\r\nGET\r\n$1\r\nt\r\n*1\r\n$4\r\nEXEC\r\n*1\r\n$4\r\nQUIT\r\n' | cat >&3
    timeout 10 cat <&3 >/dev/null
    exec 3<&-
    [[ $answer == +OK* ]]
}

redis_inline_commands() {
    begin inline-commands.pcap
    printf 'PING\r\nSET line "a \\x41 quoted\\r\\n"\r\nGET line\r\nQUIT\r\n' | raw
    printf 'PING\nECHO  spaced   \n\r\n\nset k '"'it\\\\'s'"'\nget k\nQUIT\n' | raw
    printf 'PING\r\n*1\r\n$4\r\nPING\r\n  ECHO x\r\n*2\r\n$4\r\nECHO\r\n$1\r\ny\r\n*0\r\n*-1\r\nQUIT\r\n' | raw
    printf 'MGET a b c d e f g h\r\nEXISTS a\r\nQUIT\r\nPING\r\n' | raw
    end 4 'plain socket, each in one write: CRLF and quotes; bare LF, empty lines and spaces; inline between RESP arrays, empty and null arrays; something behind QUIT' \
        'tcp.payload contains "PING\n"' 'tcp.payload contains "*0\r\n"'
}

redis_pubsub_resp2() {
    begin pubsub-resp2.pcap
    listener SUBSCRIBE odes sonnets
    until_true 'the subscriber' heard sonnets
    cli PUBLISH odes 'Thou still unravished bride'
    cli PUBLISH sonnets 'Bright star'
    cli PUBLISH nobody hears
    until_true 'the message' heard 'Bright star'
    stop "$listener_pid"
    listener PSUBSCRIBE 'o*'
    until_true 'the pattern subscriber' heard psubscribe
    cli PUBLISH odes 'of quietness'
    until_true 'the message' heard quietness
    stop "$listener_pid"
    end 6 'redis-cli: SUBSCRIBE to two channels, PSUBSCRIBE, four times PUBLISH; messages are arrays' \
        'resp.bulk_string.value == "pmessage"' 'resp.bulk_string.value == "Bright star"'
}

redis_pubsub_resp3() {
    local answer
    begin pubsub-resp3.pcap
    listener -3 --show-pushes yes SUBSCRIBE odes
    until_true 'the subscriber' clients_with 'sub=1'
    cli -3 PUBLISH odes 'season of mists'
    until_true 'the message' heard mists
    stop "$listener_pid"
    # Not possible in RESP2: commands between the messages, and a message between a command and its reply.
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    printf 'HELLO 3\r\nSUBSCRIBE odes\r\nPING\r\nPUBLISH odes self\r\n' | cat >&3
    while IFS= read -r -t 5 answer <&3 && [[ $answer != self* ]]; do :; done
    cli PUBLISH odes mellow
    while IFS= read -r -t 5 answer <&3 && [[ $answer != mellow* ]]; do :; done
    printf 'GET nothing\r\nUNSUBSCRIBE\r\nQUIT\r\n' | cat >&3
    timeout 10 cat <&3 >/dev/null
    exec 3<&-
    end 4 'redis-cli `-3`: SUBSCRIBE, PUBLISH; plain socket: commands among push messages, its own message among them' \
        'tcp.payload contains ">3\r\n$7\r\nmessage"' 'tcp.payload contains "%7\r\n"' 'tcp.payload contains "+PONG"'
}

redis_resp3_types() {
    local type
    begin resp3-types.pcap
    behind ZADD z 1.5 a >/dev/null
    behind SADD s x y >/dev/null
    printf 'HELLO 3\r\nDEBUG PROTOCOL attrib\r\nDEBUG PROTOCOL push\r\nDEBUG PROTOCOL verbatim\r\nDEBUG PROTOCOL bignum\r\nQUIT\r\n' | raw
    {
        printf 'HELLO 3\r\n'
        for type in string integer double null array set map true false; do
            printf 'DEBUG PROTOCOL %s\r\n' "$type"
        done
        printf 'QUIT\r\n'
    } | raw
    {
        printf 'HELLO 3\r\n'
        for type in bignum attrib verbatim map set true null double push; do
            printf '*3\r\n$5\r\nDEBUG\r\n$8\r\nPROTOCOL\r\n$%d\r\n%s\r\n' "${#type}" "$type"
        done
        printf '*1\r\n$4\r\nQUIT\r\n'
    } | raw
    cli -3 ZRANGE z 0 -1 WITHSCORES
    cli -3 SMEMBERS s
    printf 'HELLO 3\r\nZSCORE z a\r\nGET nothing\r\nEVAL "redis.setresp(3) return {double=1/0}" 0\r\nCONFIG GET maxmemory\r\nHELLO 2\r\nGET nothing\r\nHELLO 9\r\nQUIT\r\n' | raw
    end 6 'plain socket and redis-cli `-3`: every type of RESP3 that redis-server sends (no bulk error, nothing streamed), by DEBUG PROTOCOL and by ordinary commands; back to RESP2, and a version that is refused' \
        'tcp.payload contains "|1\r\n"' 'tcp.payload contains "=29\r\ntxt:"' 'tcp.payload contains "(1234567999999999999999999999999999999\r\n"' \
        'tcp.payload contains "~3\r\n"' 'tcp.payload contains ",3.141"' 'tcp.payload contains "#t\r\n"' \
        'tcp.payload contains "_\r\n"' 'tcp.payload contains ">2\r\n"' 'tcp.payload contains ",inf\r\n"' 'tcp.payload contains "NOPROTO"'
}

redis_client_tracking() {
    local answer
    begin client-tracking.pcap
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    printf '*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*3\r\n$6\r\nCLIENT\r\n$8\r\nTRACKING\r\n$2\r\nON\r\n*2\r\n$3\r\nGET\r\n$4\r\nline\r\n' | cat >&3
    until_true 'the tracking client' clients_with 'flags=t'
    cli SET line new
    while IFS= read -r -t 5 answer <&3 && [[ $answer != line* ]]; do :; done
    printf '*1\r\n$8\r\nFLUSHALL\r\n*1\r\n$4\r\nQUIT\r\n' | cat >&3
    timeout 10 cat <&3 >/dev/null
    exec 3<&-
    end 2 'plain socket: CLIENT TRACKING; the server pushes invalidations that answer no request' 'tcp.payload contains "invalidate"'
}

redis_monitor() {
    begin monitor.pcap
    listener MONITOR
    until_true 'the monitor' heard OK
    cli SET seen "$(printf 'a\r\n"b"')"
    cli -n 2 LRANGE seen 0 -1
    until_true 'the last command' heard LRANGE
    stop "$listener_pid"
    end 3 'redis-cli: MONITOR, a stream of simple strings; the commands it saw' 'resp.string contains "LRANGE"'
}

redis_blocking_pop() {
    begin blocking-pop.pcap
    listener BLPOP queue 20
    until_true 'the blocked client' clients_with 'flags=b'
    cli RPUSH queue job
    until_true 'the popped element' heard job
    stop "$listener_pid"
    cli BLPOP queue 0.1
    cli -3 BZPOPMIN queue 0.1
    listener BLMOVE from to LEFT RIGHT 20
    until_true 'the blocked client' clients_with 'flags=b'
    behind CLIENT UNBLOCK "$(behind CLIENT LIST | sed -nE 's/^id=([0-9]+) .*flags=b.*/\1/p')" ERROR >/dev/null
    until_true 'the error' heard UNBLOCKED
    stop "$listener_pid"
    end 5 'redis-cli: BLPOP that waits for RPUSH, two that time out (null array, RESP3 null), one unblocked with an error' \
        'tcp.payload contains "*-1"' 'resp.error contains "UNBLOCKED"' 'resp.bulk_string.value == "job"'
}

redis_pipe_mass_insert() {
    begin pipe-mass-insert.pcap
    {
        printf '*3\r\n$3\r\nSET\r\n$2\r\nk%d\r\n$3\r\nv%02d\r\n' 1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 8
        printf '*2\r\n$4\r\nINCR\r\n$2\r\nk1\r\n'
    } | cli --pipe || true
    printf 'SET k%d inline\r\n' 1 2 3 4 5 6 7 8 9 | cli --pipe
    end 2 'redis-cli `--pipe`: RESP with one error among the replies, inline commands; then, by itself, an empty line and an ECHO of twenty random bytes' \
        'resp.error contains "not an integer"' 'tcp.payload contains "$4\r\nECHO\r\n$20\r\n"'
}

redis_pipeline_benchmark() {
    begin pipeline-benchmark.pcapng dumpcap
    timeout 20 redis-benchmark -h 127.0.0.1 -p "$port" -q -c 2 -n 12 -P 6 -d 8 -t set >/dev/null
    timeout 20 redis-benchmark -h 127.0.0.1 -p "$port" -q -c 1 -n 8 -P 4 LPUSH list __rand_int__ >/dev/null
    end 3-6 'redis-benchmark: two clients with pipelines of six SET, one with pipelines of four LPUSH, and its questions about the configuration' \
        'resp.bulk_string.value == "key:__rand_int__"'
}

redis_dribbled() {
    begin dribbled.pcap
    printf '*2\r\n$4\r\nECHO\r\n$6\r\n\r\n$1\r\n\r\nQUIT\r\n' | dribble 0.02
    end 1 'plain socket: a request a byte at a time, so far as the kernel sends them so; its argument holds CRLF' 'tcp.len == 1'
}

redis_ipv6_cooked() {
    begin ipv6-cooked.pcap tcpdump any
    timeout 10 redis-cli -h ::1 -p "$port" SET six 6 >/dev/null
    timeout 10 redis-cli -h ::1 -p "$port" -3 HGETALL nothing >/dev/null
    cli GET six
    end 3 'redis-cli: over IPv6 twice and over IPv4 once, on all interfaces (Linux cooked v2)' ipv6 ip sll
}

redis_replication() {
    begin replication.pcap
    behind SET seed sown >/dev/null
    cli --rdb "$stage/copy.rdb"
    end 1-2 'redis-cli `--rdb`: the snapshot a replica gets, which is not RESP throughout: `$EOF:` and a mark of 40 bytes, the snapshot, the mark again, and no CRLF' \
        'tcp.payload contains "REDIS0"'
}

redis_protocol_errors() {
    begin protocol-errors.pcap
    printf '*2\r\n$3\r\nGET\r\n:1\r\n' | raw
    printf '*9999999999\r\n' | raw
    printf '*1\r\n$99999999999\r\n' | raw
    printf '*1\r\n$-1\r\n' | raw
    printf 'SET k "unbalanced\r\n' | raw
    printf 'PING\r\n*x\r\nPING\r\n' | raw
    end 6 'plain socket, **malformed on purpose**: wrong type byte, multibulk and bulk lengths out of range, a null bulk, unbalanced quotes, a length that is no number; the server answers and closes' \
        'resp.error contains "Protocol error"'
}

redis_truncated() {
    begin truncated.pcap
    cut_off '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10\r\nabc'
    cut_off '*2\r\n$3\r\nGET\r\n$1\r\nk\r'
    cut_off 'PING\r\nPIN'
    cut_off '*1\r\n'
    listener BLPOP queue 20
    until_true 'the blocked client' clients_with 'flags=b'
    behind CLIENT KILL TYPE normal SKIPME yes >/dev/null
    wait "$listener_pid" || true
    end 5 'plain socket, **cut off on purpose**: the client closes inside a value, inside a CRLF, inside an inline command and behind a count; CLIENT KILL of a client that waits' \
        'tcp.payload contains "PIN"'
}
