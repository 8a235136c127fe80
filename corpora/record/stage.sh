# shellcheck shell=bash
# Shared functions: servers that always stop, one recording at a time, and the rules that a capture must meet.
#
# The size rule: an exhaustive law feeds every connection under all one- and two-cut segmentations. Their number grows with
# the square of the payload. So a connection carries about 1000 bytes, both directions together, and never more than
# `payload_bytes_max`. Long sessions are recorded as several connections. A protocol that cannot do with so little, because
# of a TLS handshake for example, raises the limit by `NAME_payload_bytes_max` in its script, to `relaxed_bytes_max` at most.
#
# A protocol NAME is a file NAME.sh in this folder. It has a function `record_NAME`, which starts a server and records each
# theme, and these variables, which may be absent:
#
#   NAME_dissector           the tshark dissector for the server's port; without it, tshark chooses one
#   NAME_payload_bytes_max   the limit in bytes of a connection, instead of `payload_bytes_max`
#
# A theme is recorded between `begin` and `end`. `end` states how many connections there must be, and tshark display filters
# that must match, so that a file is kept only if its content is what its name says.

readonly payload_bytes_max=1200
readonly relaxed_bytes_max=8192
readonly file_bytes_max=30720
readonly polls_max=200
readonly poll_seconds=0.05

stage=
protocol=
port=
python=
server_pid=
declare -a running=()

# ---- programs, processes and ports ----

# require INSTALL PROGRAM...: checks that every program is there. Installs missing ones if INSTALL is `yes`.
require() {
    local install=$1 program
    local -a missing=()
    shift
    for program in "$@"; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    ((${#missing[@]})) || return 0
    if [[ $install == yes && $EUID -eq 0 ]]; then
        local -a packages=()
        for program in "${missing[@]}"; do
            packages+=("$(package_of "$program")")
        done
        apt-get install --yes --no-install-recommends "${packages[@]}" >&2
        return 0
    fi
    for program in "${missing[@]}"; do
        printf 'record.sh: %s is missing (Debian: %s)\n' "$program" "$(package_of "$program")" >&2
    done
    printf 'record.sh: run it as root with --install, or install them\n' >&2
    exit 3
}

package_of() {
    case $1 in
        redis-cli | redis-benchmark) echo redis-tools ;;
        dumpcap | capinfos) echo wireshark-common ;;
        timeout) echo coreutils ;;
        mosquitto_*) echo mosquitto-clients ;;
        exim4) echo exim4-daemon-light ;;
        doveadm) echo dovecot-core ;;
        dovecot-imap) echo dovecot-imapd ;;
        dovecot-pop3) echo dovecot-pop3d ;;
        psql) echo postgresql-client ;;
        pg_ctlcluster) echo postgresql ;;
        mariadbd | mariadb-install-db) echo mariadb-server ;;
        mariadb) echo mariadb-client ;;
        memccp | memccat | memcrm) echo libmemcached-tools ;;
        named) echo bind9 ;;
        dig) echo bind9-dnsutils ;;
        ldap[a-z]*) echo ldap-utils ;;
        nghttp | nghttpd | nghttpx) echo nghttp2 ;;
        rabbitmqctl) echo rabbitmq-server ;;
        amqp-*) echo amqp-tools ;;
        epmd) echo erlang-base ;;
        sshd) echo openssh-server ;;
        ssh | ssh-keygen) echo openssh-client ;;
        sipp) echo sip-tester ;;
        bird) echo bird2 ;;
        smbd | smbpasswd) echo samba ;;
        *) echo "$1" ;;
    esac
}

# leave: stops everything that was started here, whatever happened.
leave() {
    local status=$?
    trap - EXIT INT TERM
    stop_all
    if ((status)) && [[ -n $stage ]]; then
        local said
        for said in "$stage"/*.log; do
            sed "s|^|${said##*/}: |" "$said" >&2
        done
    fi
    [[ -z $stage ]] || rm -rf -- "$stage"
    exit "$status"
}

stop_all() {
    local pid
    for pid in "${running[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    for pid in "${running[@]}"; do
        wait "$pid" 2>/dev/null || true
    done
    running=()
}

