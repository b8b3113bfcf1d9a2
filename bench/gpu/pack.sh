#!/usr/bin/env bash
# pack.sh OUT [pictures]: what a bare machine with a card needs to run bench/gpu, as archives in OUT: node.xz, packages.tar.xz, and sources.tar.xz with the goldens' text cases.
# Models are brought beside them. run.sh unpacks and runs. Needs xz and strip; node.xz is kept where it is there already, since it takes minutes.
# ONNX Runtime, which cards do without, is left out. `pictures` adds the decoder of pictures (7 MB), the goldens' and their settings: else text alone is served there.
# Simulated clusters run there too: run.sh ARCHIVES TARGET ../../tests/simulation/main.ts --jobs 32 --minutes 30 --seeds 100000.
set -euo pipefail
out=$(realpath -m "$1")
pictures=${2:-}
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
"$node" --conditions=@drover/source "$root/bench/gpu/list-packages.ts" $([ "$pictures" = pictures ] || echo sharp) > "$work/list"
tar -C "$root" --no-recursion -T "$work/list" -cf - | tar -C "$work/packages" -xf -
if [ "$pictures" != pictures ]; then
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
cp "$goldens/check.py" "$work/tree/goldens/"
for name in nano nano-fp8 nano-ct-fp8 scout; do
  mkdir -p "$work/tree/goldens/$name"
  if [ "$pictures" = pictures ]; then cp -r "$goldens/$name/"{goldens.jsonl,images,tiles} "$work/tree/goldens/$name/"
  else grep -v '"images": \["' "$goldens/$name/goldens.jsonl" > "$work/tree/goldens/$name/goldens.jsonl"; fi
done
cp -r "$goldens/scout/checkpoint" "$work/tree/goldens/scout/"
[ "$pictures" = pictures ] || rm -f "$work/tree/goldens/scout/checkpoint/"{preprocessor,processor}_config.json
tar -C "$work/tree" --sort=name --owner=0 --group=0 -cf - . | xz -T1 -6 -c > "$out/sources.tar.xz"
ls -l "$out"
