#!/usr/bin/env bash
# pack.sh OUT: what a bare machine with a card needs to run bench/gpu, as archives in OUT: node.xz, packages.tar.xz, and sources.tar.xz with the goldens' text cases.
# Models are brought beside them. run.sh unpacks and runs. Needs xz and strip; node.xz is kept where it is there already, since it takes minutes.
# Text alone is served there: ONNX Runtime and the decoder of pictures are left out, and with them the settings of pictures.
set -euo pipefail
out=$(realpath -m "$1")
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
"$node" --conditions=@drover/source "$root/bench/gpu/list-packages.ts" > "$work/list"
tar -C "$root" --no-recursion -T "$work/list" -cf - | tar -C "$work/packages" -xf -
stand_in() { # LIBRARY PACKAGE FILE SOURCE
  local folder
  folder=$work/packages/$(realpath --relative-to="$root" "$root/$1/node_modules/$2")
  mkdir -p "$folder/$(dirname "$3")"
  printf '{"name":"%s","version":"0.0.0","main":"%s"}' "$2" "$3" > "$folder/package.json"
  echo "$4" > "$folder/$3"
}
stand_in libs/onnx onnxruntime-node dist/binding.js 'exports.binding = { initOrtOnce() { throw new Error("ONNX Runtime is not here"); } };'
stand_in libs/intake sharp index.js 'module.exports = Object.assign(() => { throw new Error("sharp is not here"); }, { block() {}, unblock() {}, cache() {}, concurrency() {} });'
tar -C "$work/packages" --sort=name --owner=0 --group=0 -cf - . | xz -T1 -6 -c > "$out/packages.tar.xz"

mkdir -p "$work/tree/goldens"
for folder in apps libs bench; do
  (cd "$root" && find "$folder" -name node_modules -prune -o -type f \( -path '*/src/*' -o -name package.json -o -path 'bench/gpu/*' \) -print) |
    tar -C "$root" -cf - -T - | tar -C "$work/tree" -xf -
done
cp "$goldens/check.py" "$work/tree/goldens/"
for name in nano nano-fp8 nano-ct-fp8 scout; do
  mkdir -p "$work/tree/goldens/$name"
  grep -v '"images": \["' "$goldens/$name/goldens.jsonl" > "$work/tree/goldens/$name/goldens.jsonl"
done
cp -r "$goldens/scout/checkpoint" "$work/tree/goldens/scout/"
rm -f "$work/tree/goldens/scout/checkpoint/"{preprocessor,processor}_config.json
tar -C "$work/tree" --sort=name --owner=0 --group=0 -cf - . | xz -T1 -6 -c > "$out/sources.tar.xz"
ls -l "$out"