# stop PID [SIGNAL]: stops one of the running processes.
stop() {
    local pid kept=()
    kill -s "${2:-TERM}" "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
    for pid in "${running[@]}"; do
        [[ $pid == "$1" ]] || kept+=("$pid")
    done
    running=("${kept[@]}")
}

# wait_for PID: waits until one of the running processes ends by itself.
wait_for() {
    wait "$1" 2>/dev/null || true
    stop "$1"
}

# until_true WHAT COMMAND...: runs the command until it succeeds, or fails after `polls_max` times.
until_true() {
    local what=$1 poll
    shift
    for ((poll = 0; poll < polls_max; poll++)); do
        if "$@" >/dev/null 2>&1; then
            return 0
        fi
        sleep "$poll_seconds"
    done
    printf 'record.sh: waited in vain for %s\n' "$what" >&2
    exit 3
}

# listens HOST PORT: succeeds if a server accepts connections there.
listens() {
    (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null
}

# choose_port PREFERRED: chooses the protocol's own port if it is free, so that every dissector recognises it, or else a random
# one.
choose_port() {
    local candidate=$1 try
    for ((try = 0; try < 50; try++)); do
        if ! listens 127.0.0.1 "$candidate" && ! listens ::1 "$candidate"; then
            port=$candidate
            return 0
        fi
        candidate=$((20000 + RANDOM % 10000))
    done
    printf 'record.sh: no free port\n' >&2
    exit 3
}

# serve COMMAND...: starts a server in the background, which stops with the script, and waits until it listens. Its output
# goes to a log that is shown if the recording fails. Sets server_pid.
serve() {
    local log=$stage/$protocol-server.log
    "$@" >>"$log" 2>&1 &
    server_pid=$!
    running+=("$server_pid")
    until_true "$1 to listen" listens 127.0.0.1 "$port"
}

# venv PACKAGE==VERSION...: makes a Python environment with these packages from PyPI. Sets python to its interpreter.
venv() {
    python3 -m venv "$stage/venv-$protocol"
    python=$stage/venv-$protocol/bin/python
    "$python" -m pip install --quiet --disable-pip-version-check --no-input "$@" >"$stage/pip.log" 2>&1
}

# client COMMAND...: runs a client for at most 30 seconds. It may fail: the filters of `end` check the result.
client() {
    timeout 30 "$@" >>"$stage/clients.log" 2>&1 || true
}

# certificate: makes a self-signed certificate for `server.example`, with a key on a small curve: $stage/cert.pem and key.pem.
certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj /CN=server.example \
        -keyout "$stage/key.pem" -out "$stage/cert.pem" 2>"$stage/openssl.log"
}

# ---- a client that sends bytes ----

# raw: sends standard input in one write, and reads until the server closes, which the input must make it do.
raw() {
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    cat >&3
    timeout 10 cat <&3 >/dev/null
    exec 3<&-
}

# dribble SECONDS: the same, a byte at a time.
dribble() {
    local byte
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    while IFS= read -r -d '' -n 1 byte; do
        printf '%s' "$byte" >&3
        sleep "$1"
    done
    timeout 10 cat <&3 >/dev/null
    exec 3<&-
}

# cut_off FORMAT: sends the output of printf, and closes at once.
cut_off() {
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    # shellcheck disable=SC2059
    printf "$1" | cat >&3
    exec 3<&-
}

# dialogue SEND EXPECT [SEND EXPECT]...: sends each SEND in one write, and then reads until the received bytes match the
# regular expression EXPECT, or until the server closes if it is `EOF`. An empty SEND sends nothing. Both have Python's
# escapes. Closes at the end. The server may close early, but a match that does not come in ten seconds is an error.
dialogue() {
    timeout 60 python3 - "$port" "$@" 2>>"$stage/clients.log" <<'PY'
import re, socket, sys, time
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
unescape = lambda text: text.encode("latin-1").decode("unicode_escape").encode("latin-1")
try:
    for send, expect in zip(sys.argv[2::2], sys.argv[3::2]):
        connection.sendall(unescape(send))
        received = b""
        while expect and not (expect != "EOF" and re.search(expect.encode("latin-1"), received, re.S | re.M)):
            piece = connection.recv(65536)
            if not piece:
                break
            received += piece
        time.sleep(0 if expect else 0.1)
except ConnectionError:
    pass
except TimeoutError:
    sys.exit(f"no {expect!r} behind {send!r}, but {received!r}")
connection.close()
PY
}

