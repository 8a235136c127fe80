#!/usr/bin/env bash
# Clients of Toxiproxy, unchanged, against the API of `enjamb proxy`. It needs python3-venv, node
# and npm, and the registries of Python and Node. The build of enjamb is that of the workspace, or
# $ENJAMB.
set -euo pipefail
cd "$(dirname "$0")"

enjamb=${ENJAMB:-}
if [ -z "$enjamb" ]; then
    cargo build --release --quiet --locked -p enjamb-cli
    enjamb=$(realpath "${CARGO_TARGET_DIR:-../../../target}/release/enjamb")
fi

folder=$(mktemp -d)
proxy=
finish() {
    [ -z "$proxy" ] || kill "$proxy" || true
    rm -rf "$folder"
}
trap finish EXIT

python3 -m venv "$folder/python"
"$folder/python/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt
cp package.json toxiproxy.js "$folder/"
(cd "$folder" && npm install --silent --no-audit --no-fund)

"$enjamb" proxy --api 127.0.0.1:0 --log "$folder/log.jsonl" 2>"$folder/stderr" &
proxy=$!
until grep -q '^API at' "$folder/stderr"; do sleep 0.1; done
api=$(sed -n 's,^API at http://\(.*\)/proxies$,\1,p' "$folder/stderr")

"$folder/python/bin/python" toxiproxy_test.py "$api"
(cd "$folder" && node toxiproxy.js "$api")

kill -INT "$proxy"
wait "$proxy"
proxy=
grep -q '"type":"fault"' "$folder/log.jsonl"
echo "both clients of Toxiproxy work unchanged"
