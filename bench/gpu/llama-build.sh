#!/usr/bin/env bash
# llama-build.sh ARCHIVE TARGET [ARCHITECTURE [JOBS]]: builds what llama-source.sh packed with nvcc for one kind of card (90: Hopper), 150 s on 16 cores, and leaves llama-batched-bench and its libraries, stripped,
# in TARGET/bin, and in pieces of 15 MiB in $OUT, where that is set: `cat llama-bin.tar.xz.* | tar -xJ -C TARGET` puts them there again without a build.
set -euo pipefail
archive=$(realpath "$1") target=$(realpath -m "$2") architecture=${3:-90} jobs=${4:-$(nproc)}
export PATH=$PATH:/usr/local/cuda/bin
mkdir -p "$target/source" "$target/bin"
python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2], filter="fully_trusted")' "$archive" "$target/source"
began=$(date +%s)
generator=$(command -v ninja > /dev/null && echo Ninja || echo "Unix Makefiles")
cmake -G "$generator" -S "$target/source" -B "$target/build" -DCMAKE_BUILD_TYPE=Release -DGGML_CUDA=ON "-DCMAKE_CUDA_ARCHITECTURES=$architecture-real" -DGGML_CUDA_NCCL=OFF \
  -DGGML_CCACHE=OFF -DGGML_NATIVE=OFF -DGGML_OPENMP=OFF -DGGML_LLAMAFILE=OFF -DGGML_CPU_REPACK=OFF -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
  -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF -DCMAKE_SHARED_LINKER_FLAGS=-Wl,-z,lazy "-DCMAKE_EXE_LINKER_FLAGS=-Wl,-z,lazy -Wl,--unresolved-symbols=ignore-in-shared-libs" > "$target/cmake.log" 2>&1 ||
  { tail -n 40 "$target/cmake.log"; exit 1; }
nice -n 10 cmake --build "$target/build" --parallel "$jobs" --target llama-batched-bench > "$target/build.log" 2>&1 || { grep -B2 -A12 -E 'error|FAILED' "$target/build.log" | tail -n 60; exit 1; }
echo "llama.cpp built in $(($(date +%s) - began)) s"
cp -P "$target"/build/bin/* "$target/bin/"
# Kernels that were left out have to be there for the loader, and end the process where one is called.
nm -D --undefined-only "$target/bin/libggml-cuda.so" | awk '/flash_attn_ext|mul_mat_q_case/ { print "void " $NF "(void) { abort(); }" }' |
  { echo '#include <stdlib.h>'; cat; } | gcc -shared -fPIC -x c - -o "$target/bin/libleft-out.so"
find "$target/bin" -type f -exec strip -s {} +
if [ -n "${OUT:-}" ]; then
  tar -C "$target" -cf - bin | xz -T0 -3 -c | split -b 15MiB -a 2 - "$OUT/llama-bin.tar.xz."
  ls -l "$OUT"/llama-bin.tar.xz.*
fi
