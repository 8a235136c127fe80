#!/usr/bin/env bash
# Tests the dataset with DuckDB, and the Spark job on this machine. Their requirements are installed from
# PyPI under target/ once. If that fails, the tests are skipped; in CI it is an error.
set -euo pipefail
cd "$(dirname "$0")/../.."

skip() {
    echo "tools/spark: $*" >&2
    [ "${CI:-}" != true ] || exit 1
    echo "tools/spark: the tests are skipped" >&2
    exit 0
}

command -v python3 >/dev/null || skip "python3 is not installed"
command -v java >/dev/null || skip "java is not installed"
python=target/python/bin/python
if ! cmp -s tools/spark/requirements.txt target/python/installed.txt; then
    rm -rf target/python
    python3 -m venv target/python || skip "python3 has no venv"
    $python -m pip install --quiet --disable-pip-version-check -r tools/spark/requirements.txt ||
        skip "tools/spark/requirements.txt cannot be installed"
    cp tools/spark/requirements.txt target/python/installed.txt
fi
cargo build --release --locked --quiet
export ENJAMB=target/release/enjamb SPARK_LOCAL_IP=127.0.0.1
exec $python -m unittest discover -v -s tools/spark -p 'test_*.py' "$@"