# ---- one recording ----

# begin NAME [RECORDER [INTERFACE]]: begins to capture the chosen port. Returns once the recorder is listening.
begin() {
    local -a drop=()
    local filter="tcp port $port" ready
    capture=$stage/$protocol/$1
    recorder=${2:-tcpdump}
    interface=${3:-lo}
    recorder_says=$stage/recorder.log
    : >"$recorder_says"
    # Debian's tcpdump drops its privileges, and could then not write here.
    ((EUID)) || drop=(-Z root)
    case $recorder in
        tcpdump)
            ready='listening on'
            # In immediate mode the kernel's ring buffer has a slot of the snap length for each packet. With the default of
            # 256 kB there are eight slots, and packets get lost.
            tcpdump "${drop[@]}" -i "$interface" -n -U --immediate-mode -s 8192 -B 16384 --time-stamp-precision=nano \
                -w "$capture" "$filter" 2>"$recorder_says" &
            ;;
        dumpcap)
            ready='File:'
            dumpcap -i "$interface" -f "$filter" -w "$capture" 2>"$recorder_says" &
            ;;
        tshark)
            ready='File:'
            tshark -i "$interface" -f "$filter" -w "$capture" 2>"$recorder_says" &
            ;;
    esac
    recorder_pid=$!
    running+=("$recorder_pid")
    until_true "$recorder to listen; is this root?" grep -q "$ready" "$recorder_says"
}

