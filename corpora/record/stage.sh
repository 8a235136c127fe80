# shellcheck shell=bash
# Shared functions: servers that always stop, one recording at a time, and the rules that a capture must meet.
#
# The size rule: an exhaustive law feeds every connection under all one- and two-cut segmentations. Their number grows with
# the square of the payload. So a connection carries about 1000 bytes, both directions together, and never more than
# `payload_bytes_max`. Long sessions are recorded as several connections.
#
# A theme is recorded between `begin` and `end`. `end` states how many connections there must be, and tshark display filters
# that must match, so that a file is kept only if its content is what its name says.

readonly payload_bytes_max=1200
readonly file_bytes_max=30720
readonly polls_max=200
readonly poll_seconds=0.05

stage=
protocol=
port=
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

# dissect FILE OPTION...: runs tshark with the dissector of the protocol for the port.
dissect() {
    local file=$1 dissector=http
    shift
    [[ $protocol != redis ]] || dissector=resp
    if [[ -n $port ]]; then
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

# sound NAME FILE: checks the size rule, and that every connection is whole from its handshake to its end.
sound() {
    local stream bytes opened ended broken=0
    if (($(stat -c %s "$2") > file_bytes_max)); then
        printf 'record.sh: %s: the file is larger than %d bytes\n' "$1" "$file_bytes_max" >&2
        broken=1
    fi
    while read -r stream bytes opened ended; do
        if ((bytes > payload_bytes_max)); then
            printf 'record.sh: %s: connection %d carries %d bytes, more than %d\n' "$1" "$stream" "$bytes" "$payload_bytes_max" >&2
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

recorder_versions() {
    printf '%s; %s' "$(tcpdump --version 2>&1 | sed -n '1s/ version//p')" \
        "$(tshark --version 2>/dev/null | sed -nE '1s/^TShark \(Wireshark\) ([0-9.]+).*/TShark and dumpcap \1/p')"
}

table_head() {
    printf '| file | recorder, interface | connections | payload bytes | largest connection | who speaks, and what |\n'
    printf '|---|---|---|---|---|---|\n'
}
