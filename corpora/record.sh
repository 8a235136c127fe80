#!/usr/bin/env bash
# Records the captures of this folder from real clients and servers, on loopback.
#
#   record.sh [--install] [PROTOCOL...]     records the named protocols, or all of them
#   record.sh --check     [PROTOCOL...]     checks the captures that are there; records nothing
#
# The protocols are the files in record/, except stage.sh, which holds what they share. Everything
# is written to a temporary directory and checked against the rules (stage.sh: `end`). A protocol's
# captures, and its table in README.md, are replaced only after all of them passed. Capturing needs
# root or CAP_NET_RAW. --install installs missing programs with apt-get, as root. Exit codes: 0
# done, 1 a rule is broken, 2 wrong usage, 3 a program, a port or a permission is missing.
set -euo pipefail
shopt -s nullglob
export LC_ALL=C TZ=UTC

corpora=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly corpora
# shellcheck source=record/stage.sh
source "$corpora/record/stage.sh"
declare -a known=()
for script in "$corpora"/record/*.sh; do
    [[ $script != */stage.sh ]] || continue
    # shellcheck source=/dev/null
    source "$script"
    known+=("$(basename "$script" .sh)")
done

main() {
    local install=no check=no argument
    local -a protocols=()
    for argument in "$@"; do
        case $argument in
            --install) install=yes ;;
            --check) check=yes ;;
            *)
                [[ " ${known[*]} " == *" $argument "* ]] || usage "$argument"
                protocols+=("$argument")
                ;;
        esac
    done
    ((${#protocols[@]})) || protocols=("${known[@]}")

    trap leave EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    stage=$(mktemp -d)

    if [[ $check == yes ]]; then
        require "$install" tshark
        check_kept "${protocols[@]}"
        return
    fi
    # Servers that give up root must reach their files.
    chmod 711 "$stage"
    require "$install" tcpdump tshark dumpcap capinfos perl timeout openssl python3
    for protocol in "${protocols[@]}"; do
        mkdir -p "$stage/$protocol"
        "record_$protocol" "$install"
        stop_all
    done
    for protocol in "${protocols[@]}"; do
        keep "$protocol"
    done
}

usage() {
    printf 'record.sh: "%s" is neither an option nor a protocol\n' "$1" >&2
    printf 'usage: record.sh [--install | --check] [PROTOCOL...]\n' >&2
    printf 'protocols: %s\n' "${known[*]}" >&2
    exit 2
}

# keep PROTOCOL: replaces its captures by the new ones, all of which passed, and its table in README.md.
keep() {
    local -a captures
    PROTOCOL=$1 ROWS=$stage/$1.rows perl -0pe '
        BEGIN { local $/; open my $rows, "<", $ENV{ROWS} or die "$ENV{ROWS}: $!\n"; $table = <$rows>; }
        s/(<!-- $ENV{PROTOCOL}: written by record.sh -->\n).*?(<!-- end -->)/$1$table$2/s
            or die "README.md has no place for the table\n";
    ' "$corpora/README.md" >"$stage/README.md"
    captures=("$stage/$1"/*.pcap "$stage/$1"/*.pcapng)
    mkdir -p "$corpora/$1"
    rm -f -- "$corpora/$1"/*.pcap "$corpora/$1"/*.pcapng
    mv -- "${captures[@]}" "$corpora/$1/"
    chmod 644 "$corpora/$1"/*
    cat "$stage/README.md" >"$corpora/README.md"
    printf '%s: %d captures kept\n' "$1" "${#captures[@]}"
}

# check_kept PROTOCOL...: checks the size rule and whole connections, for the captures that are there.
check_kept() {
    local broken=0 capture protocol
    local -a captures
    for protocol in "$@"; do
        captures=("$corpora/$protocol"/*.pcap "$corpora/$protocol"/*.pcapng)
        if ((${#captures[@]} == 0)); then
            printf 'record.sh: %s: no captures\n' "$protocol" >&2
            broken=1
        fi
        for capture in "${captures[@]}"; do
            measure "$capture"
            report "$protocol/${capture##*/}"
            sound "$protocol/${capture##*/}" "$capture" || broken=1
        done
    done
    return "$broken"
}

main "$@"
