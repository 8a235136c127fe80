#!/usr/bin/env bash
# Builds the binary that is given away: optimised across crates, stripped, linked statically, in target/dist/.
#
#   tools/dist.sh            for this machine's processor
#   tools/dist.sh --help     what it does
#
# It links against musl where that target is installed (rustup target add x86_64-unknown-linux-musl), and against the
# static glibc otherwise. A static glibc resolves host names only where the same glibc is installed; addresses always
# work.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "${1:-}" = --help ]; then
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"
    exit 0
elif [ $# -gt 0 ]; then
    echo "tools/dist.sh: unknown argument $1; see tools/dist.sh --help" >&2
    exit 2
fi

host=$(rustc -vV | sed -n 's/^host: //p')
musl=${host%-gnu}-musl
flags=${RUSTFLAGS:-}
if [ -d "$(rustc --print sysroot)/lib/rustlib/$musl/lib" ]; then
    target=$musl
else
    target=$host
    flags="$flags -C target-feature=+crt-static"
fi
RUSTFLAGS=$flags cargo build --locked --profile dist --package enjamb-cli --target "$target"

directory=$(cargo metadata --no-deps --format-version 1 --locked | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
built=$directory/$target/dist/enjamb
mkdir -p "$directory/dist"
cp "$built" "$directory/dist/enjamb"
"$directory/dist/enjamb" --version
if ldd "$directory/dist/enjamb" 2>/dev/null | grep -q '=>'; then
    echo "tools/dist.sh: $directory/dist/enjamb is not static" >&2
    exit 1
fi
printf '%s: %d bytes, static, for %s\n' "$directory/dist/enjamb" "$(stat -c %s "$directory/dist/enjamb")" "$target"
