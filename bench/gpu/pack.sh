#!/usr/bin/env bash
# pack.sh OUT: what a bare machine with a card needs to run bench/gpu, as archives in OUT: node.xz, and sources.tar.xz with koffi and the goldens' text cases.
# Models are brought beside them. run.sh unpacks and runs. Needs xz and strip; node.xz is kept where it is there already, since it takes minutes.
set -euo pipefail
out=$(realpath -m "$1")
root=$(cd "$(dirname "$0")/../.." && pwd)
goldens=$(realpath "$root/../shared/goldens")
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ ! -f "$out/node.xz" ]; then
  strip -s "$(readlink -f "$root/.toolchain/node_modules/.bin/node")" -o "$work/node"
  xz -T1 --x86 --lzma2=preset=6,dict=64MiB -c "$work/node" > "$out/node.xz"
fi
mkdir -p "$work/tree/node_modules/@koromix" "$work/tree/goldens"
for folder in libs bench; do
  (cd "$root" && find "$folder" -name node_modules -prune -o -type f \( -path '*/src/*' -o -name package.json -o -path 'bench/gpu/*' \) -print) |
    tar -C "$root" -cf - -T - | tar -C "$work/tree" -xf -
done
cp -rL "$root/libs/cuda/node_modules/koffi" "$work/tree/node_modules/koffi"
cp -rL "$(dirname "$(realpath "$root/libs/cuda/node_modules/koffi")")/@koromix/koffi-linux-x64" "$work/tree/node_modules/@koromix/"
rm -rf "$work"/tree/node_modules/koffi/{doc,vendor,src/koffi/*.cc} "$work"/tree/node_modules/@koromix/koffi-linux-x64/musl_x64
for name in nano nano-fp8 nano-ct-fp8 scout; do
  mkdir -p "$work/tree/goldens/$name"
  grep -v '"images": \["' "$goldens/$name/goldens.jsonl" > "$work/tree/goldens/$name/goldens.jsonl"
done
cp -r "$goldens/scout/checkpoint" "$work/tree/goldens/scout/"
tar -C "$work/tree" --sort=name --owner=0 --group=0 -cf - . | xz -T1 -6 -c > "$out/sources.tar.xz"
ls -l "$out"