# end CONNECTIONS DESCRIPTION [FILTER...]: stops capturing and checks the file against the rules. CONNECTIONS is a number or
# `from-to`.
end() {
    local name=${capture##*/} expected=$1 description=$2 filter
    shift 2
    settle
    stop "$recorder_pid" INT
    [[ $name != *.pcapng ]] || forget_the_host
    measure "$capture"
    report "$protocol/$name"
    sound "$protocol/$name" "$capture"
    if ((connections < ${expected%-*} || connections > ${expected#*-})); then
        printf 'record.sh: %s: %d connections, expected %s\n' "$name" "$connections" "$expected" >&2
        exit 1
    fi
    for filter in "$@"; do
        if [[ -z $(dissect "$capture" -Y "$filter") ]]; then
            printf 'record.sh: %s: nothing in it is %s\n' "$name" "$filter" >&2
            exit 1
        fi
    done
    printf '| [%s](%s/%s) | %s, %s | %d | %d | %d | %s |\n' "$name" "$protocol" "$name" "$recorder" "$interface" \
        "$connections" "$payload_bytes" "$largest_bytes" "$description" >>"$stage/$protocol.rows"
}

# settle: waits until the file has not grown for a while. Immediate mode delivers at once; dumpcap flushes twice a second.
settle() {
    local size=-1 now quiet=0 quiet_enough=6 poll
    [[ $recorder == tcpdump ]] || quiet_enough=24
    for ((poll = 0; poll < polls_max && quiet < quiet_enough; poll++)); do
        sleep "$poll_seconds"
        now=$(stat -c %s "$capture")
        if ((now == size)); then
            quiet=$((quiet + 1))
        else
            quiet=0
            size=$now
        fi
    done
}

# forget_the_host: overwrites the names of the processor and the kernel in a pcapng section with as many dashes. The length
# stays, so that dumpcap's own layout of blocks is kept.
forget_the_host() {
    local value
    while IFS= read -r value; do
        VALUE=$value perl -0pi -e 's/\Q$ENV{VALUE}\E/"-" x length $&/ge' "$capture"
    done < <(capinfos "$capture" | sed -nE 's/^(Capture hardware|Capture oper-sys|[[:space:]]*Operating system)[^=:]*[=:] *//p' | sort -u)
    if grep -qaF -- "$(uname -r)" "$capture"; then
        printf 'record.sh: %s still names the host\n' "$capture" >&2
        exit 1
    fi
}

# ---- rules for every file ----

# dissect FILE OPTION...: runs tshark with the dissector that the protocol's script names for the port.
dissect() {
    local file=$1 dissector=${protocol}_dissector
    dissector=${!dissector:-}
    shift
    if [[ -n $port && -n $dissector ]]; then
        set -- -d "tcp.port==$port,$dissector" "$@"
    fi
    tshark -n -r "$file" "$@" 2>/dev/null
}

# measure FILE: sets connections, payload_bytes, largest_bytes, and per_connection: lines of `stream bytes opened ended`, where
# opened counts SYNs, and ended counts a FIN as 1 and a RST as 2. (tshark's tcp.completeness does not count the last packet.)
measure() {
    per_connection=$(tshark -n -r "$1" -T fields -e tcp.stream -e tcp.len -e tcp.flags.syn -e tcp.flags.fin -e tcp.flags.reset 2>/dev/null |
        awk '{ bytes[$1] += $2; opened[$1] += $3; ended[$1] += $4 + 2 * $5 }
            END { for (stream in bytes) print stream, bytes[stream], opened[stream], ended[stream] }' | sort -n)
    read -r connections payload_bytes largest_bytes < <(awk '
        NF { n++; sum += $2; if ($2 > max) max = $2 } END { print n + 0, sum + 0, max + 0 }' <<<"$per_connection")
}

# report NAME: prints the payload bytes of each connection.
report() {
    printf '%-36s %d connections, payload bytes: %s\n' "$1" "$connections" \
        "$(awk '{ printf "%s%d", (NR > 1 ? " " : ""), $2 }' <<<"$per_connection")"
}

# limit_of PROTOCOL: prints the most bytes that one of its connections may carry.
limit_of() {
    local relaxed=$1_payload_bytes_max
    local limit=${!relaxed:-$payload_bytes_max}
    printf '%d' "$((limit < relaxed_bytes_max ? limit : relaxed_bytes_max))"
}

# sound NAME FILE: checks the size rule, and that every connection is whole from its handshake to its end. NAME is
# `protocol/file`.
sound() {
    local stream bytes opened ended broken=0 limit
    limit=$(limit_of "${1%%/*}")
    if (($(stat -c %s "$2") > file_bytes_max)); then
        printf 'record.sh: %s: the file is larger than %d bytes\n' "$1" "$file_bytes_max" >&2
        broken=1
    fi
    while read -r stream bytes opened ended; do
        if ((bytes > limit)); then
            printf 'record.sh: %s: connection %d carries %d bytes, more than %d\n' "$1" "$stream" "$bytes" "$limit" >&2
            broken=1
        fi
        if ((opened != 2 || ended < 2)); then
            printf 'record.sh: %s: connection %d is not whole\n' "$1" "$stream" >&2
            broken=1
        fi
    done <<<"$per_connection"
    if [[ -n $(tshark -n -r "$2" -Y 'tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment' 2>/dev/null) ]]; then
        printf 'record.sh: %s: packets are missing\n' "$1" >&2
        broken=1
    fi
    return "$broken"
}

# ---- the table in README.md ----

# recorded_with VERSIONS: writes the first lines of the protocol's section, above the rows.
recorded_with() {
    {
        printf 'Recorded with %s; %s.\n' "$1" "$(recorder_versions)" | fold -s -w 100 | sed 's/ *$//'
        printf '\n'
        table_head
    } >"$stage/$protocol.rows"
}

recorder_versions() {
    printf '%s; %s' "$(tcpdump --version 2>&1 | sed -n '1s/ version//p')" \
        "$(tshark --version 2>/dev/null | sed -nE '1s/^TShark \(Wireshark\) ([0-9.]+).*/TShark and dumpcap \1/p')"
}

table_head() {
    printf '| file | recorder, interface | connections | payload bytes | largest connection | who speaks, and what |\n'
    printf '|---|---|---|---|---|---|\n'
}
