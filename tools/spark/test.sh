#!/usr/bin/env bash
# Tests the dataset with DuckDB, and the Spark job on this machine. What they need of PyPI is installed under target/ once.
# Where it cannot be had the tests are passed over, except in CI.
set -euo pipefail
cd "$(dirname "$0")/../.."

passed_over() {
    echo "tools/spark: $*" >&2
    [ "${CI:-}" != true ] || exit 1
    echo "tools/spark: passed over" >&2
    exit 0
}

command -v python3 >/dev/null || passed_over "python3 is not installed"
command -v java >/dev/null || passed_over "java is not installed"
python=target/python/bin/python
if ! cmp -s tools/spark/requirements.txt target/python/installed.txt; then
    rm -rf target/python
    python3 -m venv target/python || passed_over "python3 has no venv"
    $python -m pip install --quiet --disable-pip-version-check -r tools/spark/requirements.txt ||
        passed_over "tools/spark/requirements.txt cannot be installed"
    cp tools/spark/requirements.txt target/python/installed.txt
fi
cargo build --release --locked --quiet
exec env ENJAMB=target/release/enjamb SPARK_LOCAL_IP=127.0.0.1 $python -m unittest discover -v -s tools/spark -p 'test_*.py' "$@"
