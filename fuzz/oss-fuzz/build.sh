#!/bin/bash -eu
# Builds all fuzz targets as OSS-Fuzz and ClusterFuzzLite expect: a program, a seed archive, a
# dictionary and options for each, in $OUT. They set SRC, OUT and the flags of the sanitizer.
# Also when the script is an argument of bash.
set -eu
cd "$SRC/enjamb"
cargo fuzz build -O
built="${CARGO_TARGET_DIR:-fuzz/target}/x86_64-unknown-linux-gnu/release"
for program in fuzz/fuzz_targets/*.rs; do
    target=$(basename "$program" .rs)
    # It must fail: it tests the fuzzer, not enjamb.
    [ "$target" = canary ] && continue
    cp "$built/$target" "$OUT/"
    # Seeds, and findings that were mended.
    archive=$(mktemp -d)
    cp fuzz/seeds/"$target"/* "$archive/"
    [ -d "fuzz/findings/$target" ] && cp fuzz/findings/"$target"/* "$archive/"
    (cd "$archive" && python3 -m zipfile -c "$OUT/${target}_seed_corpus.zip" ./*)
    rm -r "$archive"
    [ -s "fuzz/dictionaries/$target.dict" ] && cp "fuzz/dictionaries/$target.dict" "$OUT/$target.dict"
    cp fuzz/oss-fuzz/target.options "$OUT/$target.options"
done
