#!/usr/bin/env bash
# pack.sh OUT [pictures] [cpu]: what a bare machine with a card needs to run bench/gpu, as archives in OUT: node.xz, packages.tar.xz, and sources.tar.xz with the goldens' text cases.
# Models are brought beside them. run.sh unpacks and runs. Needs xz and strip; node.xz is kept where it is there already, since it takes minutes.
# `pictures` adds the decoder of pictures (7 MB), the goldens' and their settings: else text alone is served there.
# `cpu` adds ONNX Runtime (9 MB), which cards do without, all of bench, and Redis in redis/ where it is here, with all that it loads: for benches of real clusters, such as ../chaos-long.ts.
# Simulated clusters run there too: run.sh ARCHIVES TARGET ../../tests/simulation/main.ts --jobs 32 --minutes 30 --seeds 100000.
set -euo pipefail
out=$(realpath -m "$1")
shift
pictures= cpu=
for part in "$@"; do
  case $part in pictures) pictures=1 ;; cpu) cpu=1 ;; *) echo "pack.sh OUT [pictures] [cpu], not $part" >&2; exit 2 ;; esac
done
root=$(cd "$(dirname "$0")/../.." && pwd)
goldens=$(realpath "$root/../shared/goldens")
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
node=$root/.toolchain/node_modules/.bin/node
if [ ! -f "$out/node.xz" ]; then
  strip -s "$(readlink -f "$node")" -o "$work/node"
  xz -T1 --x86 --lzma2=preset=6,dict=64MiB -c "$work/node" > "$out/node.xz"
fi

mkdir -p "$work/packages"
"$node" --conditions=@drover/source "$root/bench/gpu/list-packages.ts" ${pictures:-sharp} ${cpu:-onnxruntime-node} > "$work/list"
tar -C "$root" --no-recursion -T "$work/list" -cf - | tar -C "$work/packages" -xf -
if [ -z "$pictures" ]; then
  folder=$work/packages/$(realpath --relative-to="$root" "$root/libs/intake/node_modules/sharp")
  mkdir -p "$folder"
  echo '{"name":"sharp","version":"0.0.0","main":"index.js"}' > "$folder/package.json"
  echo 'module.exports = Object.assign(() => { throw new Error("sharp is not here"); }, { block() {}, unblock() {}, cache() {}, concurrency() {} });' > "$folder/index.js"
fi
tar -C "$work/packages" --sort=name --owner=0 --group=0 -cf - . | xz -T1 -6 -c > "$out/packages.tar.xz"

mkdir -p "$work/tree/goldens"
for folder in apps libs bench; do
  (cd "$root" && find "$folder" -name node_modules -prune -o -type f \( -path '*/src/*' -o -name package.json -o -path 'bench/gpu/*' \) -print) |
    tar -C "$root" -cf - -T - | tar -C "$work/tree" -xf -
done
tar -C "$root" -cf - tests/package.json $(cd "$root" && find tests/simulation -type f) | tar -C "$work/tree" -xf -
if [ -n "$cpu" ]; then
  (cd "$root" && find bench tests/e2e -name node_modules -prune -o -type f -name '*.ts' ! -name '*.spec.ts' -print) | tar -C "$root" -cf - -T - | tar -C "$work/tree" -xf -
  redis=$(readlink -f "$(command -v redis-server valkey-server | head -1)" || true)
  if [ -n "$redis" ]; then
    mkdir -p "$work/tree/redis/loaded"
    # With its loader: the other machine's C library may be older.
    cp $(ldd "$redis" | grep -o '/[^ ]*') "$work/tree/redis/loaded/"
    strip -s "$redis" -o "$work/tree/redis/loaded/redis-server"
    printf '%s\n' '#!/bin/sh' 'here=$(dirname "$(readlink -f "$0")")/loaded' 'exec "$here/ld-linux-x86-64.so.2" --library-path "$here" --argv0 redis-server "$here/redis-server" "$@"' > "$work/tree/redis/redis-server"
    chmod 755 "$work/tree/redis/redis-server"
  fi
fi
cp "$goldens/check.py" "$work/tree/goldens/"
for name in nano nano-fp8 nano-ct-fp8 scout; do
  mkdir -p "$work/tree/goldens/$name"
  if [ -n "$pictures" ]; then cp -r "$goldens/$name/"{goldens.jsonl,images,tiles} "$work/tree/goldens/$name/"
  else grep -v '"images": \["' "$goldens/$name/goldens.jsonl" > "$work/tree/goldens/$name/goldens.jsonl"; fi
done
cp -r "$goldens/scout/checkpoint" "$work/tree/goldens/scout/"
[ -n "$pictures" ] || rm -f "$work/tree/goldens/scout/checkpoint/"{preprocessor,processor}_config.json
tar -C "$work/tree" --sort=name --owner=0 --group=0 -cf - . | xz -T1 -6 -c > "$out/sources.tar.xz"
ls -l "$out"
