#!/usr/bin/env bash
# run.sh ARCHIVES TARGET SCRIPT [ARGS]: on a machine with a card, unpacks what pack.sh made into TARGET and runs bench/gpu/SCRIPT there.
# CUDA's compiler is looked for where the loader finds it, and in Python's packages and CUDA's own folder.
set -euo pipefail
archives=$(realpath "$1") target=$(realpath -m "$2") script=$3
shift 3
if [ ! -x "$target/node" ]; then
  mkdir -p "$target"
  python3 - "$archives" "$target" <<'P'
import lzma, shutil, sys, tarfile
archives, target = sys.argv[1:]
with lzma.open(f"{archives}/node.xz") as packed, open(f"{target}/node", "wb") as node:
    shutil.copyfileobj(packed, node)
for name in ("sources", "packages"):
    tarfile.open(f"{archives}/{name}.tar.xz").extractall(target, filter="fully_trusted")
P
  chmod 755 "$target/node"
fi
found=$({ find /usr/local/nvidia /usr/local/cuda*/lib64 /usr/lib "$(python3 -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/nvidia" \
  \( -name 'libnvrtc.so.1[23]' -o -name libcuda.so.1 \) 2>/dev/null || true; } | xargs -r -n1 dirname | sort -u | paste -sd:)
export LD_LIBRARY_PATH="$found:${LD_LIBRARY_PATH:-}"
cd "$target"
exec ./node --conditions=@drover/source --disable-warning=ExperimentalWarning "bench/gpu/$script" "$@"
