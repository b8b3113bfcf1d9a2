#!/usr/bin/env bash
# llama-source.sh SDIST OUT: what a machine with a card needs to build llama.cpp's batched benchmark for Llama 4's shapes, as OUT/llama.tar.xz, 2 MB, of llama-cpp-python's source distribution
# (`pip download --no-deps --no-binary :all: llama-cpp-python==0.3.36`). llama-build.sh builds it there and llama-shapes.ts runs it.
# Left out are other backends, tools and web pages, and the kernels of weights other than q4_0 and of heads other than 128, which take most of the time of a build and are never called. Two sentences of the source are changed: tensors of a file may lie at one place (so that all layers can be one layer's bytes), and only one tool is built.
set -euo pipefail
sdist=$(realpath "$1") out=$(realpath -m "$2")
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
name=$(tar -tzf "$sdist" | sed -n '1s,/.*,,p' || true)
tar -C "$work" --strip-components=3 -xzf "$sdist" "$name/vendor/llama.cpp"
cd "$work"
for path in * .[!.]*; do
  case $path in CMakeLists.txt | LICENSE | cmake | licenses | common | ggml | include | src | tools | vendor) ;; *) rm -rf "$path" ;; esac
done
find tools -mindepth 1 -maxdepth 1 ! -name batched-bench -exec rm -rf {} +
echo 'add_subdirectory(batched-bench)' > tools/CMakeLists.txt
rm -rf vendor/miniaudio vendor/stb
sed -i '/miniaudio/d; /stb/d' vendor/CMakeLists.txt
find ggml/src -mindepth 1 -maxdepth 1 -type d ! -name ggml-cpu ! -name ggml-cuda -exec rm -rf {} +
sed -i 's/if (ti.offset != ctx->size) {/if (false) {/' ggml/src/gguf.cpp
grep -q 'if (false) {' ggml/src/gguf.cpp

cd ggml/src/ggml-cuda/template-instances
sed -i '/^DECL_FATTN_MMA_F16_CASE/{/(128, 128,/!d}' fattn-mma-*.cu
sed -i '/^DECL_FATTN_VEC_CASE/{/(128,/!d}' fattn-vec-instance-f16-f16.cu
for file in *.cu; do
  case $file in mmq-instance-q4_0.cu | fattn-vec-instance-f16-f16.cu | fattn-tile-instance-dkq128-dv128.cu | mmf-*) continue ;; esac
  [[ $file == fattn-mma-* ]] && grep -q '^DECL' "$file" && continue
  : > "$file"
done
tar -C "$work" --sort=name --owner=0 --group=0 -cf - . | xz -T1 -6 -c > "$out/llama.tar.xz"
ls -l "$out/llama.tar.xz"
